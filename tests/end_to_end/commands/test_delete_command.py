"""`delete`: gone here and at Google, or said what is not."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import anyio
import pytest

from gemini_interactions.domain.artifact import ArtifactKind
from tests.end_to_end.commands.conftest import Run
from tests.support.app_harness import AppHarness, McpClient


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """A terminal, and what somebody types there."""
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stdin", terminal)
    return terminal


def deleted_ids(harness: AppHarness) -> list[str]:
    return [
        request.path.rsplit("/", 1)[-1]
        for request in harness.control.log
        if request.kind == "delete"
    ]


def files(harness: AppHarness) -> list[Path]:
    return [
        each
        for each in harness.folder.rglob("*")
        if each.is_file() and "gemini.db" not in each.name
    ]


async def test_a_conversation_is_deleted_here_and_at_google(
    harness: AppHarness, client: McpClient, run: Run
) -> None:
    first = await client.ask("One.")
    second = await client.follow("Two.")
    other = await client.ask("Another.")

    ended = await run("delete", first.conversation, "--yes")

    assert (ended.code, ended.err) == (0, "")
    assert ended.out == f"Deleted {first.conversation} here and at Google.\n"
    assert deleted_ids(harness) == [first.interaction, second.interaction]
    listed = (await run("history")).out
    assert first.conversation not in listed
    assert other.conversation in listed


async def test_interactions_on_the_way_to_an_answer_are_deleted_too(
    harness: AppHarness, client: McpClient, run: Run
) -> None:
    own = {"type": "function_call", "id": "g", "name": "google:search", "arguments": {}}
    harness.control.answer_next({"steps": [own], "status": "requires_action"})
    said = await client.ask("One.", tools=["google_search"])

    await run("delete", said.conversation, "--yes")

    assert deleted_ids(harness) == harness.control.chain(said.interaction)
    assert len(deleted_ids(harness)) == 2


async def test_also_where_the_answer_was_aborted(harness: AppHarness, run: Run) -> None:
    client = await harness.connect(max_wait_seconds=0.05)
    own = {"type": "function_call", "id": "g", "name": "google:search", "arguments": {}}
    harness.control.answer_next({"steps": [own], "status": "requires_action"})
    first, second = (harness.control.hold_next("create", "before_completed") for _ in range(2))
    asked = await client.ask("One.", tools=["google_search"])
    assert await first.reached()
    first.release()
    assert await second.reached()
    ids = [post.interaction_id for post in harness.control.posts]
    with anyio.fail_after(60):
        while (await client.result(asked.id)).facts.get("interaction_id") != ids[1]:
            await anyio.sleep(0.01)
    conversations = await client.app.conversations()
    (turn,) = await conversations._store.turns("local", asked.conversation)
    await conversations.stop(turn)

    await run("delete", asked.conversation, "--yes")

    assert deleted_ids(harness) == ids


async def test_the_files_made_in_it_go_too(
    harness: AppHarness, client: McpClient, run: Run
) -> None:
    harness.control.answer_next("A long text. " * 10_000)
    said = await client.ask("Much, please.")
    image = await client.call(
        "gemini_generate_image", prompt="A fig.", conversation_id=said.conversation
    )
    before = files(harness)

    await run("delete", said.conversation, "--yes")

    assert Path(image.facts["path"]) in before
    assert Path(said.facts["path"]) in before
    assert files(harness) == []


async def test_files_outside_our_folders_stay(
    harness: AppHarness, client: McpClient, run: Run
) -> None:
    said = await client.ask("Hello.")
    theirs = harness.folder.parent / "diary.txt"
    theirs.write_text("dear diary")
    (turn,) = await (await client.app.bridge()).conversations._store.turns(
        "local", said.conversation
    )
    await (await client.app.bridge()).conversations._store.add_handle(
        "local", ArtifactKind.IMAGE, turn.conversation_id, 1, now=0, facts={"path": str(theirs)}
    )

    await run("delete", said.conversation, "--yes")

    assert theirs.read_text() == "dear diary"


@pytest.mark.parametrize("answer", ["y\n", "YES\n"])
async def test_it_asks_first_and_says_what_would_go(
    client: McpClient, run: Run, typed: io.StringIO, answer: str
) -> None:
    said = await client.ask("A story about figs.")
    typed.write(answer)
    typed.seek(0)

    ended = await run("delete", said.conversation)

    assert f'Delete {said.conversation} ("A story about figs.", 1 turn)' in ended.out
    assert "Deleted" in ended.out


@pytest.mark.parametrize("answer", ["", "\n", "n\n", "maybe\n"])
async def test_anything_but_yes_deletes_nothing(
    harness: AppHarness, client: McpClient, run: Run, typed: io.StringIO, answer: str
) -> None:
    said = await client.ask("Hello.")
    typed.write(answer)
    typed.seek(0)

    ended = await run("delete", said.conversation)

    assert ended.code == 1
    assert "Nothing was deleted." in ended.out
    assert deleted_ids(harness) == []
    assert said.conversation in (await run("history")).out


async def test_where_nobody_can_be_asked_it_wants_yes(
    client: McpClient, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = await client.ask("Hello.")
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))

    ended = await run("delete", said.conversation)

    assert ended.code == 2
    assert "--yes" in ended.err


async def test_what_google_has_forgotten_counts_as_deleted(
    harness: AppHarness, client: McpClient, run: Run
) -> None:
    said = await client.ask("Hello.")
    harness.control.expire(said.interaction)

    assert (await run("delete", said.conversation, "--yes")).code == 0


async def test_what_google_would_not_delete_is_named_and_gone_here(
    harness: AppHarness, client: McpClient, run: Run
) -> None:
    said = await client.ask("One.")
    second = await client.follow("Two.")
    harness.control.fail_next(500, on="delete")

    ended = await run("delete", said.conversation, "--yes")

    assert ended.code == 1
    assert ended.out == f"Deleted {said.conversation} here.\n"
    assert f"Not deleted at Google: {said.interaction}. " in ended.err
    assert second.interaction not in ended.err
    assert said.conversation not in (await run("history")).out


async def test_without_a_key_all_of_google_is_left_and_said_once(
    harness: AppHarness, client: McpClient, run: Run
) -> None:
    said = await client.ask("One.")
    second = await client.follow("Two.")
    harness.set(GEMINI_API_KEY=None)

    ended = await run("delete", said.conversation, "--yes")

    assert f"{said.interaction}, {second.interaction}. There is no Gemini API key." in ended.err
    assert ended.err.count("There is no Gemini API key.") == 1


async def test_what_google_never_kept_needs_no_key(
    harness: AppHarness, client: McpClient, run: Run
) -> None:
    said = await client.ask("Hello.", store=False)
    harness.set(GEMINI_API_KEY=None)

    ended = await run("delete", said.conversation, "--yes")

    assert (ended.code, ended.err) == (0, "")


async def test_what_still_runs_is_not_deleted(harness: AppHarness, run: Run) -> None:
    gate = harness.control.hold_next()
    client = await harness.connect(max_wait_seconds=0.05)
    said = await client.ask("Slowly.")

    ended = await run("delete", said.conversation, "--yes")

    assert said.status == "running"
    assert ended.code == 2
    assert f"{said.id} is still running" in ended.err
    gate.release()


async def test_only_whole_conversations_are_deleted(
    harness: AppHarness, client: McpClient, run: Run
) -> None:
    said = await client.ask("Hello.")

    ended = await run("delete", said.id, "--yes")

    assert ended.code == 2
    assert f"{said.id} is part of {said.conversation}" in ended.err
    assert deleted_ids(harness) == []
