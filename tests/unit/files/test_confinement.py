"""A file is read only if it is inside the allowed folders, whatever its path says."""

from __future__ import annotations

import os
import socket
import tempfile
import unicodedata
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from gemini_interactions.domain.errors import Refused
from gemini_interactions.domain.file_errors import NoSuchFile, NotAllowed, NotTaken, Protected
from gemini_interactions.files.glob_expansion import gather
from gemini_interactions.files.path_sandbox.allowed_dirs import Folders, _same_file_above
from tests.unit.files.conftest import CANARY, Ground


def read(folders: Folders, path: str) -> str:
    with folders.open_inside(path) as opened:
        return opened.file.read().decode()


@pytest.mark.usefixtures("way")
class TestOpening:
    def test_a_relative_path_starts_at_the_working_folder(self, folders: Folders) -> None:
        assert read(folders, "sub/b.txt") == "inside sub/b.txt"

    def test_absolute_paths_file_urls_and_detours_lead_to_the_same_file(
        self, folders: Folders, inside: Path
    ) -> None:
        spellings = [
            str(inside / "sub" / "é.txt"),
            (inside / "sub" / "é.txt").as_uri(),
            "file://localhost" + (inside / "sub" / "é.txt").as_uri()[7:],
            "./sub//../sub/./é.txt",
        ]

        assert {read(folders, each) for each in spellings} == {"inside sub/é.txt"}

    def test_the_facts_are_those_of_the_opened_file(self, folders: Folders, inside: Path) -> None:
        (inside / "link.txt").symlink_to("sub/b.txt")
        facts = (inside / "sub/b.txt").stat()

        with folders.open_inside("link.txt") as opened:
            assert (opened.path, opened.name) == (inside / "sub" / "b.txt", "sub/b.txt")
            assert (opened.size, opened.inode) == (facts.st_size, (facts.st_dev, facts.st_ino))

    def test_a_file_that_grows_while_it_is_open_says_so(
        self, folders: Folders, inside: Path
    ) -> None:
        with folders.open_inside("a.txt") as opened:
            assert opened.is_unchanged
            (inside / "a.txt").write_text("something else")
            assert not opened.is_unchanged

    def test_links_that_stay_inside_are_followed(self, ground: Ground) -> None:
        ground.link("file", "sub/b.txt")
        ground.link("folder", ground.inside / "sub")
        ground.link("sub/up", "..")

        found = {read(ground.folders(), each) for each in ("file", "folder/b.txt", "sub/up/file")}
        assert found == {"inside sub/b.txt"}

    @pytest.mark.parametrize(
        "target", ["../outside/a.txt", "{outside}/a.txt", "sub/../../outside/a.txt", "chain"]
    )
    def test_links_that_leave_are_not(self, ground: Ground, target: str) -> None:
        ground.link("chain", "../outside/a.txt")
        ground.link("door", target.format(outside=ground.outside))

        with pytest.raises(NotAllowed, match="through a link"):
            ground.folders().open_inside("door")

    def test_a_link_that_leaves_looks_the_same_whether_its_target_exists_or_not(
        self, ground: Ground
    ) -> None:
        said = set()
        for target in ("../outside/a.txt", "../outside/nothing", "/nonexistent/x"):
            ground.link("door", target)
            with pytest.raises(NotAllowed) as refusal:
                ground.folders().open_inside("door")
            said.add(str(refusal.value))
            (ground.inside / "door").unlink()

        assert len(said) == 1

    @pytest.mark.parametrize(
        "path",
        [
            "../outside/a.txt",
            "sub/../../outside/a.txt",
            "{outside}/a.txt",
            "/etc/passwd",
            "..",
            "/",
        ],
    )
    def test_what_is_outside_is_refused_without_a_look(self, ground: Ground, path: str) -> None:
        with pytest.raises(NotAllowed, match="outside the allowed folders"):
            ground.folders().open_inside(path.format(outside=ground.outside))

    def test_a_folder_beside_with_the_same_beginning_is_outside(self, ground: Ground) -> None:
        twin = ground.inside.with_name("inside-too")
        twin.mkdir()
        (twin / "x.txt").write_text(CANARY)

        with pytest.raises(NotAllowed):
            ground.folders().open_inside(str(twin / "x.txt"))

    def test_a_loop_of_links_is_refused(self, ground: Ground) -> None:
        ground.link("one", "two")
        ground.link("two", "one")

        with pytest.raises(NotAllowed):
            ground.folders().open_inside("one")
        with pytest.raises(NotAllowed):
            ground.folders().open_inside("one/x.txt")

    def test_a_folder_is_no_file(self, folders: Folders) -> None:
        for path in ("sub", "sub/", ".", "sub/.."):
            with pytest.raises(NotTaken, match="is a folder"):
                folders.open_inside(path)

    def test_a_file_is_no_folder(self, folders: Folders) -> None:
        with pytest.raises(NoSuchFile):
            folders.open_inside("a.txt/b.txt")

    @pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
    def test_a_pipe_is_refused_and_nobody_waits(self, folders: Folders, inside: Path) -> None:
        os.mkfifo(inside / "pipe")

        with pytest.raises(NotTaken, match="is a pipe"):
            folders.open_inside("pipe")

    def test_a_socket_is_refused(
        self, folders: Folders, inside: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(inside)  # a socket's path must be short
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind("socket")

            with pytest.raises(NotTaken, match="is a socket"):
                folders.open_inside("socket")

    @pytest.mark.skipif(not Path("/dev/zero").exists(), reason="no devices here")
    def test_a_link_to_a_device_is_refused(self, ground: Ground) -> None:
        ground.link("zero", "/dev/zero")

        with pytest.raises(NotAllowed):
            ground.folders().open_inside("zero")

    def test_a_hard_link_is_the_file_itself(self, ground: Ground) -> None:
        os.link(ground.inside / "a.txt", ground.inside / "again.txt")

        assert read(ground.folders(), "again.txt") == "inside a.txt"

    def test_credentials_are_refused_through_a_link_with_a_harmless_name(
        self, ground: Ground
    ) -> None:
        (ground.inside / ".env").write_text("TOKEN=1")
        ground.link("notes.txt", ".env")

        with pytest.raises(Protected):
            ground.folders().open_inside("notes.txt")

    def test_credentials_are_known_by_the_name_they_are_stored_under(
        self, folders: Folders, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # A short name of Windows (ENV~1), or another spelling where case is ignored.
        monkeypatch.setattr(
            "gemini_interactions.files.path_sandbox.allowed_dirs.true_path", lambda _: "/code/.env"
        )

        with pytest.raises(Protected):
            folders.open_inside("a.txt")

    def test_a_link_beside_which_another_folder_is_allowed_may_lead_there(
        self, ground: Ground
    ) -> None:
        ground.link("door", "../outside/a.txt")
        both = Folders([ground.inside, ground.outside], working=ground.inside)

        with both.open_inside("door") as opened:
            assert opened.path == ground.outside / "a.txt"


def test_a_relative_path_is_looked_for_in_each_allowed_folder(ground: Ground) -> None:
    (ground.outside / "only-here.txt").write_text("here")
    both = Folders([ground.inside, ground.outside], working=Path("/"))

    assert read(both, "only-here.txt") == "here"
    assert read(both, "a.txt") == "inside a.txt"


def test_an_allowed_folder_may_itself_be_a_link(ground: Ground) -> None:
    ground.inside.with_name("alias").symlink_to(ground.inside)
    folders = Folders([ground.inside.with_name("alias")])

    assert read(folders, str(ground.inside.with_name("alias") / "a.txt")) == "inside a.txt"
    assert read(folders, str(ground.inside / "a.txt")) == "inside a.txt"


def test_a_folder_spelled_differently_is_known_by_being_the_same(ground: Ground) -> None:
    # As on systems that ignore case, or through a mount; a link has the same effect here.
    ground.inside.with_name("INSIDE").symlink_to(ground.inside)

    spelled = str(ground.inside.with_name("INSIDE") / "sub" / "new.txt")
    assert _same_file_above(spelled, str(ground.inside)) == ("sub", "new.txt")
    assert _same_file_above(str(ground.outside / "a.txt"), str(ground.inside)) is None


def test_the_data_folder_is_named_as_such_even_where_it_is_not_inside(ground: Ground) -> None:
    folders = Folders([ground.inside], private=[ground.outside])

    with pytest.raises(Protected, match="Name a generated image by its id"):
        folders.open_inside(str(ground.outside / "a.txt"))


def test_our_own_data_folder_is_never_read(ground: Ground) -> None:
    (ground.inside / "data").mkdir()
    (ground.inside / "data" / "report.md").write_text("mine")
    folders = Folders([ground.inside], private=[ground.inside / "data"])

    for path in ("data/report.md", "sub/../data/report.md", "data"):
        with pytest.raises(Protected, match="own data folder"):
            folders.open_inside(path)


def test_our_own_data_folder_is_known_however_it_is_spelled(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    (ground.inside / "data").mkdir()
    (ground.inside / "data" / "key").write_text("secret")
    folders = Folders([ground.inside], private=[ground.inside / "data"])
    # As if the system ignored case: what resolves a path leaves the case as it is.
    (ground.inside / "DATA").symlink_to("data")
    monkeypatch.setattr(os.path, "realpath", os.path.abspath)

    with pytest.raises(Protected, match="own data folder"):
        folders.open_inside("DATA/key")


# Whatever paths and links somebody thinks of.

NAMES = ["a.txt", "b.txt", "sub", "deep", "é.txt", "x", "y", "z", "inside", "outside"]
ODD = [
    *("..", ".", "", "~", "A.TXT", "SUB", "Sub ", "a.txt.", "a.txt ", "...", "a.txt:stream"),
    *("..\\outside\\a.txt", "%2e%2e", "con", "nul.txt", "..;", ".. ", "sub\x00", "*", "[x]", "?"),
    *(unicodedata.normalize("NFD", "é.txt"), "\udcff", "\ud800", "\u202etxt.a", "n" * 300),
]
part = st.sampled_from(NAMES) | st.sampled_from(ODD)
beginning = st.sampled_from(
    [
        *("", "", "", "/", "//", "./", "../", "~/", "\\\\host\\x\\"),
        *("{inside}/", "{outside}/", "{inside}/../outside/", "{inside}x/"),
        *("file://{inside}/", "file:///", "file://{outside}/", "FILE://localhost{outside}/"),
        *("/proc/self/cwd/", "/proc/self/root{outside}/", "/dev/fd/"),
    ]
)
path = st.builds(
    lambda first, parts: first + "/".join(parts), beginning, st.lists(part, max_size=6)
)
target = st.sampled_from(
    [
        *("../outside", "../outside/a.txt", "../../outside", "../../outside/a.txt", "{outside}"),
        *("{outside}/a.txt", "{inside}/../outside/a.txt", "sub/../../outside/a.txt", "/"),
        *("/proc/self/root", "/proc/self/cwd", "..", ".", "x", "y", "z", "x/y", "../x"),
        *("sub", "{inside}/sub", "a.txt"),
    ]
)
place = st.sampled_from(["x", "y", "z", "sub/x", "sub/y", "sub/deep/x", "sub/deep/z"])
links = st.dictionaries(place, target, max_size=6)


def farm(ground: Ground, wanted: dict[str, str]) -> None:
    for name, leads_to in wanted.items():
        ground.link(name, filled(ground, leads_to))


def filled(ground: Ground, text: str) -> str:
    return text.replace("{inside}", str(ground.inside)).replace("{outside}", str(ground.outside))


def bytes_below(folder: Path) -> dict[str, bytes | None]:
    """Every file below with its bytes, every folder and link with none."""
    return {
        str(each.relative_to(folder)): each.read_bytes()
        if each.is_file() and not each.is_symlink()
        else None
        for each in sorted(folder.rglob("*"))
    }


usual = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@usual
@given(path, links)
@example("x/a.txt", {"x": "../outside"})
@example("sub/x/y/a.txt", {"sub/x": "..", "y": "{outside}"})
@example("{inside}/../outside/a.txt", {})
def test_no_path_through_any_link_farm_reads_a_byte_outside(
    way: str, path: str, links: dict[str, str]
) -> None:
    with tempfile.TemporaryDirectory() as where:
        ground = Ground.laid(Path(where))
        farm(ground, links)
        ours = {
            (each.stat().st_dev, each.stat().st_ino)
            for each in ground.inside.rglob("*")
            if each.is_file() and not each.is_symlink()
        }
        wanted = filled(ground, path)
        try:
            with ground.folders().open_inside(wanted) as opened:
                facts = os.fstat(opened.file.fileno())
                assert (facts.st_dev, facts.st_ino) in ours
                assert CANARY.encode() not in opened.file.read()
        except Refused as refusal:
            said = str(refusal)
            assert CANARY not in said
            assert "outside" in path or str(ground.outside) not in said


@usual
@given(path, links)
@example("x/", {"x": "../outside"})
@example("x/new.jpg", {"x": "../outside"})
@example("x", {"x": "../outside/new.jpg"})
@example("a.txt", {})
def test_no_path_through_any_link_farm_writes_a_byte_outside_or_over_anything(
    way: str, path: str, links: dict[str, str]
) -> None:
    with tempfile.TemporaryDirectory() as where:
        ground = Ground.laid(Path(where))
        farm(ground, links)
        outside, before = bytes_below(ground.outside), bytes_below(ground.inside)
        try:
            with ground.folders().create_inside(filled(ground, path), "picture-i_1") as new:
                new.file.write(b"fresh")
                kept = new.keep(".jpg")
        except Refused:
            pass
        else:
            assert Path(os.path.realpath(kept)).is_relative_to(ground.inside)
            assert kept.read_bytes() == b"fresh"

        after = bytes_below(ground.inside)
        assert bytes_below(ground.outside) == outside
        assert sorted(each.name for each in Path(where).iterdir()) == ["inside", "outside"]
        assert {name: after.get(name, "gone") for name in before} == before
        assert not [name for name in after if name.endswith(".part")]


@usual
@given(path, st.sampled_from(["", "/*", "/**", "/**/*", "/*.txt", "/*/{a,b}.txt"]), links)
@example("", "**/*", {"x": "../outside", "sub/x": "{outside}/a.txt"})
def test_no_pattern_gathers_a_file_outside(
    way: str, path: str, pattern: str, links: dict[str, str]
) -> None:
    with tempfile.TemporaryDirectory() as where:
        ground = Ground.laid(Path(where))
        farm(ground, links)
        folders = ground.folders()
        try:
            gathered = gather(folders, filled(ground, path) + pattern)
            for each in gathered.paths:
                with folders.open_inside(str(each)) as opened:
                    assert CANARY.encode() not in opened.file.read()
        except Refused as refusal:
            said = str(refusal)
        else:
            said = gathered.listing()
        assert CANARY not in said
