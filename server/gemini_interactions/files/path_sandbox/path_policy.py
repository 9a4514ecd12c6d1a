"""What a path may look like, and which names are never read: rules on words alone.

Nothing here touches the file system, so the rules for Windows hold, and are tested, everywhere.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Sequence
from urllib.parse import unquote, urlsplit

from ...domain.file_errors import BadPath

LONGEST_PATH = 4096
LONGEST_NAME = 255

# Names of files that hold credentials. They are compared without regard to case, width,
# invisible characters and trailing dots, the way the laxest file systems do.
FILES = (
    *(".env*", "*.env"),
    *("*.pem", "*.key", "*.p8", "*.ppk", "*.p12", "*.pfx", "*.jks", "*.keystore", "*.agekey"),
    *("secring.*", "*.kdb", "*.kdbx", "*.keychain", "*.keychain-db", ".vault-token"),
    *("id_rsa*", "id_dsa*", "id_ecdsa*", "id_ed25519*"),
    # With a star for the copies that editors and careful people make.
    *(".netrc*", "_netrc*", ".pypirc*", ".npmrc*", ".git-credentials*", ".htpasswd*", ".pgpass*"),
    *(".my.cnf*", ".dockercfg", ".s3cfg", ".boto", ".databrickscfg", "rclone.conf", ".claude.json"),
    *("*.tfstate", "*.tfstate.backup", "kubeconfig", "*.kubeconfig", "wallet.dat"),
    *("*service-account*.json", "*service_account*.json", "*serviceaccount*.json"),
    *("client_secret*.json", "oauth_creds.json", "*firebase-adminsdk*.json"),
    *("credentials", ".credentials", "credentials.json", ".credentials.json", "credentials.csv"),
    *("credentials.ini", "credentials.xml", "credentials.yml", "credentials.yaml"),
    *("secrets.json", "secrets.yml", "secrets.yaml", "secrets.toml", "*accesskeys.csv"),
    *("application_default_credentials.json", "rootkey.csv"),
    # Browsers keep passwords and sessions in these.
    *("login data*", "logins.json", "key3.db", "key4.db", "cookies", "cookies.sqlite*"),
    *("web data", "local state"),
    # Our own.
    *("gemini.db*", "gemini-signing-key"),
)

# Folders, and files that need their folder to be told apart. A name alone would refuse somebody
# who works on Firefox itself, so browsers are named with what they stand in.
FOLDERS = (
    *(".ssh", ".aws", ".gnupg", ".azure", ".kube", ".password-store", ".git", ".hg", ".svn"),
    *(".envs", ".mozilla", ".thunderbird", ".docker/config.json", ".codex/auth.json"),
    *(".cargo/credentials*", ".gem/credentials", ".m2/settings*.xml", ".terraform.d/credentials*"),
    *(".gradle/gradle.properties", ".subversion/auth", ".local/share/keyrings"),
    *(".config/gcloud", ".config/gh", ".config/hub", ".config/op", ".config/rclone"),
    *(".config/github-copilot", ".config/google-chrome*", ".config/chromium"),
    *(".config/bravesoftware", ".config/microsoft-edge*", ".config/vivaldi*", ".config/opera*"),
    *("library/keychains", "library/cookies", "library/safari"),
    *("library/application support/google/chrome*", "library/application support/chromium"),
    *("library/application support/firefox", "library/application support/bravesoftware"),
    *("library/application support/microsoft edge*", "library/application support/arc"),
    *("google/chrome/user data", "microsoft/edge/user data", "firefox/profiles"),
    *("appdata/*/mozilla", "appdata/*/chromium", "appdata/*/bravesoftware", "appdata/*/gcloud"),
    *("appdata/*/microsoft/credentials", "appdata/*/microsoft/protect"),
    *("snap/chromium", "snap/firefox"),
)


def _any_of(rules: Sequence[str]) -> str:
    """One expression for all rules, each a group of its own: a folder may hold thousands."""
    return "|".join("(" + re.escape(rule).replace(r"\*", "[^/]*") + ")" for rule in rules)


# Compiled at the first use, which takes 3 ms that starting up has no time for.
_A_FILE = _any_of(FILES)
_A_FOLDER = f"(?:^|/)(?:{_any_of(FOLDERS)})(?=/|$)"
_COPY = (
    r"(?:~|#|\.~\d+~|[._ -]?\(\d+\)|[._ -]+(?:bak|backup|old|orig|original|save|saved|sav|copy|tmp"
    r"|temp|swp|swo|swx|new|prev|previous|rpmsave|rpmnew|rpmorig|dpkg-old|dpkg-dist|dpkg-new|ucf-old"
    r"|disabled|\d{1,4}|\d{4}-?\d\d-?\d\d(?:[t_-]?\d{4,6})?)(?:[ _-]?\d{1,3})?)$"
)
_DEVICES = re.compile(r"(?:con|prn|aux|nul|clock\$|conin\$|conout\$|(?:com|lpt)[0-9¹²³])", re.I)


def path_of(given: str, *, windows: bool = os.name == "nt") -> str:
    """The path that was meant, `~` and ``file:///`` read; BadPath for what can be none."""
    path = _from_url(given, windows) if given[:5].lower() == "file:" else given
    if not path.strip():
        raise BadPath(given, "it is empty")
    if "\0" in path:
        raise BadPath(given, "it has a NUL character in it")
    try:
        length = len(os.fsencode(path))
    except UnicodeEncodeError:
        raise BadPath(given, "it has characters that no file name can have") from None
    parts = re.split(r"[/\\]" if windows else "/", path)
    if length > LONGEST_PATH or any(len(os.fsencode(part)) > LONGEST_NAME for part in parts):
        raise BadPath(given, "it is too long")
    if windows and (trouble := windows_trouble(path)):
        raise BadPath(given, trouble)
    if path.startswith("~"):
        path = os.path.expanduser(path)
    return path


def windows_trouble(path: str) -> str:
    """Why Windows would take this path for something else than a file, or ""."""
    if path[:2].replace("\\", "/") == "//":
        if re.match(r"[/\\]{2}[?.][/\\]", path):
            return "it names a Windows device"
        return "it names another machine (a UNC path)"
    if re.match(r"[/\\]\?\?[/\\]", path):
        return "it names a Windows device"
    drive = re.match(r"[a-z]:", path, re.I)
    rest = path[2:] if drive else path
    if drive and not rest.startswith(("/", "\\")):
        return "it is relative to a drive"
    for part in re.split(r"[/\\]", rest):
        if ":" in part:
            return "it names an alternate data stream"
        if part in ("", ".", ".."):
            continue
        if _DEVICES.fullmatch(part.split(".")[0].rstrip()):
            return "it has the name of a Windows device in it"
        if part != part.rstrip(". "):
            return "a name in it ends with a dot or a space, which Windows drops"
        if any(each in '<>"|' or each < " " for each in part):
            return "it has characters that no Windows name can have"
    return ""


def credential(parts: Sequence[str], *, is_folder: bool = False) -> str:
    """The rule that keeps this file from being read, or "". `parts` is its whole real path."""
    if is_folder:  # one of the name of a file is just a folder
        parts = (*parts, "")
    if not parts:
        return ""
    plain = [_plain(part) for part in parts]
    names = _originals(plain[-1])
    for name in names if not any(each.endswith(".pub") for each in names) else ():
        if found := re.fullmatch(_A_FILE, name):
            return FILES[(found.lastindex or 1) - 1]
    if plain[-1]:
        plain[-1] = _originals(plain[-1])[-1]  # a copy of a file in a folder that tells it apart
    found = re.search(_A_FOLDER, "/".join(plain)) or re.search(
        _A_FOLDER, "/".join([*plain[:-1], _plain(parts[-1])])
    )
    return FOLDERS[(found.lastindex or 1) - 1] if found else ""


def _originals(name: str) -> list[str]:
    """A file's name, and those of which it may be a copy: editors, package managers and careful
    people put something before, behind or inside the name."""
    found = [name]
    for _ in range(6):
        shorter = re.sub(_COPY, "", name)
        if shorter.startswith((".#", "#")):
            shorter = shorter.lstrip(".#")
        elif name.endswith((".swp", ".swo", ".swx")):
            shorter = shorter.removeprefix(".")
        else:
            shorter = re.sub(r"^(?:copy of |backup of |old |_|~\$?)", "", shorter)
        if not shorter or shorter == name:
            break
        found.append(name := shorter)
    # A number or word before the extension: `key (1).pem`, `key copy.pem`, `key.old.pem`.
    stem, dot, extension = name.rpartition(".")
    if dot and stem:
        inner = re.sub(_COPY, "", stem)
        if inner and inner != stem:
            found.append(f"{inner}.{extension}")
    return found


def _plain(name: str) -> str:
    """A name as the laxest file system compares it: HFS+ skips invisible characters, Windows
    drops trailing dots and spaces, and many ignore case."""
    if name.isascii():
        return name.lower().rstrip(". ")
    wide = unicodedata.normalize("NFKC", name).casefold()
    return "".join(each for each in wide if unicodedata.category(each) != "Cf").rstrip(". ")


def _from_url(given: str, windows: bool) -> str:
    try:
        url = urlsplit(given)
    except ValueError:
        raise BadPath(given, "it is no file:// address") from None
    if url.netloc not in ("", "localhost") or not url.path.startswith("/"):
        raise BadPath(given, "a file:// address must be of this machine (file:///…)")
    if url.query or url.fragment:
        raise BadPath(given, "a file:// address has no query and no fragment")
    path = unquote(url.path)
    # file:///C:/x stands for C:/x.
    return path[1:] if windows and re.match(r"/[a-z]:", path, re.I) else path
