"""Owners on different replicas see only their own, over every tool, resource and route.

What is tried is the table of `tests/end_to_end/http/test_isolation.py`; here Ann and Bob are on
replicas of their own, so that nothing either process remembers helps or hurts.
"""

from __future__ import annotations

import json
import re

import anyio
import pytest

from tests.end_to_end.http.test_isolation import ROWS, SECRET, TEMPLATES, Names, without_names
from tests.resilience.replicas.test_sharing import path_of
from tests.support.cluster_harness import Cluster, ClusterClient, Replica

Pair = tuple[Replica, Replica]


@pytest.fixture
async def pair(cluster: Cluster) -> Pair:
    """Two replicas with every tool."""
    one, other = await cluster.open(2, GEMINI_MCP_TOOLSETS="all")
    return one, other


@pytest.fixture
async def bob(cluster: Cluster, pair: Pair) -> ClusterClient:
    return await cluster.connect(pair[1], token="bobs-token")


@pytest.fixture
async def names(cluster: Cluster, pair: Pair) -> Names:
    """Everything Ann has made on her replica, under names that Bob may have seen."""
    ann = await cluster.connect(pair[0], token="anns-token")
    video = await ann.call("gemini_generate_video", prompt=f"a {SECRET}")
    await ann.call("gemini_result", id=video.id, wait_seconds=20)
    run = await ann.call("gemini_run_agent", prompt=f"Write {SECRET}.md with words")
    await ann.call("gemini_result", id=run.id, wait_seconds=20)
    fetched = await ann.call("gemini_agent_files", id=run.id, path=f"{SECRET}.md")
    cluster.control.hold_background()
    audio = await ann.call("gemini_generate_speech", text=f"a {SECRET}")
    asked = await ann.ask(f"Tell me of the {SECRET}.")
    image = await ann.call("gemini_generate_image", prompt=f"a {SECRET}")
    research = await ann.research(f"Who made the {SECRET}?")
    (stored,) = cluster.images.glob("*.jpg")
    return Names(
        {
            "conversation": asked.conversation,
            "turn": asked.id,
            "interaction": asked.interaction,
            "image": str(image.facts["image_id"]),
            "audio": str(audio.facts["audio_id"]),
            "video": str(video.facts["video_id"]),
            "research": research,
            "run": run.id,
            "agent": "anns-agent",
            "file": re.findall(r"f_[0-9a-z]{10}", fetched.text)[0],
            "path": str(stored),
            "word": SECRET,
            "link": path_of(image),
        },
        {
            "conversation": "c_0000000000",
            "turn": "c_0000000000/1",
            "interaction": cluster.control.unknown_id(),
            "image": "i_0000000000",
            "audio": "a_0000000000",
            "video": "v_0000000000",
            "research": "r_0000000000",
            "run": "c_1111111111/1",
            "agent": "nobodys-agent",
            "file": "f_0000000000",
            "path": str(stored.with_stem("0" * len(stored.stem))),
            "word": "qwertyuiop",
            "link": "/images/i_0000000000/x",
        },
    )


async def test_on_another_replica_too_what_is_anothers_reads_like_what_never_was(
    cluster: Cluster, bob: ClusterClient, names: Names, subtests: pytest.Subtests
) -> None:
    for row in ROWS:
        before = len(cluster.control.log)

        anns = await bob.call(row.tool, **row.filled(names.anns))
        nobodys = await bob.call(row.tool, **row.filled(names.nobodys))

        # Ann's own replica goes on looking at her research meanwhile.
        told = [
            json.dumps([each.path, each.body])
            for each in cluster.control.log[before:]
            if each.kind != "get"
        ]
        with subtests.test(str(row)):
            assert _seen(anns.text, names.anns) == _seen(nobodys.text, names.nobodys)
            assert (anns.is_error, anns.status) == (nobodys.is_error, nobodys.status)
            assert SECRET not in _seen(anns.text, names.anns)
            assert [each for each in told for name in names.anns.values() if name in each] == []


def _seen(text: str, names: dict[str, str]) -> str:
    """Every image of Bob's has a link of its own."""
    return re.sub(r"http://\S+/images/\S+", "<link>", without_names(text, names))


async def test_on_another_replica_too_a_resource_of_anothers_reads_like_one_that_never_was(
    bob: ClusterClient, names: Names
) -> None:
    for template, kinds in TEMPLATES.items():
        for kind in kinds:
            refusals = []
            for ids in (names.anns, names.nobodys):
                answer = await bob.request(
                    "resources/read", uri=template.replace("{id}", ids[kind])
                )
                refusals.append(without_names(json.dumps(answer["error"]), ids))

            assert refusals[0] == refusals[1]


async def test_on_another_replica_too_lists_hold_only_what_is_ones_own(
    bob: ClusterClient, names: Names
) -> None:
    own = await bob.ask("mine")
    for kind in ("conversations", "research", "images"):
        listed = await bob.call("gemini_history", kind=kind)

        assert [name for name in names.anns.values() if name in listed.text] == []
        assert (own.conversation in listed.text) is (kind == "conversations")
    usage = await bob.request("resources/read", uri="gemini://usage")
    assert "image" not in json.dumps(usage["result"]["contents"])


async def test_no_route_tells_who_has_not_said_who_they_are(
    cluster: Cluster, bob: ClusterClient, names: Names
) -> None:
    image, ticket = names.anns["link"].rsplit("/", 2)[1:]
    stranger = await cluster.connect(token="anns-token")
    stranger.http.headers.pop("authorization")

    refused = await stranger.http.post("/mcp", json={})
    forged = await bob.http.get(f"/images/{image}/{ticket[:-4]}AAAA")
    unknown = await bob.http.get(names.nobodys["link"])

    assert refused.status_code == 401
    assert (forged.status_code, forged.text) == (unknown.status_code, unknown.text)
    for probe in ("/healthz", "/readyz"):
        assert (await stranger.http.get(probe)).text in ("alive\n", "ready\n")


async def test_an_owners_daily_limit_holds_across_replicas_and_for_nobody_else(
    cluster: Cluster,
) -> None:
    one, other = await cluster.open(2, GEMINI_MCP_DAILY_TOKEN_LIMIT="100")
    here, there = await cluster.connect(one), await cluster.connect(other)
    bob = await cluster.connect(other, token="bobs-token")
    usage = {"total_input_tokens": 60, "total_output_tokens": 40, "total_tokens": 100}
    cluster.control.answer_next({"text": "Hi.", "usage": usage})
    first = await here.ask("Hello")

    refused = [await each.ask("Hello again") for each in (here, there)]
    research = await there.call("start_deep_research", question="Why?")
    bobs = await bob.ask("Hello")

    assert first.status == bobs.status == "completed"
    assert all("limit of 100 tokens is used up" in each.text for each in [*refused, research])
    assert len(cluster.control.posts) == 2


async def test_asks_at_once_on_two_replicas_reserve_before_they_are_sent(cluster: Cluster) -> None:
    replicas = await cluster.open(2, GEMINI_MCP_DAILY_TOKEN_LIMIT="3000")
    clients = [await cluster.connect(each) for each in replicas]
    usage = {"total_input_tokens": 100, "total_output_tokens": 1_200, "total_tokens": 1_300}
    for _ in range(20):
        cluster.control.answer_next({"text": "Hi.", "usage": usage})
    said = []

    async def ask(number: int) -> None:
        said.append(await clients[number % 2].ask(f"Question {number}?"))

    async with anyio.create_task_group() as tasks:
        for number in range(20):
            tasks.start_soon(ask, number)

    refused = [each for each in said if each.is_error]
    assert len(cluster.control.posts) == 2
    assert len(refused) == 18
    assert all("3,000 tokens has no room" in each.text for each in refused)
