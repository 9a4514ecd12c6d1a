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
from tests.unit.files.conftest import CANARY, SandboxDirs


def read(folders: Folders, path: str) -> str:
    with folders.open_inside(path) as opened:
        return opened.file.read().decode()


@pytest.mark.usefixtures("confinement")
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

    def test_links_that_stay_inside_are_followed(self, dirs: SandboxDirs) -> None:
        dirs.link("file", "sub/b.txt")
        dirs.link("folder", dirs.inside / "sub")
        dirs.link("sub/up", "..")

        found = {read(dirs.folders(), each) for each in ("file", "folder/b.txt", "sub/up/file")}
        assert found == {"inside sub/b.txt"}

    @pytest.mark.parametrize(
        "target", ["../outside/a.txt", "{outside}/a.txt", "sub/../../outside/a.txt", "chain"]
    )
    def test_links_that_leave_are_not(self, dirs: SandboxDirs, target: str) -> None:
        dirs.link("chain", "../outside/a.txt")
        dirs.link("door", target.format(outside=dirs.outside))

        with pytest.raises(NotAllowed, match="through a link"):
            dirs.folders().open_inside("door")

    def test_a_link_that_leaves_looks_the_same_whether_its_target_exists_or_not(
        self, dirs: SandboxDirs
    ) -> None:
        said = set()
        for target in ("../outside/a.txt", "../outside/nothing", "/nonexistent/x"):
            dirs.link("door", target)
            with pytest.raises(NotAllowed) as refusal:
                dirs.folders().open_inside("door")
            said.add(str(refusal.value))
            (dirs.inside / "door").unlink()

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
    def test_what_is_outside_is_refused_without_a_look(self, dirs: SandboxDirs, path: str) -> None:
        with pytest.raises(NotAllowed, match="outside the allowed folders"):
            dirs.folders().open_inside(path.format(outside=dirs.outside))

    def test_a_folder_beside_with_the_same_beginning_is_outside(self, dirs: SandboxDirs) -> None:
        twin = dirs.inside.with_name("inside-too")
        twin.mkdir()
        (twin / "x.txt").write_text(CANARY)

        with pytest.raises(NotAllowed):
            dirs.folders().open_inside(str(twin / "x.txt"))

    def test_a_loop_of_links_is_refused(self, dirs: SandboxDirs) -> None:
        dirs.link("one", "two")
        dirs.link("two", "one")

        with pytest.raises(NotAllowed):
            dirs.folders().open_inside("one")
        with pytest.raises(NotAllowed):
            dirs.folders().open_inside("one/x.txt")

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
    def test_a_link_to_a_device_is_refused(self, dirs: SandboxDirs) -> None:
        dirs.link("zero", "/dev/zero")

        with pytest.raises(NotAllowed):
            dirs.folders().open_inside("zero")

    def test_a_hard_link_is_the_file_itself(self, dirs: SandboxDirs) -> None:
        os.link(dirs.inside / "a.txt", dirs.inside / "again.txt")

        assert read(dirs.folders(), "again.txt") == "inside a.txt"

    def test_credentials_are_refused_through_a_link_with_a_harmless_name(
        self, dirs: SandboxDirs
    ) -> None:
        (dirs.inside / ".env").write_text("TOKEN=1")
        dirs.link("notes.txt", ".env")

        with pytest.raises(Protected):
            dirs.folders().open_inside("notes.txt")

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
        self, dirs: SandboxDirs
    ) -> None:
        dirs.link("door", "../outside/a.txt")
        both = Folders([dirs.inside, dirs.outside], working=dirs.inside)

        with both.open_inside("door") as opened:
            assert opened.path == dirs.outside / "a.txt"


def test_a_relative_path_is_looked_for_in_each_allowed_folder(dirs: SandboxDirs) -> None:
    (dirs.outside / "only-here.txt").write_text("here")
    both = Folders([dirs.inside, dirs.outside], working=Path("/"))

    assert read(both, "only-here.txt") == "here"
    assert read(both, "a.txt") == "inside a.txt"


def test_an_allowed_folder_may_itself_be_a_link(dirs: SandboxDirs) -> None:
    dirs.inside.with_name("alias").symlink_to(dirs.inside)
    folders = Folders([dirs.inside.with_name("alias")])

    assert read(folders, str(dirs.inside.with_name("alias") / "a.txt")) == "inside a.txt"
    assert read(folders, str(dirs.inside / "a.txt")) == "inside a.txt"


def test_a_folder_spelled_differently_is_known_by_being_the_same(dirs: SandboxDirs) -> None:
    # As on systems that ignore case, or through a mount; a link has the same effect here.
    dirs.inside.with_name("INSIDE").symlink_to(dirs.inside)

    spelled = str(dirs.inside.with_name("INSIDE") / "sub" / "new.txt")
    assert _same_file_above(spelled, str(dirs.inside)) == ("sub", "new.txt")
    assert _same_file_above(str(dirs.outside / "a.txt"), str(dirs.inside)) is None


def test_the_data_folder_is_named_as_such_even_where_it_is_not_inside(dirs: SandboxDirs) -> None:
    folders = Folders([dirs.inside], private=[dirs.outside])

    with pytest.raises(Protected, match="Name a generated image by its id"):
        folders.open_inside(str(dirs.outside / "a.txt"))


def test_our_own_data_folder_is_never_read(dirs: SandboxDirs) -> None:
    (dirs.inside / "data").mkdir()
    (dirs.inside / "data" / "report.md").write_text("mine")
    folders = Folders([dirs.inside], private=[dirs.inside / "data"])

    for path in ("data/report.md", "sub/../data/report.md", "data"):
        with pytest.raises(Protected, match="own data folder"):
            folders.open_inside(path)


def test_our_own_data_folder_is_known_however_it_is_spelled(
    dirs: SandboxDirs, monkeypatch: pytest.MonkeyPatch
) -> None:
    (dirs.inside / "data").mkdir()
    (dirs.inside / "data" / "key").write_text("secret")
    folders = Folders([dirs.inside], private=[dirs.inside / "data"])
    # As if the system ignored case: what resolves a path leaves the case as it is.
    (dirs.inside / "DATA").symlink_to("data")
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


def make_links(dirs: SandboxDirs, wanted: dict[str, str]) -> None:
    for name, leads_to in wanted.items():
        dirs.link(name, fill(dirs, leads_to))


def fill(dirs: SandboxDirs, text: str) -> str:
    return text.replace("{inside}", str(dirs.inside)).replace("{outside}", str(dirs.outside))


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
    confinement: str, path: str, links: dict[str, str]
) -> None:
    with tempfile.TemporaryDirectory() as where:
        dirs = SandboxDirs.create(Path(where))
        make_links(dirs, links)
        ours = {
            (each.stat().st_dev, each.stat().st_ino)
            for each in dirs.inside.rglob("*")
            if each.is_file() and not each.is_symlink()
        }
        wanted = fill(dirs, path)
        try:
            with dirs.folders().open_inside(wanted) as opened:
                facts = os.fstat(opened.file.fileno())
                assert (facts.st_dev, facts.st_ino) in ours
                assert CANARY.encode() not in opened.file.read()
        except Refused as refusal:
            said = str(refusal)
            assert CANARY not in said
            assert "outside" in path or str(dirs.outside) not in said


@usual
@given(path, links)
@example("x/", {"x": "../outside"})
@example("x/new.jpg", {"x": "../outside"})
@example("x", {"x": "../outside/new.jpg"})
@example("a.txt", {})
def test_no_path_through_any_link_farm_writes_a_byte_outside_or_over_anything(
    confinement: str, path: str, links: dict[str, str]
) -> None:
    with tempfile.TemporaryDirectory() as where:
        dirs = SandboxDirs.create(Path(where))
        make_links(dirs, links)
        outside, before = bytes_below(dirs.outside), bytes_below(dirs.inside)
        try:
            with dirs.folders().create_inside(fill(dirs, path), "picture-i_1") as new:
                new.file.write(b"fresh")
                kept = new.keep(".jpg")
        except Refused:
            pass
        else:
            assert Path(os.path.realpath(kept)).is_relative_to(dirs.inside)
            assert kept.read_bytes() == b"fresh"

        after = bytes_below(dirs.inside)
        assert bytes_below(dirs.outside) == outside
        assert sorted(each.name for each in Path(where).iterdir()) == ["inside", "outside"]
        assert {name: after.get(name, "gone") for name in before} == before
        assert not [name for name in after if name.endswith(".part")]


@usual
@given(path, st.sampled_from(["", "/*", "/**", "/**/*", "/*.txt", "/*/{a,b}.txt"]), links)
@example("", "**/*", {"x": "../outside", "sub/x": "{outside}/a.txt"})
def test_no_pattern_gathers_a_file_outside(
    confinement: str, path: str, pattern: str, links: dict[str, str]
) -> None:
    with tempfile.TemporaryDirectory() as where:
        dirs = SandboxDirs.create(Path(where))
        make_links(dirs, links)
        folders = dirs.folders()
        try:
            gathered = gather(folders, fill(dirs, path) + pattern)
            for each in gathered.paths:
                with folders.open_inside(str(each)) as opened:
                    assert CANARY.encode() not in opened.file.read()
        except Refused as refusal:
            said = str(refusal)
        else:
            said = gathered.listing()
        assert CANARY not in said
