"""A folder or a pattern of code: what is sent, and what is left out and why."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gemini_interactions.domain.file_errors import NoSuchFile, NotAllowed, NotTaken, Protected
from gemini_interactions.files.gitignore import _tamed
from gemini_interactions.files.glob_expansion import Gathered, Limits, gather
from gemini_interactions.files.path_sandbox.allowed_dirs import Folders
from tests.support.file_samples import picture
from tests.unit.files.conftest import SandboxDirs

pytestmark = pytest.mark.usefixtures("confinement")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project as they are, in a folder of its own."""
    root = Path(os.path.realpath(tmp_path)) / "project"
    words = {
        "README.md": "read",
        "src/main.py": "main",
        "src/deep/er/util.py": "util",
        "src/app/[id]/page.tsx": "page",
        "src/style.css": "css",
        "src/view.ts": "ts",
        ".gitignore": "*.log\n/secret/\nsrc/made.py\n!keep.log\n",
        "debug.log": "log",
        "keep.log": "kept",
        "secret/plan.md": "plan",
        "src/made.py": "made",
        "src/.gitignore": "*.tmp\n",
        "src/x.tmp": "tmp",
        ".env": "TOKEN=1",
        "deploy.pem": "key",
        ".git/config": "git",
        ".github/workflows/ci.yml": "ci",
        ".idea/workspace.xml": "idea",
        "node_modules/left-pad/index.js": "pad",
        "dist/bundle.js": "bundle",
        "__pycache__/x.py": "cache",
        "package-lock.json": "{}",
        "src/app.min.js": "min",
        "empty.txt": "",
        "docs/guide.md": "guide",
    }
    for name, text in words.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, "utf-8")
    (root / "docs" / "logo.png").write_bytes(picture("PNG"))
    (root / "docs" / "film.mkv").write_bytes(b"\x1a\x45\xdf\xa3" + b"\0" * 90)
    (root / "docs" / "core").write_bytes(bytes(range(256)))
    return root


@pytest.fixture
def folders(project: Path) -> Folders:
    return Folders([project], working=project)


def left_out(gathered: Gathered) -> dict[str, str]:
    return dict(gathered.left_out)


def test_a_folder_is_its_text_without_what_tools_put_there(folders: Folders) -> None:
    gathered = gather(folders, ".")

    assert gathered.names == (
        *(".gitignore", "README.md", "keep.log"),
        ".github/workflows/ci.yml",
        "docs/guide.md",
        *("src/.gitignore", "src/main.py", "src/style.css", "src/view.ts"),
        "src/app/[id]/page.tsx",
        "src/deep/er/util.py",
    )
    assert left_out(gathered) == {
        ".env": "may hold credentials",
        "deploy.pem": "may hold credentials",
        "debug.log": ".gitignore",
        "empty.txt": "empty",
        "package-lock.json": "generated",
        ".git/": "version control",
        ".idea/": "hidden",
        "__pycache__/": "made by tools",
        "dist/": "build output",
        "node_modules/": "dependencies",
        "secret/": ".gitignore",
        "docs/core": "not text",
        "docs/film.mkv": "Matroska video",
        "docs/logo.png": "PNG image",
        "src/app.min.js": "generated",
        "src/made.py": ".gitignore",
        "src/x.tmp": ".gitignore",
    }


def test_its_size_and_real_paths_are_told(folders: Folders, project: Path) -> None:
    gathered = gather(folders, "src/deep")

    assert gathered.paths == (project / "src/deep/er/util.py",)
    assert gathered.size == 4


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("src/*.py", ["src/main.py"]),
        ("src/**/*.py", ["src/main.py", "src/deep/er/util.py"]),
        ("**/*.py", ["src/main.py", "src/deep/er/util.py"]),
        ("src/**", None),
        ("*.md", ["README.md"]),
        ("*/*.md", ["docs/guide.md"]),
        ("src/*.{ts,css}", ["src/style.css", "src/view.ts"]),
        ("{src,docs}/*.{md,ts}", ["docs/guide.md", "src/view.ts"]),
        ("src/d*/e?/*", ["src/deep/er/util.py"]),
        ("./src/main.[pq]y", ["src/main.py"]),
        ("docs/*.png", ["docs/logo.png"]),
        ("dist/*.js", ["dist/bundle.js"]),
        ("*/bundle.js", None),
        ("secret/*.md", ["secret/plan.md"]),
        (".idea/*", [".idea/workspace.xml"]),
        ("**/made.py", ["src/made.py"]),
    ],
)
def test_a_pattern_takes_what_it_says(
    folders: Folders, pattern: str, names: list[str] | None
) -> None:
    if names is None:
        names = list(gather(folders, "src").names) if pattern == "src/**" else []
    if not names:
        with pytest.raises(NotTaken):
            gather(folders, pattern)
        return
    assert list(gather(folders, pattern).names) == names


def test_an_absolute_pattern_and_a_folder_below_work_alike(folders: Folders, project: Path) -> None:
    assert gather(folders, f"{project}/src/*.py").names == ("src/main.py",)
    assert gather(folders, str(project / "docs")).names == ("docs/guide.md",)


def test_a_file_with_brackets_in_its_path_is_that_file(folders: Folders, project: Path) -> None:
    given = "src/app/[id]/page.tsx"

    assert gather(folders, given) == Gathered((Path(given),))
    assert gather(folders, given).listing() == ""


def test_a_plain_path_comes_back_to_be_opened_or_refused(folders: Folders) -> None:
    assert gather(folders, "src/main.py").paths == (Path("src/main.py"),)
    assert gather(folders, "nothing.py").paths == (Path("nothing.py"),)


def test_a_folder_that_is_left_out_by_default_can_be_asked_for(folders: Folders) -> None:
    assert gather(folders, "dist").names == ("dist/bundle.js",)
    assert gather(folders, "secret").names == ("secret/plan.md",)
    assert gather(folders, "node_modules/left-pad").names == ("node_modules/left-pad/index.js",)


@pytest.mark.parametrize("given", [".git", ".env*", "*.pem", "**/*.key", ".git/*"])
def test_credentials_cannot_be_asked_for(folders: Folders, given: str) -> None:
    with pytest.raises(Protected):
        gather(folders, given)


@pytest.mark.parametrize("given", ["../*", "/etc/*.conf", "/**", "src/../../*"])
def test_a_pattern_outside_is_refused(folders: Folders, given: str) -> None:
    with pytest.raises(NotAllowed):
        gather(folders, given)


def test_a_pattern_in_a_folder_that_is_not_there_says_so(folders: Folders) -> None:
    with pytest.raises(NoSuchFile):
        gather(folders, "nowhere/*.py")


def test_a_pattern_that_finds_nothing_says_what_was_left_out(folders: Folders) -> None:
    with pytest.raises(NotTaken, match=r"left out: docs/film\.mkv \(Matroska video\)"):
        gather(folders, "docs/*.mkv")


def test_links_are_left_out(dirs: SandboxDirs) -> None:
    dirs.link("sub/door", dirs.outside)
    dirs.link("sub/a.txt", dirs.outside / "a.txt")
    dirs.link("sub/near.txt", "b.txt")

    gathered = gather(dirs.folders(), "sub")

    assert gathered.names == ("sub/b.txt", "sub/é.txt", "sub/deep/c.txt")
    assert set(left_out(gathered).values()) == {"a link"}


def test_limits_of_number_and_size_are_kept_and_told(folders: Folders, project: Path) -> None:
    many = project / "many"
    many.mkdir()
    for number, size in enumerate([150, 201, 150, 150, 50, 10]):
        (many / f"{number}.txt").write_text("x" * size)

    gathered = gather(folders, "many", Limits(files=3, bytes=400, bytes_of_one=200))

    assert gathered.names == ("many/0.txt", "many/2.txt", "many/4.txt")
    assert left_out(gathered) == {
        "many/1.txt": "201 bytes, too long in a folder",
        "many/3.txt": "over the limit of 400 bytes in all",
        "many/5.txt": "over the limit of 3 files",
    }


def test_a_folder_without_end_is_not_walked_to_its_end(
    folders: Folders,
) -> None:
    gathered = gather(folders, ".", Limits(seen=5))

    assert gathered.left_out[-1] == ("everything further", "more than 5 files and folders")


def test_the_listing_names_what_was_sent_and_what_was_not(folders: Folders) -> None:
    assert gather(folders, "docs").listing() == (
        "Sent 1 file (5 bytes): docs/guide.md. "
        "Left out: docs/core (not text), docs/film.mkv (Matroska video), docs/logo.png (PNG image)."
    )


def test_a_long_listing_is_cut_and_counts_the_rest() -> None:
    gathered = Gathered(
        (), tuple(f"f{n:03}.py" for n in range(300)), 1, tuple((f"x{n}", "why") for n in range(300))
    )

    assert len(gathered.listing(400)) < 500
    assert gathered.listing(400).startswith("Sent 300 files (1 byte): f000.py, f001.py")
    assert " and 278 more. Left out: x0 (why), " in gathered.listing(400)


def test_a_hostile_gitignore_cannot_hold_everything_up(folders: Folders, project: Path) -> None:
    rules = ["a*a*a*a*a*a*a*b", "!*b*b*b*b*b*c", "**/a" * 12 + "/b", "/".join(["*a*a*ab"] * 9)]
    (project / "src" / ".gitignore").write_text("\n".join([*rules, "[", "x.tmp", ""]))
    (project / "src" / ("a" * 200)).write_text("long name")
    deep = project.joinpath("src", *["a"] * 30)
    deep.mkdir(parents=True)
    (deep / "x").write_text("deep")

    tried = gather(folders, "src")

    assert left_out(tried)["src/x.tmp"] == ".gitignore"


@pytest.mark.parametrize(
    ("line", "tamed"),
    [
        ("*.py[cod]", "*.py[cod]"),
        ("a*b*c*d", "a*b*c*d"),
        ("**/a/**/b/**/c/**", "**/a/**/b/**/c/**"),
        ("build/*a*b*c*d/x", "build/*/x"),
        ("log*a*b*c*d", "log*"),
        ("!*a*b*c*d", ""),
        ("**/a/**/b/**/c/**/d", "**/a/**/b/**/c"),
        ("a*/b*/c*/d*/e", "a*/b*/c*"),
        ("!a*/b*/c*/d*/e", ""),
    ],
)
def test_a_pattern_with_many_stars_becomes_a_laxer_one(line: str, tamed: str) -> None:
    assert _tamed(line) == tamed
