"""Changes of a git repository as text: every form, and what is left out."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from gemini_interactions.domain.errors import Refused
from gemini_interactions.files.git.changes import GitEntry
from tests.support.git_repository import commit, git, new_repository, read

pytestmark = pytest.mark.skipif(not shutil.which("git"), reason="needs git")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return new_repository(tmp_path / "project")


# -- forms -------------------------------------------------------------------------------


def test_the_working_tree_against_the_last_commit(repository: Path) -> None:
    (repository / "a.txt").write_text("one\ntwo\n")
    (repository / "staged.txt").write_text("staged\n")
    git(repository, "add", "staged.txt")
    (repository / "src" / "main.py").unlink()
    (repository / "new.txt").write_text("untracked words\n")

    change = read(repository, "git:diff")

    assert "+two" in change.text
    assert "+staged" in change.text
    assert "-print('one')" in change.text
    assert "? new.txt (untracked" in change.text
    assert "untracked words" not in change.text
    assert change.label.startswith("git:diff (3 files changed, ")


def test_what_is_staged(repository: Path) -> None:
    (repository / "a.txt").write_text("one\nstaged\n")
    git(repository, "add", "a.txt")
    (repository / "a.txt").write_text("one\nstaged\nlater\n")

    change = read(repository, "git:staged")

    assert "+staged" in change.text
    assert "later" not in change.text


def test_a_commit_a_range_and_a_path_in_it(repository: Path) -> None:
    (repository / "a.txt").write_text("one\ntwo\n")
    (repository / "src" / "main.py").write_text("print('two')\n")
    commit(repository, "Second commit")
    (repository / "a.txt").write_text("one\ntwo\nthree\n")
    commit(repository, "Third commit")

    assert "+three" in read(repository, "git:HEAD").text
    assert "Third commit" in read(repository, "git:HEAD").text
    assert "+one" in read(repository, "git:HEAD~2").text  # the first, against nothing
    both = read(repository, "git:HEAD~2..HEAD").text
    assert "+two\n+three" in both
    assert "Second commit" in both
    only = read(repository, "git:HEAD~2..HEAD:src/").text
    assert "+print('two')" in only
    assert "a.txt" not in only
    assert read(repository, "git:main~1...main").text.count("+three") == 1
    assert read(repository, "git:HEAD~1..").text.count("+three") == 1


def test_a_rename_and_a_binary_are_named(repository: Path) -> None:
    git(repository, "mv", "src/main.py", "src/app.py")
    (repository / "logo.bin").write_bytes(bytes(range(256)) * 8)
    git(repository, "add", "-A")

    text = read(repository, "git:staged").text

    assert "R src/main.py → src/app.py" in text
    assert "A logo.bin (binary)" in text
    assert "Binary file logo.bin: nothing → 2.0 KB" in text


def test_a_large_change_is_cut_by_file(repository: Path) -> None:
    for number in range(20):
        (repository / f"f{number:02}.txt").write_text(f"line {number}\n" * 200)
    commit(repository, "Many files")

    change = read(repository, "git:HEAD", most=20_000)

    assert len(change.text.encode()) <= 20_000
    assert "+line 0" in change.text
    assert "+line 19\n" not in change.text
    assert "f19.txt" in change.text
    assert any("GEMINI_MCP_MAX_PROMPT_BYTES" in note for note in change.notes)


def test_a_change_of_windows_line_ends_alone_is_none(repository: Path) -> None:
    (repository / "a.txt").write_bytes(b"one\r\n")

    with pytest.raises(Refused, match="holds no change"):
        read(repository, "git:diff")


def test_a_repository_without_a_commit(tmp_path: Path) -> None:
    folder = tmp_path / "fresh"
    folder.mkdir()
    git(folder, "init", "-q")
    (folder / "a.txt").write_text("one\n")
    git(folder, "add", "a.txt")

    assert "+one" in read(folder, "git:staged").text


def test_a_linked_working_tree_is_read(repository: Path, tmp_path: Path) -> None:
    git(repository, "worktree", "add", "-q", str(tmp_path / "other"))
    (tmp_path / "other" / "a.txt").write_text("one\nlinked\n")

    assert "+linked" in read(tmp_path / "other", "git:diff").text


def test_a_change_is_cut_to_the_folder_that_is_open(repository: Path) -> None:
    (repository / "a.txt").write_text("one\noutside\n")
    (repository / "src" / "main.py").write_text("print('inside')\n")

    text = read(repository / "src", "git:diff").text

    assert "inside" in text
    assert "outside" not in text
    with pytest.raises(Refused):
        read(repository / "src", "git:diff:../a.txt")
    with pytest.raises(Refused):
        read(repository / "src", "git:diff:/etc")


@pytest.mark.parametrize(
    "given",
    [
        *("git:", "git:--output=x", "git:-p", "git:HEAD --output=x", "git:HEAD;x", "git:$(x)"),
        *("git:..:x", "git:HEAD..--output=x", "git:@{upstream}", "git::/x", "git:a..b..c"),
        *("git:HEAD\n--output=x", "git:" + "a" * 300, "git:HEAD^{/x}", "git:--end-of-options"),
    ],
)
def test_what_is_no_revision_is_refused(repository: Path, given: str) -> None:
    with pytest.raises(Refused):
        read(repository, given)


@pytest.mark.parametrize("given", ["git:nowhere", "git:main..nowhere", "git:HEAD~9", "git:diff"])
def test_what_is_not_there_is_refused_in_words(repository: Path, given: str) -> None:
    with pytest.raises(Refused, match="git:"):
        read(repository, given)


def test_forms_are_told_apart() -> None:
    assert GitEntry.parse("git:diff:src/").is_working_tree
    assert GitEntry.parse("git:staged").is_staged
    assert GitEntry.parse("git:main..HEAD:src/a:b").path == "src/a:b"
    assert GitEntry.parse("git:..v1.0").left == "HEAD"


# -- secrets -----------------------------------------------------------------------------


def test_secrets_and_ignored_files_stay_out(repository: Path) -> None:
    begin = "-----BEGIN " + "PRIVATE KEY-----\n"
    (repository / ".env").write_text("TOKEN=very-secret-1\n")
    (repository / "server.pem.bak").write_text("very-secret-2\n")
    (repository / "notes.txt").write_text(begin + "A" * 64 + "\n" + "verysecret3\n")
    (repository / ".gitignore").write_text("*.local\nbuild/\n")
    (repository / "x.local").write_text("very-secret-4\n")
    (repository / "fine.txt").write_text("fine\n")
    git(repository, "add", "-A", "-f")
    (repository / "y.local").write_text("very-secret-5\n")
    (repository / ".env.untracked").write_text("very-secret-6\n")

    change = read(repository, "git:diff")

    assert "+fine" in change.text
    for name in ("very-secret", "verysecret", ".env", "server.pem", "x.local", "y.local"):
        assert name not in change.text
    notes = " ".join(change.notes)
    assert ".env (may hold credentials)" in notes
    assert "notes.txt (contains a private key)" in notes
    assert "x.local (.gitignore)" in notes


def test_a_part_of_a_key_that_changes_is_left_out(repository: Path) -> None:
    begin = "-----BEGIN " + "PRIVATE KEY-----\n"
    lines = [letter * 64 + "\n" for letter in "ABCDEFGHIJKLMNOP"]
    (repository / "notes.txt").write_text(begin + "".join(lines))
    commit(repository, "A key")
    lines[10] = "Z" * 64 + "\n"
    (repository / "notes.txt").write_text(begin + "".join(lines))

    with pytest.raises(Refused, match="contains a private key"):
        read(repository, "git:diff")
