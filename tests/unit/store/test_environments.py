"""Environments that agents work in, and the list of their runs."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from gemini_interactions.domain.agent_environments import AgentRun, Environment
from gemini_interactions.domain.types import Turn, TurnSettings
from gemini_interactions.store import Store
from tests.support.factories import OWNER, begin, follow

AGENT = "antigravity-preview-09-2026"


async def run(store: Store, **more: Any) -> Turn:
    return await begin(store, kind="agent", settings=TurnSettings(model=AGENT), **more)


async def ids(store: Store, query: str = "", limit: int = 9, offset: int = 0) -> list[str]:
    runs = await store.environments.runs(OWNER, query=query, limit=limit, offset=offset)
    return [each.id for each in runs]


async def test_an_environment_is_its_owners_alone(store: Store) -> None:
    await store.environments.add(OWNER, "env_1", "c_1", has_files=False, now=100)
    await store.environments.add("ann", "env_1", "c_2", has_files=True, now=101)

    assert await store.environments.find(OWNER, "env_1") == Environment(
        "env_1", OWNER, "c_1", 100, 100, has_files=False
    )
    assert await store.environments.find("ann", "env_1") == Environment(
        "env_1", "ann", "c_2", 101, 101, has_files=True
    )
    assert await store.environments.find("thief", "env_1") is None
    assert await store.environments.of_conversation("thief", "c_1") == []
    assert await store.environments.of_owner("thief") == []


async def test_one_that_is_forgotten_is_forgotten_for_its_owner_alone(store: Store) -> None:
    for owner in (OWNER, "ann"):
        await store.environments.add(owner, "env_1", "c_1", has_files=False, now=100)

    await store.environments.forget(OWNER, "env_1")

    assert await store.environments.find(OWNER, "env_1") is None
    assert await store.environments.find("ann", "env_1") is not None


@pytest.mark.parametrize(("first", "later"), [(True, False), (False, True), (True, True)])
async def test_an_environment_that_was_given_files_keeps_them(
    store: Store, first: bool, later: bool
) -> None:
    await store.environments.add(OWNER, "env_1", "c_1", has_files=first, now=100)
    await store.environments.add(OWNER, "env_1", "c_other", has_files=later, now=200)

    assert await store.environments.find(OWNER, "env_1") == Environment(
        "env_1", OWNER, "c_1", 100, 200, has_files=True
    )


async def test_environments_are_listed_by_age_in_a_conversation_and_by_use_for_an_owner(
    store: Store,
) -> None:
    for now, id in enumerate(("env_b", "env_a", "env_c"), 100):
        await store.environments.add(OWNER, id, "c_1", has_files=False, now=now)
    await store.environments.add(OWNER, "env_b", "c_1", has_files=False, now=200)

    of_conversation = await store.environments.of_conversation(OWNER, "c_1")
    of_owner = await store.environments.of_owner(OWNER)

    assert [each.id for each in of_conversation] == ["env_b", "env_a", "env_c"]
    assert [each.id for each in of_owner] == ["env_b", "env_c", "env_a"]


async def test_orphans_are_those_unused_and_those_whose_conversation_is_gone(store: Store) -> None:
    kept, deleted = await begin(store), await begin(store)
    for id, turn, now in (("old", kept, 50), ("used", kept, 500), ("left", deleted, 500)):
        await store.environments.add(OWNER, id, turn.conversation_id, has_files=False, now=now)
    await store.delete_conversation(OWNER, deleted.conversation_id)

    assert [each.id for each in await store.environments.orphans(before=100)] == ["old", "left"]
    assert [each.id for each in await store.environments.orphans(before=50)] == ["left"]


async def test_the_same_environment_used_at_the_same_time_is_one(store: Store) -> None:
    async def use(number: int) -> None:
        await store.environments.add(OWNER, "env_1", "c_1", has_files=number == 3, now=100)

    async with anyio.create_task_group() as tasks:
        for number in range(10):
            tasks.start_soon(use, number)

    (found,) = await store.environments.of_owner(OWNER)
    assert found.has_files


async def test_runs_are_listed_newest_first_without_other_turns(store: Store) -> None:
    first = await run(store, now=100.0)
    await begin(store, now=101.0)
    await begin(store, owner="ann", kind="agent", now=102.0)
    second = await follow(store, first, kind="agent", now=103.0, extra={"environment_id": "e_1"})

    listed = await store.environments.runs(OWNER, limit=9)

    assert listed == [
        AgentRun(
            *(second.conversation_id, 2, 103.0, "Why is the sky blue?", second.status),
            *("gemini-3.8-flash", "e_1"),
        ),
        AgentRun(
            *(first.conversation_id, 1, 100.0, "Why is the sky blue?", first.status, AGENT, "")
        ),
    ]
    assert await store.environments.count_runs(OWNER) == 2
    assert await store.environments.count_runs("ann") == 1


async def test_runs_are_found_literally_in_prompts_and_answers(store: Store) -> None:
    one = await run(store, prompt="Count 100% of the owls_", now=100.0)
    other = await run(store, prompt="Something else", now=101.0)
    await store.finish(other, status="completed", text="Owls\\ are CAFÉ guests", now=102)

    assert await ids(store, "OWLS") == [other.id, one.id]
    assert await ids(store, "100%") == [one.id]
    assert await ids(store, "%") == [one.id]
    assert await ids(store, "_") == [one.id]
    assert await ids(store, "\\") == [other.id]
    assert await ids(store, "café") == [other.id]
    assert await ids(store, "1 OR 1=1") == []
    assert await store.environments.count_runs(OWNER, "owls") == 2


async def test_runs_are_read_in_pages(store: Store) -> None:
    made = [(await run(store, now=100.0 + number)).id for number in range(5)]

    pages = [await ids(store, limit=2, offset=offset) for offset in (0, 2, 4, 6)]

    assert [id for page in pages for id in page] == made[::-1]
    assert [len(page) for page in pages] == [2, 2, 1, 0]


async def test_a_long_prompt_is_cut_in_the_list(store: Store) -> None:
    await run(store, prompt="😀" * 600)

    (listed,) = await store.environments.runs(OWNER, limit=9)

    assert listed.prompt == "😀" * 500
