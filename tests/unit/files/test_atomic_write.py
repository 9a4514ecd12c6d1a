"""`save_to`: a new file inside the allowed folders, under the name asked for or a free one."""

from __future__ import annotations

import errno
import os
import stat
import threading
from pathlib import Path

import pytest

from gemini_interactions.domain.file_errors import CannotSave, NotAllowed, Protected
from gemini_interactions.files.output.atomic_write import (
    MOST_OF_ONE_NAME,
    draft_name,
    hold,
    remove_drafts,
)
from gemini_interactions.files.path_sandbox import dir_fd
from gemini_interactions.files.path_sandbox.allowed_dirs import Folders
from tests.unit.files.conftest import SandboxDirs

pytestmark = pytest.mark.usefixtures("confinement")


def saved_path(folders: Folders, target: str, extension: str = ".jpg", data: bytes = b"x") -> str:
    """Where a file asked for at `target` ends up, from the allowed folder."""
    with folders.create_inside(target, "a-red-cat-i_1") as new:
        new.file.write(data)
        kept = new.keep(extension)
    assert kept.read_bytes() == data
    return kept.relative_to(folders.allowed[0]).as_posix()


@pytest.mark.parametrize(
    ("target", "extension", "file"),
    [
        ("cat.jpg", ".jpg", "cat.jpg"),
        ("cat.jpeg", ".jpg", "cat.jpeg"),
        ("cat.JPG", ".jpg", "cat.JPG"),
        ("cat.png", ".jpg", "cat.jpg"),
        ("cat", ".png", "cat.png"),
        ("cat.v2", ".png", "cat.v2.png"),
        ("sub", ".jpg", "sub/a-red-cat-i_1.jpg"),
        ("sub/", ".jpg", "sub/a-red-cat-i_1.jpg"),
        ("sub/deep/..", ".jpg", "sub/a-red-cat-i_1.jpg"),
        (".", ".jpg", "a-red-cat-i_1.jpg"),
        ("new/folders/", ".jpg", "new/folders/a-red-cat-i_1.jpg"),
        ("new/folders/cat.jpg", ".jpg", "new/folders/cat.jpg"),
        ("Кот и 猫.png", ".png", "Кот и 猫.png"),
    ],
)
def test_a_target_is_a_file_or_a_folder(
    folders: Folders, target: str, extension: str, file: str
) -> None:
    assert saved_path(folders, target, extension) == file


def test_a_name_that_is_taken_gets_a_number(folders: Folders, inside: Path) -> None:
    (inside / "cat.jpg").write_bytes(b"mine")

    assert saved_path(folders, "cat.jpg") == "cat-2.jpg"
    assert saved_path(folders, "cat.png") == "cat-3.jpg"
    assert (inside / "cat.jpg").read_bytes() == b"mine"


def test_a_link_with_the_name_is_neither_followed_nor_replaced(dirs: SandboxDirs) -> None:
    dirs.link("inward.jpg", "sub/later.jpg")

    assert saved_path(dirs.folders(), "inward.jpg") == "inward-2.jpg"
    assert not (dirs.inside / "sub" / "later.jpg").exists()


def test_a_link_out_of_the_folders_is_refused(dirs: SandboxDirs) -> None:
    dirs.link("door", dirs.outside)
    dirs.link("cat.jpg", dirs.outside / "cat.jpg")

    for target in ("door", "door/", "door/cat.jpg", "door/new/cat.jpg", "cat.jpg"):
        with pytest.raises(NotAllowed):
            dirs.folders().create_inside(target, "x")
    assert not (dirs.outside / "cat.jpg").exists()


def test_many_at_once_each_get_a_name(folders: Folders, inside: Path) -> None:
    def make(number: int) -> None:
        saved_path(folders, "cat.jpg", data=str(number).encode())

    threads = [threading.Thread(target=make, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    found = sorted(int(each.read_bytes()) for each in inside.glob("cat*.jpg"))
    assert found == list(range(12))


def test_what_is_given_up_leaves_nothing_behind(folders: Folders, inside: Path) -> None:
    before = sorted(inside.rglob("*"))

    with folders.create_inside("cat.jpg", "x") as new:
        new.file.write(b"half")

    assert sorted(inside.rglob("*")) == before


def test_nobody_sees_half_a_file_under_the_name(folders: Folders, inside: Path) -> None:
    with folders.create_inside("cat.jpg", "x") as new:
        new.file.write(b"half")
        assert not (inside / "cat.jpg").exists()
        new.keep(".jpg")

    assert (inside / "cat.jpg").read_bytes() == b"half"


def test_a_link_with_the_name_of_a_credential_is_refused_too(dirs: SandboxDirs) -> None:
    dirs.link(".env", "sub/later.txt")

    with pytest.raises(Protected):
        dirs.folders().create_inside(".env", "x")


@pytest.mark.parametrize("target", [".ssh/cat.jpg", ".env", ".git/cat.jpg", "sub/.aws/", "a.pem"])
def test_places_of_credentials_are_refused(folders: Folders, target: str) -> None:
    with pytest.raises(Protected):
        folders.create_inside(target, "x")


def test_our_own_data_folder_is_refused(inside: Path) -> None:
    (inside / "data").mkdir()
    folders = Folders([inside], private=[inside / "data"])

    with pytest.raises(Protected):
        folders.create_inside("data/cat.jpg", "x")


def test_a_file_in_place_of_a_folder_is_said_to_be_one(folders: Folders) -> None:
    with pytest.raises(CannotSave, match="should be a folder is a file"):
        folders.create_inside("a.txt/cat.jpg", "x")


@pytest.mark.parametrize(
    ("number", "why"),
    [
        (errno.EROFS, "the file system is read-only"),
        (errno.EACCES, "this user may not write there"),
        (errno.ENOSPC, "the disk is full"),
        (errno.EIO, "the system refuses it"),
    ],
)
def test_what_the_system_refuses_is_said_in_its_own_words(
    folders: Folders, number: int, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> int:
        raise OSError(number, "no")

    for kind in (dir_fd.OpenDirectory, dir_fd.CheckedFolder):
        monkeypatch.setattr(kind, "new_file", refuse)

    with pytest.raises(CannotSave, match=why):
        folders.create_inside("cat.jpg", "x")


def test_a_disk_that_fills_up_in_the_end_leaves_nothing(
    folders: Folders, inside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "no")

    for kind in (dir_fd.OpenDirectory, dir_fd.CheckedFolder):
        monkeypatch.setattr(kind, "settle", full)
    before = sorted(inside.iterdir())

    with (
        folders.create_inside("cat.jpg", "x") as new,
        pytest.raises(CannotSave, match="the disk is full"),
    ):
        new.keep(".jpg")

    assert sorted(inside.iterdir()) == before


def test_a_thousand_files_of_one_name_are_enough(
    folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[str] = []

    def refuse_name(self: object, draft: str, name: str) -> None:
        tried.append(name)
        raise FileExistsError

    for kind in (dir_fd.OpenDirectory, dir_fd.CheckedFolder):
        monkeypatch.setattr(kind, "settle", refuse_name)

    with folders.create_inside("cat.jpg", "x") as new, pytest.raises(CannotSave, match="too many"):
        new.keep(".jpg")
    assert len(set(tried)) == MOST_OF_ONE_NAME - 1


@pytest.mark.skipif(os.name == "nt", reason="no permissions of that kind")
def test_a_saved_file_is_as_readable_as_the_others_of_its_owner(
    folders: Folders, inside: Path
) -> None:
    mask = os.umask(0o027)
    try:
        saved_path(folders, "cat.jpg")
    finally:
        os.umask(mask)

    assert stat.S_IMODE((inside / "cat.jpg").stat().st_mode) == 0o640


def test_without_hard_links_nothing_is_replaced_either(
    folders: Folders, inside: Path, confinement: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if confinement != "held":
        pytest.skip("Windows renames")

    def no_links(*_: object, **__: object) -> None:
        raise PermissionError(errno.EPERM, "not on this file system")

    monkeypatch.setattr(os, "link", no_links)
    (inside / "cat.jpg").write_bytes(b"mine")

    assert saved_path(folders, "cat.jpg", data=b"x" * 300_000) == "cat-2.jpg"
    assert (inside / "cat.jpg").read_bytes() == b"mine"
    assert not list(inside.glob(".*"))


@pytest.mark.skipif(os.name == "nt", reason="Windows removes no file that is open")
def test_drafts_of_processes_that_are_gone_are_removed_and_others_stay(tmp_path: Path) -> None:
    gone, written = tmp_path / draft_name(), tmp_path / draft_name()
    gone.write_bytes(b"half")
    (tmp_path / "report.part").write_bytes(b"half")
    (tmp_path / "picture.jpg").write_bytes(b"whole")

    with open(written, "wb") as file:
        hold(file.fileno())
        remove_drafts(tmp_path)

    assert sorted(each.name for each in tmp_path.iterdir()) == sorted([written.name, "picture.jpg"])
