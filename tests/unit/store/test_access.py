"""What was signed in: each token is used once, whoever comes at the same time."""

from __future__ import annotations

from dataclasses import replace

import anyio

from gemini_interactions.domain.oauth_grants import Client, Grant, Token
from gemini_interactions.store import Store

NOW = 1000.0
GRANT = Grant("g_1", "ann", "credential", "app_1", "App", "https://us/mcp", "", NOW, 0.0)
CODE = Token("hash of a code", "code", "g_1", NOW + 120, '{"challenge":"x"}')


def fresh(number: int) -> Token:
    return Token(f"hash {number}", "refresh", "g_1", NOW + 10_000)


async def test_of_many_who_use_a_token_at_once_none_keeps_anything(store: Store) -> None:
    await store.oauth_grants.add_code(GRANT, CODE)
    became: list[str] = []

    async def use(number: int) -> None:
        became.append(await store.oauth_grants.exchange(CODE.hash, "code", [fresh(number)], NOW))

    async with anyio.create_task_group() as tasks:
        for number in range(8):
            tasks.start_soon(use, number)

    # Whoever comes second ends the grant, and with it what the first one got.
    assert became.count("done") == 1
    assert set(became) <= {"done", "reused", "unknown"}
    assert [await store.oauth_grants.token(fresh(n).hash, "refresh") for n in range(8)] == [
        None
    ] * 8
    assert await store.oauth_grants.grants(None) == []


async def test_a_grant_is_listed_once_its_code_was_exchanged(store: Store) -> None:
    await store.oauth_grants.add_code(GRANT, CODE)
    before = await store.oauth_grants.grants("ann")
    await store.oauth_grants.exchange(CODE.hash, "code", [fresh(1)], NOW + 1)

    assert before == []
    assert await store.oauth_grants.grants("ann") == [replace(GRANT, used=NOW + 1)]
    assert await store.oauth_grants.grants("bob") == []
    found = await store.oauth_grants.token(fresh(1).hash, "refresh")
    assert found is not None
    assert found[1].owner == "ann"
    assert await store.oauth_grants.token(fresh(1).hash, "access") is None


async def test_what_has_run_out_is_deleted(store: Store) -> None:
    await store.oauth_grants.add_code(GRANT, CODE)
    await store.oauth_grants.exchange(CODE.hash, "code", [fresh(1)], NOW)

    await store.oauth_grants.tidy(NOW + 10_000 + 3601)

    assert await store.oauth_grants.token(fresh(1).hash, "refresh") is None
    assert await store.oauth_grants.grants(None) == []


async def test_unused_clients_are_bounded_in_number_and_time(store: Store) -> None:
    added = [
        await store.oauth_grants.add_client(Client(f"app_{number}", "{}", NOW), 3)
        for number in range(5)
    ]
    await store.oauth_grants.add_code(GRANT, CODE)
    await store.oauth_grants.exchange(CODE.hash, "code", [], NOW)
    later = NOW + 86_401

    assert added == [True, True, True, False, False]
    assert await store.oauth_grants.client("app_0", later) is None
    assert await store.oauth_grants.client("app_1", later) is not None
    assert await store.oauth_grants.add_client(Client("app_9", "{}", later), 3)


async def test_attempts_are_counted_by_hour_and_address(store: Store) -> None:
    counts = [await store.oauth_grants.count("guess", who, 7) for who in ("a", "a", "b")]

    assert counts == [1, 2, 1]
    assert await store.oauth_grants.counted("guess", "a", 7) == 2
    assert await store.oauth_grants.counted("guess", "a", 8) == 0
    await store.oauth_grants.tidy(9.5 * 3600)
    assert await store.oauth_grants.counted("guess", "a", 7) == 0
