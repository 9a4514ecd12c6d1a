"""Every refusal as a model reads it: the rule, the way out, and no path outside."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from gemini_interactions.domain.errors import Refused
from gemini_interactions.domain.file_errors import CannotKeep, CannotSave, shown
from gemini_interactions.files.glob_expansion import gather
from gemini_interactions.files.interaction_content import attach, inline
from gemini_interactions.files.path_sandbox.allowed_dirs import Folders
from gemini_interactions.files.remote_urls import address_of
from tests.support.file_samples import KINDS
from tests.unit.files.conftest import SandboxDirs

DIRS = "GEMINI_MCP_ALLOWED_DIRS (--allowed-dirs)"
NOTHING = (
    "No local file can be read or written: {}. Set " + DIRS + " to the folders that may be used "
    "and restart the server. URLs and files/… names work without it."
)

# What somebody asks for, and what they are told. {inside} is the allowed folder.
READING = {
    "../outside/a.txt": (
        "'../outside/a.txt' is outside the allowed folders ({inside}). Use a file inside them, or "
        "have its folder added to GEMINI_MCP_ALLOWED_DIRS (--allowed-dirs) and the server "
        "restarted."
    ),
    "door/a.txt": (
        "'door/a.txt' leads out of the allowed folders through a link. Use a file that is inside "
        "them, or have its folder added to GEMINI_MCP_ALLOWED_DIRS (--allowed-dirs) and the "
        "server restarted."
    ),
    "loop": (
        "'loop' goes through a link that leads nowhere, or was moved while it was being opened, "
        "so it could not be held to the folders of GEMINI_MCP_ALLOWED_DIRS (--allowed-dirs). Use "
        "the path of the file itself."
    ),
    "nothing.txt": (
        "There is no file 'nothing.txt'. Check the path; a relative one starts at {inside}."
    ),
    "sub": "'sub' is a folder, not a file. Name an ordinary file.",
    "pipe": "'pipe' is a pipe, not a file. Name an ordinary file.",
    ".env": (
        "'.env' is protected by its name: '.env*' may hold credentials and is never read or "
        "written, even inside the folders of GEMINI_MCP_ALLOWED_DIRS (--allowed-dirs). Leave it "
        "out."
    ),
    "key.txt": (
        "'key.txt' contains a private key and is never sent, even from inside the folders of "
        "GEMINI_MCP_ALLOWED_DIRS (--allowed-dirs). Leave it out, or send a copy without the key."
    ),
    "data/x.md": (
        "'data/x.md' is in this server's own data folder, which is never read or written as "
        "files, even inside the folders of GEMINI_MCP_ALLOWED_DIRS (--allowed-dirs). Name a "
        "generated image by its id."
    ),
    "": (
        "'' cannot be used as a path: it is empty. Give a plain path inside the folders of "
        "GEMINI_MCP_ALLOWED_DIRS (--allowed-dirs)."
    ),
    "a\0b": (
        "'a?b' cannot be used as a path: it has a NUL character in it. Give a plain path inside "
        "the folders of GEMINI_MCP_ALLOWED_DIRS (--allowed-dirs)."
    ),
    "x" * 300: (
        "'…" + "x" * 79 + "' cannot be used as a path: it is too long. Give a plain path inside "
        "the folders of GEMINI_MCP_ALLOWED_DIRS (--allowed-dirs)."
    ),
    "file://host/x": (
        "'file://host/x' cannot be used as a path: a file:// address must be of this machine "
        "(file:///…). Give a plain path inside the folders of GEMINI_MCP_ALLOWED_DIRS "
        "(--allowed-dirs)."
    ),
    "empty.txt": "'empty.txt' is empty. Leave it out.",
    "film.mkv": "'film.mkv' is a Matroska video, which Gemini does not take. Convert it to MP4.",
    "data.zip": (
        "'data.zip' is an archive, which Gemini does not take. Unpack it and name the files."
    ),
    "core": (
        "'core' is of a kind that Gemini does not take. It takes text, code, images, PDF, audio, "
        "video and office documents."
    ),
    "*.rs": (
        "'*.rs' stands for no file that can be sent. Name the files themselves, or another pattern."
    ),
    "http://example.com/x.pdf": (
        "'http://example.com/x.pdf' cannot be attached: over http anybody on the way could read "
        "or change it. Give its https address, or download it and give the path."
    ),
    "gs://bucket/x.pdf": (
        "'gs://bucket/x.pdf' cannot be attached: Google does not fetch gs:// addresses. Give an "
        "https address (a signed one, for cloud storage)."
    ),
    "data:image/png;base64,iVBORw0": (
        "'data:image/png;b…' cannot be attached: a data: address holds the bytes themselves. Save "
        "them as a file and give its path, or give an https address."
    ),
    "https://localhost/x.png": (
        "'https://localhost/x.png' cannot be attached: Google fetches it, and cannot reach this "
        "machine or a private network. Download it and give the path of the file."
    ),
    "https://me:secret@example.com/x": (
        "'https://…@example.com' cannot be attached: it has a user name or password in it. Give "
        "it without."
    ),
    "https://youtu.be/": (
        "'https://youtu.be/' cannot be attached: it names no single YouTube video. Give the "
        "address of one video, such as https://www.youtube.com/watch?v=…."
    ),
}

WRITING = {
    "../outside/x.jpg": READING["../outside/a.txt"].replace("a.txt", "x.jpg"),
    "door/x.jpg": READING["door/a.txt"].replace("a.txt", "x.jpg"),
    ".env": READING[".env"],
    "a.txt/x.jpg": (
        "Nothing can be saved at 'a.txt/x.jpg': a part of it that should be a folder is a file. "
        "Choose another file or folder inside the folders of GEMINI_MCP_ALLOWED_DIRS "
        "(--allowed-dirs), or leave `save_to` out."
    ),
}


@pytest.fixture
def laid(dirs: SandboxDirs) -> SandboxDirs:
    inside = dirs.inside
    dirs.link("door", dirs.outside)
    dirs.link("loop", "loop")
    (inside / "data").mkdir()
    if hasattr(os, "mkfifo"):
        os.mkfifo(inside / "pipe")
    (inside / ".env").write_text("TOKEN=1")
    (inside / "key.txt").write_text("-----BEGIN RSA PRIVATE " + "KEY-----\n" + "M" * 64 + "\n")
    (inside / "empty.txt").touch()
    (inside / "film.mkv").write_bytes(KINDS["a Matroska video"][0])
    (inside / "data.zip").write_bytes(KINDS["an archive"][0])
    (inside / "core").write_bytes(KINDS["noise"][0])
    return dirs


@pytest.fixture
def folders(laid: SandboxDirs) -> Folders:
    return Folders([laid.inside], working=laid.inside, private=[laid.inside / "data"])


def attach_all(folders: Folders, given: str) -> None:
    """All that happens to one of somebody's `files`."""
    if address_of(given) is None:
        for path in gather(folders, given).paths if "*" in given else [given]:
            with folders.open_inside(str(path)) as opened:
                inline(attach(opened), opened)


@pytest.mark.parametrize("given", READING, ids=ascii)
def test_whoever_asks_for_this_is_told(given: str, folders: Folders, laid: SandboxDirs) -> None:
    with pytest.raises(Refused) as refusal:
        attach_all(folders, given)

    assert str(refusal.value) == READING[given].replace("{inside}", str(laid.inside))


@pytest.mark.parametrize("target", WRITING, ids=ascii)
def test_whoever_saves_there_is_told(target: str, folders: Folders, laid: SandboxDirs) -> None:
    with pytest.raises(Refused) as refusal:
        folders.create_inside(target, "x")

    assert str(refusal.value) == WRITING[target].replace("{inside}", str(laid.inside))


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="cannot be counted here")
def test_no_refusal_leaves_a_file_or_folder_open(folders: Folders, confinement: str) -> None:
    def count() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    before = count()
    for given in READING:
        with contextlib.suppress(Refused):
            attach_all(folders, given)
    for target in (*WRITING, "data/x.jpg", "sub", "new/folder/x.jpg", "pipe", "loop"):
        with contextlib.suppress(Refused), folders.create_inside(target, "x"):
            pass
    with contextlib.suppress(Refused):
        gather(folders, ".")

    assert count() == before


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (
            lambda home: Folders(None, working=Path("/"), home=home),
            "this server was started at the top of the disk, which is not opened as a whole",
        ),
        (
            lambda home: Folders(None, working=home, home=home),
            "this server was started in the home folder, which is not opened as a whole",
        ),
        (
            lambda home: Folders(None, working=home / "gone", home=home),
            "the folder this server was started in is gone",
        ),
        (lambda home: Folders([], home=home), "no folder was opened on this server"),
        (lambda home: Folders([Path("/")], home=home), "the folders set are the whole disk"),
    ],
)
def test_where_nothing_is_open_one_is_told_what_to_set(
    make: Callable[[Path], Folders], why: str, tmp_path: Path
) -> None:
    for use in (make(tmp_path).open_inside, lambda path: make(tmp_path).create_inside(path, "x")):
        with pytest.raises(Refused) as refusal:
            use("notes.txt")
        assert str(refusal.value) == NOTHING.format(why)


def test_many_folders_are_not_all_listed(tmp_path: Path) -> None:
    where = Path(os.path.realpath(tmp_path))
    folders = Folders([where / name for name in "abcde"])

    with pytest.raises(Refused) as refusal:
        folders.open_inside("/x")
    assert f"({where}/a, {where}/b, {where}/c and 2 more)" in str(refusal.value)


def test_a_place_in_a_folder_that_is_gone_is_refused_before_and_while_it_is_written_to(
    tmp_path: Path,
) -> None:
    folders = Folders([tmp_path / "gone"])

    for use in (folders.check_new, lambda path: folders.create_inside(path, "x")):
        for target in ("x.jpg", "sub/x.jpg"):
            with pytest.raises(CannotSave, match="its folder has just been removed"):
                use(target)


def test_what_cannot_be_written_is_told_without_the_systems_words() -> None:
    assert str(CannotSave.because("x.jpg", OSError(30, "/real/path"))) == (
        "Nothing can be saved at 'x.jpg': the file system is read-only. Choose another file or "
        f"folder inside the folders of {DIRS}, or leave `save_to` out."
    )
    assert str(CannotKeep(OSError(28, "/real/path"))) == (
        "The image cannot be kept in this server's own folder: the disk is full. Have that mended, "
        "or GEMINI_MCP_IMAGES_DIR (--images-dir) set to a folder that can be written to and the "
        "server restarted."
    )


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("a\nb\x1b[31m\u202ec", "'a?b?[31m?c'"),
        ("\ud800", "'?'"),
        ("x" * 81, "'…" + "x" * 79 + "'"),
    ],
)
def test_what_was_given_is_repeated_in_one_short_printable_line(given: str, told: str) -> None:
    assert shown(given) == told
