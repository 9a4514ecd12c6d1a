"""Several real processes (replicas, or stdio servers of several hosts) on one database."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gemini_interactions.store import Store
from tests.support.factories import OWNER, begin, reload

pytestmark = pytest.mark.processes

FOLLOWER = """
import sys, anyio
from gemini_interactions.domain.types import TurnSettings
from gemini_interactions.store import Store

async def main(url, conversation_id, holder, often):
    store = await Store.open(url)
    print("ready", flush=True)
    sys.stdin.readline()
    for n in range(int(often)):
        turn = await store.follow(
            "local", conversation_id, kind="continue", prompt=f"{n}", settings=TurnSettings(),
            holder=holder, lease_until=200, now=100,
        )
        print(turn.n, turn.parent, flush=True)
        await store.renew(holder, 300)
        assert await store.finish(turn, status="completed", now=101, text=holder)
    await store.close()

anyio.run(main, *sys.argv[1:])
"""


def process(script: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", script, *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def release(one: subprocess.Popen[str]) -> None:
    assert one.stdin is not None
    one.stdin.write("go\n")
    one.stdin.flush()


def read_line(one: subprocess.Popen[str]) -> str:
    assert one.stdout is not None
    return one.stdout.readline()


async def test_processes_that_follow_one_conversation_at_once_make_one_gapless_chain(
    url: str,
) -> None:
    store = await Store.open(url)
    first = await begin(store)
    often = 60

    others = [process(FOLLOWER, url, first.conversation_id, holder, str(often)) for holder in "AB"]
    assert [read_line(other) for other in others] == ["ready\n", "ready\n"]
    for other in others:
        release(other)
    lines = [other.communicate()[0].splitlines() for other in others]

    assert [other.returncode for other in others] == [0, 0]
    made = sorted(tuple(map(int, line.split())) for part in lines for line in part)
    assert made == [(n, n - 1) for n in range(2, 2 + 2 * often)]
    turns = await store.turns(OWNER, first.conversation_id)
    assert [turn.text for turn in turns].count("A") == often
    assert [turn.text for turn in turns].count("B") == often
    await store.close()


async def test_processes_that_start_at_once_on_a_new_database_share_it(url: str) -> None:
    starter = """
import sys, anyio
from gemini_interactions.domain.types import TurnSettings
from gemini_interactions.store import Store

async def main(url):
    print("ready", flush=True)
    sys.stdin.readline()
    store = await Store.open(url)
    await store.begin(
        "local", kind="ask", prompt="Hi", settings=TurnSettings(), holder="h", lease_until=1, now=1
    )
    await store.close()

anyio.run(main, *sys.argv[1:])
"""
    others = [process(starter, url) for _ in range(4)]
    assert {read_line(other) for other in others} == {"ready\n"}
    for other in others:
        release(other)
    for other in others:
        other.communicate()

    assert [other.returncode for other in others] == [0, 0, 0, 0]
    store = await Store.open(url)
    assert await store.count_conversations(OWNER) == 4
    await store.close()


async def test_a_process_killed_at_work_leaves_whole_turns_which_another_takes_over(
    url: str,
) -> None:
    store = await Store.open(url)
    first = await begin(store, lease_until=1000)
    victim = process(FOLLOWER, url, first.conversation_id, "victim", "100000")
    assert read_line(victim) == "ready\n"
    release(victim)
    promised = [int(read_line(victim).split()[0]) for _ in range(20)]

    victim.kill()
    promised += [int(line.split()[0]) for line in victim.communicate()[0].splitlines()[:-1]]

    turns = {turn.n: turn for turn in await store.turns(OWNER, first.conversation_id)}
    assert set(promised) <= set(turns)
    assert all(turns[n].status == "completed" for n in promised[:-1])
    left = [turn for turn in await store.expired(500, 9) if turn.lease_holder == "victim"]
    assert len(left) <= 1
    for turn in left:
        assert await store.take_over(turn, "survivor", 900)
        assert (await reload(store, turn)).lease_holder == "survivor"
    await store.close()


async def test_importing_the_store_loads_no_database_driver(tmp_path: Path) -> None:
    look = "import sys, gemini_interactions.store; print({'sqlite3', 'psycopg'} & {*sys.modules})"

    assert process(look).communicate()[0] == "set()\n"
