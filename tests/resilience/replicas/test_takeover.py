"""A replica that is gone: what it worked on is finished by another, and paid for once."""

from __future__ import annotations

import signal

import anyio
import httpx2
import pytest

from tests.support.cluster_harness import PATIENCE, Cluster, ClusterClient, Replica, until, until_so
from tests.support.postgres import Postgres

Pair = tuple[Replica, Replica]


def creates(cluster: Cluster) -> int:
    return len(cluster.control.posts)


async def begun_slowly(cluster: Cluster, replica: Replica) -> str:
    """The id of a turn that this replica is making, and Google has named."""
    client = await cluster.connect(replica)
    said = await client.ask("Slowly, please")
    assert said.status == "running", said.text
    await until(
        lambda: [post.interaction_id for post in cluster.control.posts][-1:] not in ([], [None])
    )
    return said.id


async def test_a_turn_that_ran_on_a_killed_replica_is_finished_by_another(cluster: Cluster) -> None:
    one, other = await cluster.open(2, GEMINI_MCP_MAX_WAIT_SECONDS="0.5")
    gate = cluster.control.hold_next("create", "before_completed")
    turn = await begun_slowly(cluster, one)
    there = await cluster.connect(other)

    one.kill()
    assert await one.ended() == -signal.SIGKILL
    gate.release()
    said = await there.finished(id=turn)

    assert said.status == "completed", said.text
    assert "Slowly, please" in said.piece
    assert creates(cluster) == 1


async def test_a_turn_google_never_confirmed_is_interrupted_with_its_prompt_kept(
    cluster: Cluster,
) -> None:
    one, other = await cluster.open(2, GEMINI_MCP_MAX_WAIT_SECONDS="0.5")
    gate = cluster.control.hold_next("create", "before_created")
    said = await (await cluster.connect(one)).ask("A prompt worth keeping")
    assert await gate.reached(PATIENCE)
    there = await cluster.connect(other)

    one.kill()
    await one.ended()
    found = await there.finished(id=said.id)
    told = await there.call("gemini_history", id=said.conversation)

    assert found.status == "interrupted"
    assert "A prompt worth keeping" in told.text
    assert creates(cluster) == 1


async def test_a_research_of_a_killed_replica_is_followed_to_its_end_by_another(
    cluster: Cluster, pair: Pair
) -> None:
    one, other = pair
    cluster.control.hold_background()
    research = await (await cluster.connect(one)).research("Who invented the wheel?")
    there = await cluster.connect(other)
    assert not await _is_over(there)

    one.kill()
    await one.ended()
    cluster.control.finish(str(cluster.control.posts[0].interaction_id), "The wheel was found.")
    # Nobody asks for it: the list only tells how it stands.
    await until_so(lambda: _is_over(there))
    said = await there.call("check_research", research_id=research)

    assert said.status == "completed"
    assert "The wheel was found." in said.piece
    assert creates(cluster) == 1


async def _is_over(client: ClusterClient) -> bool:
    return "running" not in (await client.call("gemini_history", kind="research")).text


async def test_continues_queued_behind_a_killed_replicas_turn_go_on_without_it(
    cluster: Cluster,
) -> None:
    one, other = await cluster.open(2, GEMINI_MCP_MAX_WAIT_SECONDS="0.5")
    gate = cluster.control.hold_next("create", "before_completed")
    turn = await begun_slowly(cluster, one)
    there = await cluster.connect(other)
    queued = await there.follow("And then?", conversation_id=turn.partition("/")[0])

    one.kill()
    await one.ended()
    gate.release()
    said = await there.finished(id=queued.id)

    assert (queued.status, said.status) == ("running", "completed")
    assert cluster.control.posts[-1].body["previous_interaction_id"] == (
        cluster.control.posts[0].interaction_id
    )
    assert creates(cluster) == 2


async def test_a_replica_that_stalled_and_wakes_again_writes_nothing_over_its_successors_work(
    cluster: Cluster,
) -> None:
    one, other = await cluster.open(2, GEMINI_MCP_MAX_WAIT_SECONDS="0.5")
    gate = cluster.control.hold_next("create", "before_completed")
    turn = await begun_slowly(cluster, one)
    here, there = await cluster.connect(one), await cluster.connect(other)

    one.signal(signal.SIGSTOP)
    gate.release()
    said = await there.finished(id=turn)
    one.signal(signal.SIGCONT)
    again = await here.finished(id=turn)

    assert (said.status, again.status) == ("completed", "completed")
    assert again.piece == said.piece
    assert creates(cluster) == 1


# ------------------------------------------------------------------- clocks that are off


@pytest.mark.parametrize("ahead", [60, -60])
async def test_a_replica_whose_clock_is_a_minute_off_leaves_live_turns_alone(
    cluster: Cluster, ahead: int
) -> None:
    settings = {"GEMINI_MCP_MAX_WAIT_SECONDS": "0.5", "GEMINI_MCP_MAX_CONCURRENT": "1"}
    (one,) = await cluster.open(1, **settings)
    cluster.clock = ahead
    (off,) = await cluster.open(1, **settings)
    here, there = await cluster.connect(one), await cluster.connect(off)
    gates = [cluster.control.hold_next("create", "before_completed") for _ in range(2)]
    running = [await each.ask(f"Slowly, {name}") for each, name in ((here, "one"), (there, "off"))]
    for gate in gates:
        assert await gate.reached(PATIENCE)
    queued = [await each.ask(f"Later, {name}") for each, name in ((here, "one"), (there, "off"))]

    # Two leases long each asks for the other's turns: looking is when a lease is judged.
    with anyio.move_on_after(4.5):
        while True:
            for each, others in ((here, 1), (there, 0)):
                assert (await each.result(running[others].id)).status == "running"
                assert (await each.result(queued[others].id)).status == "running"
    for gate in gates:
        gate.release()
    said = [await here.finished(id=each.id) for each in (*running, *queued)]

    assert {each.status for each in said} == {"completed"}
    assert creates(cluster) == 4
    assert "is another process's now" not in one.log + off.log


@pytest.mark.parametrize("ahead", [60, -60])
async def test_turns_of_a_killed_replica_whose_clock_was_a_minute_off_are_taken_over(
    cluster: Cluster, ahead: int
) -> None:
    cluster.clock = ahead
    (off,) = await cluster.open(1, GEMINI_MCP_MAX_WAIT_SECONDS="0.5")
    cluster.clock = 0
    (one,) = await cluster.open(1)
    gate = cluster.control.hold_next("create", "before_completed")
    turn = await begun_slowly(cluster, off)

    off.kill()
    await off.ended()
    gate.release()
    said = await (await cluster.connect(one)).finished(id=turn)

    assert said.status == "completed", said.text
    assert creates(cluster) == 1


# ---------------------------------------------------------------------------- a polite end


async def test_sigterm_lets_a_call_finish_and_ends_well(cluster: Cluster, pair: Pair) -> None:
    one, _ = pair
    gate = cluster.control.hold_next("create", "before_completed")
    client = await cluster.connect(one)
    said = []

    async def ask() -> None:
        said.append(await client.ask("Nearly done"))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask)
        assert await gate.reached(PATIENCE)
        one.signal(signal.SIGTERM)
        await until_so(lambda: _is_draining(one))
        gate.release()

    assert said[0].status == "completed"
    assert await one.ended() == 0


async def _is_draining(replica: Replica) -> bool:
    """Whether it lets nobody in any more, or says that it is not ready."""
    async with httpx2.AsyncClient(trust_env=False) as http:
        try:
            return (await http.get(f"{replica.url}/readyz")).status_code != 200
        except httpx2.TransportError:
            return True


async def test_work_that_outlasts_a_replicas_drain_is_taken_over_at_once(cluster: Cluster) -> None:
    # The lease is longer than the test waits: what is drained is handed on, not left to expire.
    one, other = await cluster.open(
        2, GEMINI_MCP_MAX_WAIT_SECONDS="0.5", GEMINI_MCP_LEASE_SECONDS="300"
    )
    cluster.control.hold_background()
    gate = cluster.control.hold_next("create", "before_completed")
    turn = await begun_slowly(cluster, one)
    research = await (await cluster.connect(one)).research("Who invented the wheel?")
    there = await cluster.connect(other)

    one.signal(signal.SIGTERM)
    assert await one.ended() == 0
    gate.release()
    cluster.control.finish(str(cluster.control.posts[1].interaction_id), "The wheel was found.")
    said = await there.finished(id=turn)
    report = await there.finished("check_research", research_id=research)

    assert (said.status, report.status) == ("completed", "completed")
    assert "The wheel was found." in report.piece
    assert creates(cluster) == 2


# ----------------------------------------------------------------------------- the database


async def test_a_database_that_restarts_in_the_middle_of_calls_loses_nothing(
    cluster: Cluster, pair: Pair, postgres: Postgres
) -> None:
    one, other = pair
    here, there = await cluster.connect(one), await cluster.connect(other)
    before = await here.ask("Before the restart")
    cluster.control.hold_background()
    research = await here.research("Who invented the wheel?")
    gate = cluster.control.hold_next("create", "before_completed")
    said = []

    async def ask() -> None:
        said.append(await here.ask("In the middle of it"))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask)
        assert await gate.reached(PATIENCE)
        await anyio.to_thread.run_sync(postgres.stop)
        refused = await there.ask("While it is away")
        await anyio.to_thread.run_sync(postgres.start)
        gate.release()
    cluster.control.finish(str(cluster.control.posts[1].interaction_id), "The wheel was found.")

    assert said[0].status == "completed", said[0].text
    assert refused.is_error
    kept = [await there.finished(id=each.id) for each in (before, said[0])]
    report = await there.finished("check_research", research_id=research)
    assert [each.status for each in kept] == ["completed", "completed"]
    assert "The wheel was found." in report.piece
    assert creates(cluster) == 3


async def test_an_answer_that_comes_while_the_database_is_away_is_written_down_afterwards(
    cluster: Cluster, pair: Pair, postgres: Postgres
) -> None:
    one, other = pair
    here, there = await cluster.connect(one), await cluster.connect(other)
    gate = cluster.control.hold_next("create", "before_completed")
    said = []

    async def ask() -> None:
        said.append(await here.ask("In the middle of it"))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask)
        assert await gate.reached(PATIENCE)
        await anyio.to_thread.run_sync(postgres.stop)
        gate.release()
        await until(lambda: cluster.control.posts[0].ended)
        await anyio.to_thread.run_sync(postgres.start)

    assert said[0].status == "completed", said[0].text
    kept = await there.finished(id=said[0].id)
    assert kept.status == "completed"
    assert kept.piece == said[0].piece
    assert creates(cluster) == 1


# ------------------------------------------------------------------------------ at the start


@pytest.mark.parametrize("number", [4])
async def test_replicas_that_start_together_make_the_tables_once(
    cluster: Cluster, number: int
) -> None:
    replicas = await cluster.open(number)
    clients = [await cluster.connect(each) for each in replicas]
    said = {}

    async def ask(n: int) -> None:
        said[n] = await clients[n].ask(f"Hello from {n}")

    async with anyio.create_task_group() as tasks:
        for n in range(number):
            tasks.start_soon(ask, n)

    assert {each.status for each in said.values()} == {"completed"}
    listed = [await each.call("gemini_history") for each in clients]
    assert len({each.text for each in listed}) == 1
    assert [each.log.splitlines()[1:] for each in replicas] == [[]] * number


async def test_a_replica_that_starts_before_its_database_serves_once_that_is_there(
    cluster: Cluster, postgres: Postgres
) -> None:
    await anyio.to_thread.run_sync(postgres.stop)
    try:
        (early,) = await cluster.open(1)
        client = await cluster.connect(early)
        refused = await client.ask("Is anybody there?")
        is_ready = await client.http.get("/readyz")
    finally:
        await anyio.to_thread.run_sync(postgres.start)
    said = await client.ask("Is anybody there?")

    assert refused.is_error
    assert "GEMINI_MCP_DATABASE_URL" in refused.text
    assert is_ready.status_code == 503
    assert said.status == "completed"
    assert (await client.http.get("/readyz")).status_code == 200
