"""Somebody swaps files and folders for links while we open them: never a byte from outside."""

from __future__ import annotations

import contextlib
import itertools
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gemini_interactions.domain.errors import Refused
from gemini_interactions.domain.file_errors import NotAllowed, NotTaken
from gemini_interactions.files.glob_expansion import gather
from gemini_interactions.files.path_sandbox.allowed_dirs import TRIES
from tests.unit.files.conftest import CANARY, SandboxDirs

ROUNDS = 400

pytestmark = [
    pytest.mark.usefixtures("confinement"),
    pytest.mark.skipif(os.name == "nt", reason="links need rights there"),
]


@contextmanager
def swapping(swap: Callable[[], None]) -> Iterator[None]:
    """While this lasts, somebody else swaps as fast as they can."""
    over = threading.Event()

    def go_on() -> None:
        while not over.is_set():
            swap()

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)  # so that they come in between as often as can be
    somebody = threading.Thread(target=go_on)
    somebody.start()
    try:
        yield
    finally:
        over.set()
        somebody.join()
        sys.setswitchinterval(interval)


def swap_folder(dirs: SandboxDirs, name: str) -> Callable[[], None]:
    """`name` is now our own folder, now a link to the one outside."""
    ours, spare = dirs.inside / name, dirs.inside / f"{name}-spare"
    made = (dirs.inside / f"{name}-made-{n}" for n in itertools.count())

    def put(there: Callable[[], object]) -> None:
        try:
            there()
        except OSError:  # a missing folder was made for a new file: out of the way with it
            ours.rename(next(made))
            put(there)

    def swap() -> None:
        ours.rename(spare)
        put(lambda: ours.symlink_to(dirs.outside))
        ours.unlink()
        put(lambda: spare.rename(ours))

    ours.mkdir()
    (ours / "a.txt").write_text("inside")
    (ours / "sub").mkdir()
    (ours / "sub" / "b.txt").write_text("inside")
    return swap


def swap_file(dirs: SandboxDirs, name: str) -> Callable[[], None]:
    """`name` is now our own file, now a link to one outside."""
    ours, link = dirs.inside / name, dirs.inside / "link-to-be"

    def swap() -> None:
        link.symlink_to(dirs.outside / "a.txt")
        link.replace(ours)
        link.write_text("inside")
        link.replace(ours)

    ours.write_text("inside")
    return swap


@pytest.mark.parametrize("path", ["door/a.txt", "door/sub/b.txt", "sub/../door/a.txt"])
def test_a_folder_swapped_for_a_link_never_lets_a_byte_in(dirs: SandboxDirs, path: str) -> None:
    swap, folders, seen = swap_folder(dirs, "door"), dirs.folders(), set()

    with swapping(swap):
        for _ in range(ROUNDS):
            with contextlib.suppress(Refused), folders.open_inside(path) as opened:
                seen.add(opened.file.read())

    assert seen <= {b"inside"}


def test_a_file_swapped_for_a_link_never_lets_a_byte_in(dirs: SandboxDirs) -> None:
    swap, folders, seen = swap_file(dirs, "door.txt"), dirs.folders(), set()

    with swapping(swap):
        for _ in range(ROUNDS):
            with contextlib.suppress(Refused), folders.open_inside("door.txt") as opened:
                seen.add(opened.file.read())

    assert seen <= {b"inside", b""}


def test_a_folder_swapped_for_a_link_gathers_nothing_from_outside(
    dirs: SandboxDirs, confinement: str
) -> None:
    swap, folders, seen = swap_folder(dirs, "door"), dirs.folders(), set()

    with swapping(swap):
        for _ in range(ROUNDS // 8):
            with contextlib.suppress(Refused):
                gathered = gather(folders, "door")
                if confinement == "held":  # without handles, names may be seen; never bytes
                    assert CANARY not in gathered.listing()
                for path in gathered.paths:
                    with contextlib.suppress(Refused), folders.open_inside(str(path)) as opened:
                        seen.add(opened.file.read())

    assert seen <= {b"inside"}


def test_a_folder_swapped_for_a_link_never_lets_a_byte_out(dirs: SandboxDirs) -> None:
    swap, folders = swap_folder(dirs, "door"), dirs.folders()
    before = sorted(dirs.outside.rglob("*"))

    with swapping(swap):
        for _ in range(ROUNDS):
            with (
                contextlib.suppress(Refused),
                folders.create_inside("door/picture.jpg", "picture") as new,
            ):
                new.file.write(b"bytes")
                new.keep(".jpg")

    assert sorted(dirs.outside.rglob("*")) == before
    assert all(each.read_text() == CANARY for each in before if each.is_file())


def test_a_folder_swapped_at_the_very_moment_of_opening_is_caught_each_time(
    dirs: SandboxDirs, monkeypatch: pytest.MonkeyPatch
) -> None:
    swap_folder(dirs, "door")
    ours, folders = dirs.inside / "door", dirs.folders()
    before = sorted(dirs.outside.rglob("*"))
    really_open, swaps = os.open, 0

    def open_late(path: str, *how: int, dir_fd: int | None = None) -> int:
        nonlocal swaps
        if "door" not in Path(path).parts:
            return really_open(path, *how, dir_fd=dir_fd)
        swaps += 1
        ours.rename(dirs.inside / "spare")
        ours.symlink_to(dirs.outside)
        try:
            return really_open(path, *how, dir_fd=dir_fd)
        finally:
            ours.unlink()
            (dirs.inside / "spare").rename(ours)

    monkeypatch.setattr(os, "open", open_late)

    with pytest.raises(NotAllowed, match="link"):
        folders.open_inside("door/a.txt")
    with pytest.raises(NotAllowed, match="link"):
        folders.create_inside("door/new.jpg", "picture")
    assert swaps == 2 * TRIES
    assert sorted(dirs.outside.rglob("*")) == before


def test_a_folder_held_open_stays_the_one_it_was(dirs: SandboxDirs, confinement: str) -> None:
    if confinement != "held":
        pytest.skip("Windows keeps a folder in place while a file in it is open")
    folders = dirs.folders()
    with folders.create_inside("sub/picture.jpg", "picture") as new:
        (dirs.inside / "sub").rename(dirs.inside / "moved")
        (dirs.inside / "sub").symlink_to(dirs.outside)
        new.file.write(b"bytes")
        new.keep(".jpg")

    assert (dirs.inside / "moved" / "picture.jpg").read_bytes() == b"bytes"
    assert not (dirs.outside / "picture.jpg").exists()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
def test_a_pipe_swapped_in_at_the_very_moment_is_not_taken_for_a_file(
    dirs: SandboxDirs, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, really_open, flags = dirs.inside / "door.txt", os.open, []

    def open_late(path: str, how: int, *more: int, dir_fd: int | None = None) -> int:
        if Path(path).name == "door.txt":
            flags.append(how)
            ours.unlink()
            os.mkfifo(ours)
            how |= os.O_NONBLOCK  # or this test would wait for ever, if we did
        return really_open(path, how, *more, dir_fd=dir_fd)

    ours.write_text("inside")
    monkeypatch.setattr(os, "open", open_late)

    with pytest.raises(NotTaken, match="is a pipe"):
        dirs.folders().open_inside("door.txt")
    assert [bool(how & os.O_NONBLOCK) for how in flags] == [True]


def test_a_draft_swapped_for_a_link_makes_no_second_name_for_what_is_outside(
    dirs: SandboxDirs,
) -> None:
    folders = dirs.folders()
    with folders.create_inside("picture.jpg", "picture") as new:
        (draft,) = dirs.inside.glob(".gemini-*.part")
        draft.unlink()
        draft.symlink_to(dirs.outside / "a.txt")
        kept = new.keep(".jpg")

    assert (dirs.outside / "a.txt").stat().st_nlink == 1
    with pytest.raises(NotAllowed):
        folders.open_inside(str(kept))


def test_a_pipe_swapped_in_for_a_file_never_makes_us_wait(dirs: SandboxDirs) -> None:
    pipe, ours = dirs.inside / "pipe", dirs.inside / "door.txt"

    def swap() -> None:
        with contextlib.suppress(FileNotFoundError):
            os.mkfifo(pipe)
            pipe.replace(ours)
            pipe.write_text("inside")
            pipe.replace(ours)

    ours.write_text("inside")
    folders, seen = dirs.folders(), set()
    with swapping(swap):
        for _ in range(ROUNDS):
            with contextlib.suppress(Refused), folders.open_inside("door.txt") as opened:
                seen.add(opened.file.read())

    assert seen <= {b"inside", b""}


def test_the_path_kept_in_the_answer_is_a_real_one(dirs: SandboxDirs) -> None:
    dirs.link("door", "sub")

    with dirs.folders().create_inside("door/picture.jpg", "picture") as new:
        assert new.keep(".jpg") == Path(dirs.inside, "sub", "picture.jpg")
