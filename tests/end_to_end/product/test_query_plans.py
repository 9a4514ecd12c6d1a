"""Every statement of daily use finds its rows by an index, however many turns there are.

The statements are those the whole product sends for calls and in the background, explained by the
databases themselves: no time is measured here. `make bench` does that, with a million turns.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from gemini_interactions.store.databases import sqlite
from gemini_interactions.store.databases.database import Row, Transaction, Value
from gemini_interactions.store.databases.migrations import migrate
from gemini_interactions.store.databases.postgres import Postgres
from tests.support.app_harness import AppHarness
from tests.support.factories import begin
from tests.support.postgres import postgres, postgres_server, postgres_url

__all__ = ["postgres", "postgres_server", "postgres_url"]

GROWING = r"(conversations|turns|words|handles|usage|sessions|known_names|reservations)"
"""Tables that grow with what is done."""


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> dict[str, Sequence[Value]]:
    """What is sent to the database from now on, with one example of its values."""
    sent: dict[str, Sequence[Value]] = {}

    def noted(name: str) -> None:
        send: Callable[..., object] = getattr(sqlite._Transaction, name)

        def noting(self: Transaction, sql: str, parameters: Sequence[Value] = ()) -> object:
            if re.match(rf"(SELECT|WITH|UPDATE|DELETE|INSERT)\b.*\b{GROWING}\b", sql, re.DOTALL):
                sent[sql] = parameters
            return send(self, sql, parameters)

        monkeypatch.setattr(sqlite._Transaction, name, noting)

    noted("execute")
    noted("change")
    return sent


async def use(harness: AppHarness) -> None:
    """What people do every day, and what happens in the background."""
    harness.set(GEMINI_MCP_DAILY_TOKEN_LIMIT="1000000", GEMINI_MCP_RETENTION_DAYS="1")
    client = await harness.connect()
    asked = await client.ask("Hello.")
    said = await client.follow("And then?")
    assert said.status == "completed"
    await client.call("gemini_continue", prompt="Or?", conversation_id=asked.id)
    await client.call("gemini_result", id=said.id)
    await client.call("gemini_generate_image", prompt="a cat")
    await client.call("start_deep_research", question="Why is the sky blue?")
    for kind in ("conversations", "research", "images"):
        await client.history(kind=kind)
    assert client.app.maintenance is not None
    await client.app.maintenance.catch_up()
    assert client.app._components is not None
    store: Any = client.app._components.store
    turn = await begin(store)
    await store.claim_send(turn, holder=turn.lease_holder, now=1.0, lease_until=2.0, places=16)
    await store.delete_conversation(turn.owner, turn.conversation_id)
    await store.count_call(turn.owner, most=10, now=1.0)


async def test_sqlite_reads_no_growing_table_as_a_whole_and_sorts_no_more_than_is_shown(
    harness: AppHarness, statements: dict[str, Sequence[Value]]
) -> None:
    await use(harness)
    database = sqlite.SQLite(str(harness.folder / "gemini.db"))
    with database.transaction(writes=True) as transaction:
        plans = {
            sql: transaction.execute(f"EXPLAIN QUERY PLAN {sql}", parameters)
            for sql, parameters in statements.items()
        }
    database.close()

    assert len(plans) > 30
    assert [f"{slow}: {sql}" for sql, plan in plans.items() for slow in _slow_in_sqlite(plan)] == []


def _slow_in_sqlite(plan: Sequence[Row]) -> Iterator[str]:
    """The steps of a plan that take the longer the more there is."""
    text = "\n".join(step["detail"] for step in plan)
    pages = re.findall(r"(?:MATERIALIZE|CO-ROUTINE) (\w+)", text)
    # A page that is shown, what one turn made, a line of turns as it is followed; what runs just
    # now; environments at Google, which are a week's.
    few = rf"SCAN (SUBQUERY \d+|CONSTANT|{'|'.join([*pages, 'line'])})\b"
    few += r"|.* (handles_by_turn|turns_by_lease|environments_by_age)\b"
    of_owner = r"SEARCH (turns|words|reservations) USING (COVERING )?INDEX \w+ \(owner=\?\)"
    for step in plan:
        detail = step["detail"]
        if re.match(of_owner, detail) and not re.search("turns_waiting|turns_of_agents", detail):
            yield detail
        if detail.startswith("SCAN") and not re.match(few, detail):
            yield detail
        if re.match(r"USE TEMP B-TREE FOR (?!RIGHT PART|LAST TERM)", detail):
            sorted_first = next(
                each["detail"]
                for each in plan
                if each["parent"] == step["parent"] and re.match("SEARCH|SCAN", each["detail"])
            )
            if not re.match(few, sorted_first):
                yield f"{detail} of {sorted_first}"


async def test_postgresql_reads_no_growing_table_as_a_whole(
    harness: AppHarness,
    statements: dict[str, Sequence[Value]],
    postgres_url: str,
) -> None:
    await use(harness)
    database = Postgres(postgres_url)
    migrate(database)
    with database.transaction(writes=True) as transaction:
        transaction.execute("SELECT set_config('enable_seqscan', 'off', true)")
        plans = {
            sql: "\n".join(
                row["QUERY PLAN"] for row in transaction.execute(f"EXPLAIN {sql}", parameters)
            )
            for sql, parameters in statements.items()
        }
    database.close()

    assert len(plans) > 30
    scanned = rf"Seq Scan on {GROWING}\b"
    assert {sql: plan for sql, plan in plans.items() if re.search(scanned, plan)} == {}


async def test_a_question_asked_ten_thousand_times_is_not_searched_for_an_owed_answer_one_by_one(
    harness: AppHarness, statements: dict[str, Sequence[Value]]
) -> None:
    await use(harness)
    (joinable,) = [sql for sql in statements if "delivery = 'owed'" in sql and "SELECT" in sql]
    database = sqlite.SQLite(str(harness.folder / "gemini.db"))

    with database.transaction(writes=False) as transaction:
        plan = transaction.execute(f"EXPLAIN QUERY PLAN {joinable}", statements[joinable])
    database.close()

    assert re.search(r"USING INDEX turns_owed\b", plan[0]["detail"])
