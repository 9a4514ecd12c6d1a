"""A review of a change through the whole product: what reaches Gemini, and what does not."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.support.app_harness import AppHarness, McpClient
from tests.support.git_repository import commit, git

pytestmark = pytest.mark.skipif(not shutil.which("git"), reason="needs git")


@pytest.fixture
def project(work: Path) -> Path:
    """Three commits, a rename, a binary, a secret, 300 files; and work that goes on."""
    git(work, "init", "-q")
    (work / "lib").mkdir()
    for number in range(300):
        (work / "lib" / f"part_{number:03}.py").write_text(f"VALUE = {number}\n")
    docstring = "".join(f"# Line {number} of the docstring.\n" for number in range(20))
    (work / "app.py").write_text(f"{docstring}def add(a, b):\n    return a + b\n")
    commit(work, "Begin")
    git(work, "mv", "app.py", "calculator.py")
    (work / "logo.bin").write_bytes(bytes(range(256)) * 4)
    (work / ".env").write_text("TOKEN=very-secret\n")
    git(work, "add", "-f", ".env")
    commit(work, "Rename the app, add a logo")
    (work / "calculator.py").write_text(f"{docstring}def add(a, b):\n    return a - b\n")
    for number in range(300):
        (work / "lib" / f"part_{number:03}.py").write_text(f"VALUE = {number + 1}\n")
    commit(work, "Raise every value")
    (work / "calculator.py").write_text(f"{docstring}def add(a, b):\n    return a * b\n")
    (work / ".env").write_text("TOKEN=another-secret\n")
    return work


def sent_text(harness: AppHarness) -> str:
    """The text that went along with the newest prompt."""
    return str(harness.last["input"][0]["content"][0]["text"])


async def test_a_change_under_work_is_reviewed_in_one_step(
    harness: AppHarness, project: Path, client: McpClient
) -> None:
    prompt = await client.sdk_client.get_prompt("review", {"focus": "arithmetic"})
    words = getattr(prompt.messages[0].content, "text", "")

    said = await client.ask("Review this.", files=["git:diff"])

    assert 'gemini_ask with files ["git:diff"]' in words
    assert said.status == "completed"
    assert "-    return a - b\n+    return a * b" in sent_text(harness)
    assert "secret" not in sent_text(harness)
    assert "Left out of git:diff: .env (may hold credentials)." in said.text


async def test_a_range_of_three_hundred_files_a_rename_and_a_binary(
    harness: AppHarness, project: Path, client: McpClient
) -> None:
    said = await client.ask("Review this.", files=["git:HEAD~2..HEAD"])

    text = sent_text(harness)
    assert "R app.py → calculator.py" in text
    assert "A logo.bin (binary)" in text
    assert "+VALUE = 300" in text
    assert "Raise every value" in text
    assert "secret" not in text
    assert said.status == "completed"


async def test_a_path_in_a_range_and_the_conversation_after_it(
    harness: AppHarness, project: Path, client: McpClient
) -> None:
    said = await client.ask("Review this.", files=["git:HEAD~1..HEAD:calculator.py"])
    transcript = await client.history(id=said.conversation)

    assert "VALUE" not in sent_text(harness)
    assert "+    return a - b" in sent_text(harness)
    assert "git:HEAD~1..HEAD:calculator.py (1 file changed" in transcript.text


async def test_what_is_no_change_is_refused_and_nothing_is_sent(
    harness: AppHarness, project: Path, client: McpClient
) -> None:
    for given in ("git:nowhere", "git:--output=x", "git:staged", "git:diff:../x"):
        said = await client.ask("Review this.", files=[given])

        assert said.is_error
    assert harness.bodies == []
    assert not (project / "x").exists()


async def test_a_file_of_that_name_is_named_by_its_path(
    harness: AppHarness, project: Path, client: McpClient
) -> None:
    (project / "git:diff").write_text("a file of that name\n")

    await client.ask("Read this.", files=["./git:diff"])

    assert "a file of that name" in sent_text(harness)


async def test_changes_are_off_where_local_paths_are(harness: AppHarness, project: Path) -> None:
    client = await harness.connect(allowed_dirs=())

    said = await client.ask("Review this.", files=["git:diff"])

    assert said.is_error
    assert "GEMINI_MCP_ALLOWED_DIRS" in said.text
    assert harness.bodies == []


async def test_the_working_folder_must_be_open(
    harness: AppHarness, project: Path, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    client = await harness.connect(allowed_dirs=(tmp_path / "other",))

    said = await client.ask("Review this.", files=["git:diff"])

    assert said.is_error
    assert harness.bodies == []


async def test_the_same_name_after_an_edit_is_another_question(
    harness: AppHarness, project: Path
) -> None:
    client = await harness.connect(max_wait_seconds=1.5)
    gate = harness.control.hold_next()
    first = await client.ask("Review this.", files=["git:diff"])
    again = await client.ask("Review this.", files=["git:diff"])
    (project / "calculator.py").write_text("def add(a, b):\n    return a + b + 0\n")

    edited = await client.ask("Review this.", files=["git:diff"])
    gate.release()

    assert (first.status, again.status) == ("running", "running")
    assert again.id == first.id
    assert edited.id != first.id
