"""Rules on names alone, so those for Windows are tested everywhere."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemini_interactions.domain.file_errors import BadPath
from gemini_interactions.files.path_sandbox.path_policy import credential, path_of, windows_trouble

WINDOWS = {
    r"\\server\share\x.txt": "another machine",
    r"//server/share/x.txt": "another machine",
    r"\/server\share": "another machine",
    r"\\?\C:\x.txt": "a Windows device",
    r"\\.\PhysicalDrive0": "a Windows device",
    r"\\.\pipe\docker_engine": "a Windows device",
    r"//?/C:/x.txt": "a Windows device",
    r"\??\C:\x.txt": "a Windows device",
    r"C:x.txt": "relative to a drive",
    r"x.txt:hidden": "alternate data stream",
    r"C:\work\x.txt::$DATA": "alternate data stream",
    r"work\folder:stream\x.txt": "alternate data stream",
    "con": "the name of a Windows device",
    r"work\NUL.txt": "the name of a Windows device",
    "aux .md": "the name of a Windows device",
    "lpt1": "the name of a Windows device",
    "COM¹.log": "the name of a Windows device",
    "conin$": "the name of a Windows device",
    ".env.": "ends with a dot or a space",
    r"work \x.txt": "ends with a dot or a space",
    "x.txt ": "ends with a dot or a space",
    "a<b": "no Windows name can have",
    "a|b": "no Windows name can have",
    "a\nb": "no Windows name can have",
}


@pytest.mark.parametrize("path", WINDOWS, ids=repr)
def test_windows_would_take_this_for_something_else_than_a_file(path: str) -> None:
    assert WINDOWS[path] in windows_trouble(path)


@pytest.mark.parametrize(
    "path", [r"C:\work\x.txt", "C:/work/x.txt", r"..\x.txt", "console.log", "a/b c/d", ".", "com10"]
)
def test_windows_takes_this_for_a_file(path: str) -> None:
    assert windows_trouble(path) == ""


def test_the_rules_of_windows_hold_only_there() -> None:
    assert path_of("aux.c", windows=False) == "aux.c"
    with pytest.raises(BadPath, match="Windows device"):
        path_of("aux.c", windows=True)


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("file:///tmp/a%20b.txt", "/tmp/a b.txt"),
        ("FILE://localhost/tmp/x", "/tmp/x"),
        ("file:/tmp/x", "/tmp/x"),
    ],
)
def test_a_file_url_is_a_path(url: str, path: str) -> None:
    assert path_of(url, windows=False) == path


def test_a_file_url_of_windows_keeps_its_drive() -> None:
    assert path_of("file:///C:/work/x%20y.txt", windows=True) == "C:/work/x y.txt"
    with pytest.raises(BadPath, match="another machine"):
        path_of("file:////server/share/x", windows=True)


@pytest.mark.parametrize(
    "path",
    [
        *("", "  ", "a\0b", "file:///a%00b", "\ud800", "n" * 256, "a/" * 2049, "file://host/x"),
        *("file:x", "file:///x?y", "file:///x#y", "file://[", "é" * 128),
    ],
    ids=ascii,
)
def test_this_can_be_no_path(path: str) -> None:
    with pytest.raises(BadPath):
        path_of(path, windows=False)


def test_a_tilde_is_the_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")

    assert path_of("~/x.txt", windows=False) == "/home/somebody/x.txt"
    assert path_of("~nobody-of-that-name/x", windows=False) == "~nobody-of-that-name/x"


def _lines(text: str) -> list[str]:
    return text.split()


CREDENTIALS = _lines("""
    /code/.env  /code/.env.local  /code/.env.example  /code/prod.env  /code/.ENV  /code/.envrc
    /code/server.pem  /code/tls.key  /code/id_rsa  /code/id_ed25519  /code/vault.kdbx
    /code/.netrc  /code/.npmrc  /code/.pypirc  /code/.git-credentials  /code/.git/config
    /code/my-service-account.json  /code/service_account_prod.json  /code/credentials.json
    /code/.netrc.bak  /code/.npmrc~  /code/.credentials  /code/credentials  /code/secrets.yaml
    /code/AuthKey_1.p8  /code/app-firebase-adminsdk-1.json  /code/rootkey.csv  /code/kubeconfig
    /code/.envs/.local/.postgres  /home/me/.claude.json  /code/Web~Data  /code/Local~State
    /code/terraform.tfstate  /code/cert.p12  /code/gemini.db  /code/gemini.db-wal
    /home/me/.ssh/config  /home/me/.aws/credentials  /home/me/.gnupg/x  /home/me/.kube/config
    /home/me/.docker/config.json  /home/me/.config/gcloud/x.json  /home/me/.config/gh/hosts.yml
    /home/me/.config/google-chrome/Default/History  /home/me/.mozilla/firefox/x/prefs.js
    /home/me/.config/google-chrome-beta/x  /home/me/snap/firefox/common/x
    /home/me/.local/share/keyrings/login.keyring  /home/me/.password-store/bank.gpg
    /home/me/.cargo/credentials.toml  /home/me/.codex/auth.json
    /Users/me/Library/Keychains/login.keychain-db  /Users/me/Library/Cookies/Cookies.binarycookies
    /Users/me/Library/Safari/History.db
    C:\\Users\\me\\AppData\\Local\\Google\\Chrome\\User~Data\\x
    C:\\Users\\me\\AppData\\Roaming\\Mozilla\\Firefox\\Profiles\\x\\logins.json
    C:\\Users\\me\\AppData\\Roaming\\Microsoft\\Credentials\\x  /code/Login~Data  /code/key4.db
""")

HARMLESS = _lines("""
    /code/environment.md  /code/env.py  /code/keyboard.txt  /code/monkey.py  /code/id_rsa.pub
    /code/credentials.py  /code/secrets.py  /code/secrets.md  /code/credentials/main.py
    /code/keys.py  /code/.gitignore  /code/.github/workflows/ci.yml  /code/docker/config.json
    /code/.docker/Dockerfile  /code/firefox/browser/app.js  /code/chromium/src/base/x.cc
    /code/git/config  /code/ssh/README.md  /code/service-account.md  /code/a.key.md
    /home/me/.config/nvim/init.lua  /home/me/.docker/notes.md  /code/library/cookie.py
""")


def parts(path: str) -> list[str]:
    return path.replace("~", " ").replace("\\", "/").split("/")


@pytest.mark.parametrize("path", CREDENTIALS)
def test_this_may_hold_credentials(path: str) -> None:
    assert credential(parts(path))


@pytest.mark.parametrize("path", HARMLESS)
def test_this_is_just_a_file(path: str) -> None:
    assert credential(parts(path)) == ""


@pytest.mark.parametrize(
    "name",
    [
        *(".ENV", ".Env.Local", ".env.", ".env ", ".env. .", "\u200b.env", ".e\u200cnv"),
        *(
            "．env",
            ".ⓔnv",
            "ID_RSA",
            "id_r\u017fa",
            "\u212aey.pem",
            "x.PEM",
            "x.pe\u200dm",
            "x.pem.",
            "y.key ",
        ),
    ],
    ids=ascii,
)
def test_no_spelling_that_some_file_system_takes_for_it_hides_a_credential(name: str) -> None:
    assert credential(["/", "work", name])


@given(st.text(max_size=40), st.text(max_size=40))
def test_no_words_whatever_break_the_rules(one: str, two: str) -> None:
    credential([one, two])
    windows_trouble(f"{one}\\{two}")
    for windows in (False, True):
        for path in (f"{one}/{two}", f"file://{one}/{two}"):
            said = ""
            try:
                path_of(path, windows=windows)
            except BadPath as refusal:
                said = str(refusal)
            assert len(said) < 400
            assert said.isprintable()


def test_the_rule_is_named_that_keeps_a_file_from_being_read() -> None:
    assert credential(["/", "work", "prod.env"]) == "*.env"
    assert credential(Path("/home/me/.docker/config.json").parts) == ".docker/config.json"


@pytest.mark.parametrize(
    "name",
    [
        *("x.pem.bak", "id_rsa~", ".env.old", ".env~", "prod.env.bak", "x.pem.1", "x.key.old"),
        *("x.pem (1)", "x (1).pem", "x.key.2024-01-02", "#x.pem#", ".#x.pem", ".x.pem.swp"),
        *("credentials.json~", "credentials (2).json", "Copy of x.pem", "x - Copy.pem"),
        *("secrets.yml.orig", "terraform.tfstate.17.backup", "kubeconfig.bak", "x.PEM.BAK"),
    ],
)
def test_a_copy_of_a_file_of_credentials_is_one(name: str) -> None:
    assert credential(("home", "ada", name))


@pytest.mark.parametrize(
    "name",
    [
        *("main.py.bak", "notes.txt~", "test_1.py", "key.py", "environment.md", "README.old"),
        *("copy of report.pdf", "a.1", "id_rsa.pub", "id_rsa.pub.bak", "old keys.md"),
    ],
)
def test_a_copy_of_another_file_is_none(name: str) -> None:
    assert not credential(("home", "ada", name))
