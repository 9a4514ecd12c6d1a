"""Nothing of a hostile repository runs, writes, or leads elsewhere; its traps leave only a mark."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from gemini_interactions.domain.errors import Refused
from tests.support.git_repository import commit, git, new_repository, read

pytestmark = pytest.mark.skipif(not shutil.which("git"), reason="needs git")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return new_repository(tmp_path / "project")


# -- hostile repositories ------------------------------------------------------------------


def script(folder: Path, marker: Path) -> str:
    """A program that leaves a harmless mark when it runs."""
    path = folder / "program.sh"
    path.write_text(f"#!/bin/sh\necho ran >> '{marker}'\ncat\n")
    path.chmod(0o755)
    return str(path)


def configured(name: str) -> Callable[[Path, str], None]:
    def set_up(folder: Path, program: str) -> None:
        git(folder, "config", name, program)

    return set_up


def with_attributes(attributes: str, *names: str) -> Callable[[Path, str], None]:
    def set_up(folder: Path, program: str) -> None:
        (folder / ".git" / "info").mkdir(exist_ok=True)
        (folder / ".git" / "info" / "attributes").write_text(attributes)
        (folder / ".gitattributes").write_text(attributes)
        for name in names:
            git(folder, "config", name, program)

    return set_up


def with_hooks(folder: Path, program: str) -> None:
    for name in ("post-index-change", "pre-commit", "post-checkout", "reference-transaction"):
        shutil.copy(program, folder / ".git" / "hooks" / name)
    git(folder, "config", "core.hooksPath", str(folder / ".git" / "hooks"))


def with_lazy_objects(folder: Path, program: str) -> None:
    blob = git(folder, "rev-parse", "HEAD:a.txt")
    (folder / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    git(folder, "config", "core.repositoryFormatVersion", "1")
    git(folder, "config", "extensions.partialClone", "origin")
    git(folder, "config", "remote.origin.promisor", "true")
    git(folder, "config", "remote.origin.url", f"ext::{program}")
    git(folder, "config", "remote.origin.uploadpack", program)
    git(folder, "config", "protocol.ext.allow", "always")


def with_submodule(folder: Path, program: str) -> None:
    git(folder, "config", "submodule.x.update", f"!{program}")
    git(folder, "config", "diff.submodule", "log")
    git(folder, "config", "submodule.recurse", "true")


def with_include(folder: Path, program: str) -> None:
    other = folder.parent / "included"
    other.write_text(f"[core]\n\tfsmonitor = {program}\n[diff]\n\texternal = {program}\n")
    git(folder, "config", "include.path", str(other))


RUNS: dict[str, Callable[[Path, str], None]] = {
    "fsmonitor": configured("core.fsmonitor"),
    "external diff": configured("diff.external"),
    "pager": configured("core.pager"),
    "pager of diff": configured("pager.diff"),
    "editor": configured("core.editor"),
    "ssh command": configured("core.sshCommand"),
    "signatures": configured("gpg.program"),
    "alternate refs": configured("core.alternateRefsCommand"),
    "credential helper": configured("credential.helper"),
    "clean filter": with_attributes("* filter=evil\n", "filter.evil.clean", "filter.evil.smudge"),
    "filter process": with_attributes("* filter=evil\n", "filter.evil.process"),
    "text conversion": with_attributes("* diff=evil\n", "diff.evil.textconv"),
    "external diff of a kind": with_attributes("* diff=evil\n", "diff.evil.command"),
    "merge driver": with_attributes("* merge=evil\n", "merge.evil.driver"),
    "hooks": with_hooks,
    "lazy objects": with_lazy_objects,
    "submodules": with_submodule,
    "included configuration": with_include,
}


def file_states(folder: Path) -> dict[str, tuple[int, int]]:
    return {
        str(path): (path.lstat().st_size, path.lstat().st_mtime_ns) for path in folder.rglob("*")
    }


@pytest.mark.parametrize("given", ["git:diff", "git:staged", "git:HEAD", "git:HEAD~1..HEAD"])
@pytest.mark.parametrize("trap", RUNS)
def test_a_hostile_repository_runs_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trap: str, given: str
) -> None:
    folder = new_repository(tmp_path / "project")
    (folder / "src" / "main.py").write_text("print('two')\n")
    (folder / "docs").mkdir()
    (folder / "docs" / "unchanged.md").write_text("A folder that stays as it is.\n")
    commit(folder, "Second commit")
    (folder / "src" / "main.py").write_text("print('staged')\n")
    git(folder, "add", "src/main.py")
    (folder / "src" / "main.py").write_text("print('working')\n")
    marker = tmp_path / "marker"
    RUNS[trap](folder, script(tmp_path, marker))
    program = str(tmp_path / "program.sh")
    for name in ("GIT_EXTERNAL_DIFF", "GIT_PAGER", "GIT_SSH_COMMAND", "GIT_PROXY_COMMAND"):
        monkeypatch.setenv(name, program)
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    before = file_states(folder)

    try:
        text = read(folder, given).text
    except Refused as refusal:
        assert trap == "lazy objects"
        text = str(refusal)

    assert not marker.exists()
    assert file_states(folder) == before
    assert "ran" not in text


@pytest.mark.parametrize("is_packed", [False, True], ids=["loose", "packed"])
def test_nothing_is_written_where_the_user_works(repository: Path, *, is_packed: bool) -> None:
    (repository / "docs").mkdir()
    (repository / "docs" / "unchanged.md").write_text("A folder that stays as it is.\n")
    commit(repository, "Second commit")
    if is_packed:
        git(repository, "gc", "-q")
    (repository / "a.txt").write_text("two\n")
    (repository / "src" / "main.py").unlink()
    before = file_states(repository)

    for given in ("git:diff", "git:HEAD", "git:HEAD~1..HEAD"):
        assert read(repository, given).text

    assert file_states(repository) == before


def private(tmp_path: Path) -> tuple[Path, str]:
    """Somebody's other repository, and the id of its commit."""
    folder = tmp_path / "private"
    new_repository(folder)
    (folder / "a.txt").write_text("very-private\n")
    commit(folder, "Very private")
    return folder, git(folder, "rev-parse", "HEAD")


def alternates_elsewhere(folder: Path, other: Path) -> None:
    info = folder / ".git" / "objects" / "info"
    info.mkdir(exist_ok=True)
    (info / "alternates").write_text(f"{other / '.git' / 'objects'}\n")


def objects_elsewhere(folder: Path, other: Path) -> None:
    shutil.rmtree(folder / ".git" / "objects")
    (folder / ".git" / "objects").symlink_to(other / ".git" / "objects")


def one_object_elsewhere(folder: Path, other: Path) -> None:
    for path in (other / ".git" / "objects").glob("??/*"):
        where = folder / ".git" / "objects" / path.parent.name
        where.mkdir(exist_ok=True)
        if not (where / path.name).exists():
            (where / path.name).symlink_to(path)


def git_directory_elsewhere(folder: Path, other: Path) -> None:
    shutil.rmtree(folder / ".git")
    (folder / ".git").write_text(f"gitdir: {other / '.git'}\n")


def git_directory_a_link(folder: Path, other: Path) -> None:
    shutil.rmtree(folder / ".git")
    (folder / ".git").symlink_to(other / ".git")


def common_directory_elsewhere(folder: Path, other: Path) -> None:
    (folder / ".git" / "commondir").write_text(f"{other / '.git'}\n")


def worktree_of_another(folder: Path, other: Path) -> None:
    git(other, "worktree", "add", "-q", "--detach", str(other.parent / "third"))
    (inside,) = (other / ".git" / "worktrees").iterdir()
    shutil.rmtree(folder / ".git")
    (folder / ".git").write_text(f"gitdir: {inside}\n")


def made_up_worktree(folder: Path, other: Path) -> None:
    shutil.rmtree(folder / ".git")
    inside = folder / "made" / "worktrees" / "up"
    inside.mkdir(parents=True)
    (inside / "commondir").write_text(f"{other / '.git'}\n")
    (inside / "gitdir").write_text(f"{folder / '.git'}\n")
    (inside / "HEAD").write_text("ref: refs/heads/main\n")
    (folder / ".git").write_text(f"gitdir: {inside}\n")


def reference_a_link(folder: Path, other: Path) -> None:
    theirs = other / ".git" / "refs" / "heads" / "main"
    (folder / ".git" / "refs" / "heads" / "x").symlink_to(theirs)


def references_a_link(folder: Path, other: Path) -> None:
    shutil.rmtree(folder / ".git" / "refs")
    (folder / ".git" / "refs").symlink_to(other / ".git" / "refs")


def index_a_link(folder: Path, other: Path) -> None:
    (folder / ".git" / "index").unlink()
    (folder / ".git" / "index").symlink_to(other / ".git" / "index")


def packed_references_a_link(folder: Path, other: Path) -> None:
    git(other, "pack-refs", "--all")
    (folder / ".git" / "packed-refs").symlink_to(other / ".git" / "packed-refs")


ELSEWHERE: dict[str, Callable[[Path, Path], None]] = {
    "alternates": alternates_elsewhere,
    "objects behind a link": objects_elsewhere,
    "single objects behind links": one_object_elsewhere,
    "a .git file": git_directory_elsewhere,
    "a .git link": git_directory_a_link,
    "a common directory": common_directory_elsewhere,
    "a worktree of another repository": worktree_of_another,
    "a made-up worktree": made_up_worktree,
    "a reference behind a link": reference_a_link,
    "references behind a link": references_a_link,
    "packed references behind a link": packed_references_a_link,
    "an index behind a link": index_a_link,
}


@pytest.mark.parametrize("trap", ELSEWHERE)
def test_nothing_is_served_from_another_repository(tmp_path: Path, trap: str) -> None:
    folder = new_repository(tmp_path / "project")
    (folder / "a.txt").write_text("one\ntwo\n")
    other, secret = private(tmp_path)
    ELSEWHERE[trap](folder, other)

    for given in (f"git:{secret}", "git:HEAD", "git:diff", "git:x"):
        with pytest.raises(Refused) as refusal:
            read(folder, given)
        assert "very-private" not in str(refusal.value)


def test_alternates_inside_the_repository_are_read(repository: Path) -> None:
    objects = repository / ".git" / "objects"
    shutil.copytree(objects, repository / ".git" / "more")
    for path in objects.glob("??/*"):
        path.unlink()
    (objects / "info" / "alternates").write_text("../more\n")

    assert "+one" in read(repository, "git:HEAD").text


def test_a_link_in_the_working_tree_is_not_followed(repository: Path, tmp_path: Path) -> None:
    (tmp_path / "outside.txt").write_text("very-private\n")
    (repository / "a.txt").unlink()
    (repository / "a.txt").symlink_to(tmp_path / "outside.txt")

    assert "very-private" not in read(repository, "git:diff").text


def test_a_folder_that_became_a_link_is_not_followed(repository: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "main.py").write_text("very-private\n")
    shutil.rmtree(repository / "src")
    (repository / "src").symlink_to(tmp_path / "elsewhere")
    (repository / "a.txt").write_text("two\n")

    assert "very-private" not in read(repository, "git:diff").text


def test_a_program_called_git_in_the_repository_is_not_run(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    marker = tmp_path / "marker"
    (repository / "bin").mkdir()
    shutil.copy(script(tmp_path, marker), repository / "bin" / "git")
    monkeypatch.setenv("PATH", f"{repository / 'bin'}{os.pathsep}.{os.pathsep}{os.environ['PATH']}")

    read(repository, "git:HEAD")

    assert not marker.exists()


def test_a_large_file_counts_as_binary(repository: Path) -> None:
    (repository / "big.txt").write_text("x" * 99 + "\n")
    commit(repository, "Small")
    (repository / "big.txt").write_text(("x" * 99 + "\n") * 90_000)
    (repository / "a.txt").write_text("two\n")

    change = read(repository, "git:diff")

    assert len(change.text) < 10_000
    assert any("big.txt (too large to be compared)" in note for note in change.notes)
