"""`history`: what there is, newest first, for people."""

from __future__ import annotations

import sys

import pytest

from tests.end_to_end.commands.conftest import Run
from tests.support.app_harness import AppHarness, McpClient


async def test_conversations_are_listed_newest_first(
    harness: AppHarness, client: McpClient, run: Run
) -> None:
    first = await client.ask("One.")
    harness.clock.advance(60)
    second = await client.ask("Two.")
    await client.follow("And more.")

    ended = await run("history")

    assert ended.code == 0
    assert ended.out.splitlines() == [
        "ID            TURNS  LAST ACTIVITY         STATUS           FIRST PROMPT",
        f"{second.conversation}      2  2026-11-22 12:01 UTC  completed        Two.",
        f"{first.conversation}      1  2026-11-22 12:00 UTC  completed        One.",
    ]


async def test_a_limit_and_a_query_choose_some(
    harness: AppHarness, client: McpClient, run: Run
) -> None:
    for word in ("figs", "plums", "more figs"):
        await client.ask(f"About {word}.")
        harness.clock.advance(1)

    found = await run("history", "--query", "FIGS")
    newest = await run("history", "--limit", "1")

    assert [line.split("  ")[-1] for line in found.out.splitlines()[1:]] == [
        "About more figs.",
        "About figs.",
    ]
    assert len(newest.out.splitlines()) == 2
    assert newest.err == "1 of 3; --limit shows more.\n"


async def test_where_nothing_is_kept_it_says_so_and_makes_nothing(
    harness: AppHarness, run: Run
) -> None:
    ended = await run("history")

    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith("Nothing is kept here yet")
    assert not harness.folder.exists()


async def test_a_query_that_finds_nothing_is_repeated(client: McpClient, run: Run) -> None:
    await client.ask("One.")

    assert (await run("history", "--query", "plum")).out == 'No conversation has "plum" in it.\n'


async def test_a_long_prompt_is_one_line_that_steers_no_terminal(
    client: McpClient, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    await client.ask(f"Red \x1b[31m\nand {'long ' * 100}")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")

    _, line = (await run("history")).out.splitlines()

    assert "\x1b" not in line
    assert len(line) == 80
    assert line.endswith("…")


@pytest.mark.parametrize("limit", ["0", "-1", "many", "1.5"])
async def test_a_limit_is_a_number_of_at_least_one(run: Run, limit: str) -> None:
    with pytest.raises(SystemExit) as ended:
        await run("history", f"--limit={limit}")

    assert ended.value.code == 2


async def test_a_database_that_cannot_be_opened_is_told_in_a_sentence(
    harness: AppHarness, run: Run
) -> None:
    harness.folder.mkdir()
    (harness.folder / "gemini.db").write_text("not a database" * 100)

    ended = await run("history")

    assert ended.code == 2
    assert "The database file is damaged" in ended.err
    assert "Traceback" not in ended.err
