"""Which folders are open to us by default, and when none is."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from gemini_interactions.domain.file_errors import NotAllowed
from gemini_interactions.files.path_sandbox.allowed_dirs import Folders
from gemini_interactions.files.path_sandbox.default_dirs import roots

HOME = Path("/home/somebody")


def test_the_folder_we_were_started_in_is_open(tmp_path: Path) -> None:
    assert roots(None, tmp_path, HOME) == ((os.path.realpath(tmp_path),), "")


@pytest.mark.skipif(sys.platform != "linux", reason="names of Linux")
@pytest.mark.parametrize(
    "working",
    ["/", "/home", "/usr", "/usr/bin", "/etc", "/proc", "/dev", "/var", "/opt", "/usr/lib"],
)
def test_no_folder_of_the_system_is_open_because_somebody_started_us_there(working: str) -> None:
    open_, why = roots(None, Path(working), HOME)

    assert open_ == ()
    assert why.startswith("this server was started")


@pytest.mark.parametrize("where", ["/usr/src", "/opt", "/var/www", "/srv/app", "/mnt/data"])
def test_what_people_put_beside_the_system_is_open(where: str) -> None:
    from gemini_interactions.files.path_sandbox.default_dirs import _is_system

    assert not _is_system(f"{where}/project")


def test_the_home_folder_is_not_open_by_default_but_what_is_in_it_is(tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()

    assert roots(None, tmp_path, tmp_path)[0] == ()
    assert roots(None, tmp_path.parent, tmp_path)[0] == ()
    assert roots(None, tmp_path / "project", tmp_path)[0] == (
        os.path.realpath(tmp_path / "project"),
    )


def test_a_folder_around_a_home_that_was_made_for_one_process_is_open(tmp_path: Path) -> None:
    made = tmp_path / "home"
    made.mkdir()

    assert roots(None, tmp_path, made, HOME)[0] == (os.path.realpath(tmp_path),)
    assert roots([tmp_path], None, made, HOME)[0] == (os.path.realpath(tmp_path),)
    assert roots(None, made, made, HOME)[0] == ()


def test_the_home_folder_of_the_account_is_not_open_by_default_whatever_home_says(
    tmp_path: Path,
) -> None:
    account, made = tmp_path / "ada", tmp_path / "made"
    account.mkdir()

    assert roots(None, account, made, account)[0] == ()
    assert roots([account], None, made, account)[0] == (os.path.realpath(account),)


@pytest.mark.skipif(sys.platform == "win32", reason="HOME is a name of POSIX")
def test_what_this_process_takes_for_its_home_does_not_close_what_is_around_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "notes.txt").write_text("Hello.")

    with Folders(None, working=tmp_path).open_inside("notes.txt") as opened:
        assert opened.file.read() == b"Hello."


def test_the_home_folder_is_open_where_somebody_says_so(tmp_path: Path) -> None:
    assert roots([tmp_path], Path("/"), tmp_path)[0] == (os.path.realpath(tmp_path),)


def test_the_whole_disk_is_never_open(tmp_path: Path) -> None:
    assert roots([Path("/"), tmp_path.parent], None, tmp_path)[0] == ()
    assert roots([Path("/"), tmp_path], None, HOME)[0] == (os.path.realpath(tmp_path),)


def test_a_link_to_the_home_folder_is_the_home_folder(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (tmp_path / "alias").symlink_to(home)

    assert roots(None, tmp_path / "alias", home)[0] == ()


@pytest.mark.parametrize(
    ("allowed", "working", "why"),
    [
        (None, None, "the folder this server was started in is gone"),
        (None, Path("/nonexistent"), "the folder this server was started in is gone"),
        (None, Path("/"), "started at the top of the disk"),
        (None, HOME, "gone"),
        ([], Path("/work"), "no folder was opened on this server"),
        ([Path("/")], Path("/work"), "the folders set are the whole disk"),
    ],
)
def test_where_nothing_is_open_every_use_says_why_and_what_to_set(
    allowed: list[Path] | None, working: Path | None, why: str
) -> None:
    folders = Folders(allowed, working=working, home=HOME)

    for use in (folders.open_inside, folders.find, lambda path: folders.create_inside(path, "x")):
        with pytest.raises(NotAllowed, match="GEMINI_MCP_ALLOWED_DIRS") as refusal:
            use("notes.txt")
        assert why in str(refusal.value)


def test_a_folder_that_is_allowed_but_missing_is_no_error_until_it_is_used(tmp_path: Path) -> None:
    folders = Folders([tmp_path / "later"])
    (tmp_path / "later").mkdir()
    (tmp_path / "later" / "x.txt").write_text("now")

    with folders.open_inside("x.txt") as opened:
        assert opened.file.read() == b"now"
