"""What one replica made every other serves, to clients of both eras, in one order for all."""

from __future__ import annotations

import anyio
import pytest
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client

from tests.support.app_harness import ToolResult
from tests.support.cluster_harness import Cluster, ClusterClient, Replica

Pair = tuple[Replica, Replica]
THREAD = {"threadId": "0199-thread"}
"""How a host names the thread a call belongs to."""


def path_of(made: ToolResult) -> str:
    """The path of the link in an answer."""
    (link,) = (word for word in made.text.split() if "/images/" in word)
    return link[link.index("/images/") :]


async def chain(cluster: Cluster) -> list[str]:
    """The prompts along the newest interaction's chain, as Google has it, oldest first."""
    prompts = {post.interaction_id: post.body["input"] for post in cluster.control.posts}
    newest = cluster.control.posts[-1].interaction_id
    assert newest is not None
    return [prompts[each] for each in cluster.control.chain(newest)]


async def test_a_conversation_begun_on_one_replica_goes_on_and_is_told_on_another(
    cluster: Cluster, pair: Pair
) -> None:
    here, there = [await cluster.connect(each) for each in pair]
    asked = await here.ask("My name is Ada.")

    followed = await there.follow("What is my name?", conversation_id=asked.conversation)
    told = await here.call("gemini_history", id=asked.conversation)

    assert (followed.status, followed.turn) == ("completed", 2)
    assert "Ada" in followed.piece
    assert "What is my name?" in told.text
    assert await chain(cluster) == ["My name is Ada.", "What is my name?"]


async def test_an_answer_nobody_waited_for_is_collected_on_another_replica(
    cluster: Cluster,
) -> None:
    one, other = await cluster.open(2, GEMINI_MCP_MAX_WAIT_SECONDS="0.3")
    gate = cluster.control.hold_next("create", "before_completed")
    here, there = await cluster.connect(one), await cluster.connect(other)
    begun = await here.ask("Slowly, please")

    waiting = await there.result(begun.id)
    gate.release()
    collected = await there.finished(id=begun.id)

    assert (begun.status, waiting.status, collected.status) == ("running", "running", "completed")
    assert collected.piece
    assert len(cluster.control.posts) == 1


async def test_a_call_asked_again_on_another_replica_joins_the_one_that_runs(
    cluster: Cluster,
) -> None:
    one, other = await cluster.open(2, GEMINI_MCP_MAX_WAIT_SECONDS="0.3")
    gate = cluster.control.hold_next("create", "before_completed")
    begun = await (await cluster.connect(one)).ask("Slowly, please")
    there = await cluster.connect(other)

    again = await there.ask("Slowly, please")
    gate.release()
    await there.finished(id=begun.id)

    assert again.id == begun.id
    assert len(cluster.control.posts) == 1


async def test_a_research_started_on_one_replica_is_read_on_every_other(cluster: Cluster) -> None:
    replicas = await cluster.open(3)
    cluster.control.research_seconds = 1.0
    cluster.control.report_charts = 1
    here, *others = [await cluster.connect(each) for each in replicas]
    research = await here.research("Who invented the wheel?")

    told = [await each.finished("check_research", research_id=research) for each in others]
    told.append(await here.finished("check_research", research_id=research))

    assert {each.status for each in told} == {"completed"}
    assert len({each.piece for each in told}) == 1
    assert len(cluster.control.posts) == 1


async def test_a_chart_of_a_research_is_shown_by_every_replica(
    cluster: Cluster, pair: Pair
) -> None:
    cluster.control.research_seconds = 0.5
    cluster.control.report_charts = 1
    here, there = [await cluster.connect(each) for each in pair]
    research = await here.research("Who invented the wheel?")
    await here.finished("check_research", research_id=research)
    listed = await there.call("gemini_history", kind="images")
    chart = next(word for word in listed.text.split() if word.startswith("i_")).rstrip(":")

    pair[0].kill()
    await pair[0].ended()
    # On a machine of its own, all that went with it would be gone by now.
    (cluster.folder / "replica-0").rename(cluster.folder / "gone")

    shown = await there.request("resources/read", uri=f"gemini://images/{chart}")

    assert len(shown["result"]["contents"][0]["blob"]) > 100


async def test_an_image_made_on_one_replica_is_shown_and_edited_on_another(
    cluster: Cluster, pair: Pair
) -> None:
    here, there = [await cluster.connect(each) for each in pair]
    made = await here.call("gemini_generate_image", prompt="a red square")
    image = str(made.facts["image_id"])

    shown = await there.request("resources/read", uri=f"gemini://images/{image}")
    collected = await there.result(image)
    edited = await there.call("gemini_generate_image", prompt="bluer", conversation_id=image)
    referred = await there.call("gemini_generate_image", prompt="another", images=[image])

    assert shown["result"]["contents"][0]["blob"]
    assert [block.type for block in collected.raw.content] == ["text", "image"]
    assert [each.is_error for each in (edited, referred)] == [False, False]


async def test_a_link_given_out_by_one_replica_is_answered_by_every_other(
    cluster: Cluster, pair: Pair
) -> None:
    here, there = [await cluster.connect(each) for each in pair]
    made = await here.call("gemini_generate_image", prompt="a red square")
    path = path_of(made)

    answers = [await each.http.get(path) for each in (here, there)]

    assert [each.status_code for each in answers] == [200, 200]
    assert answers[0].content == answers[1].content
    assert answers[0].content in [file.read_bytes() for file in cluster.images.glob("*.*")]


async def test_continues_that_come_to_several_replicas_chain_in_the_order_in_which_they_came(
    cluster: Cluster, pair: Pair
) -> None:
    clients = [await cluster.connect(each) for each in pair]
    asked = await clients[0].ask("0")
    conversation = asked.conversation
    gates = [cluster.control.hold_next("create", "before_completed") for _ in range(6)]
    answers: dict[str, ToolResult] = {}

    async def follow(client: ClusterClient, prompt: str) -> None:
        answers[prompt] = await client.follow(prompt, conversation_id=conversation)

    async with anyio.create_task_group() as tasks:
        for number in range(1, 7):
            tasks.start_soon(follow, clients[number % 2], str(number))
            with anyio.fail_after(60):
                while (
                    f"· {number + 1} turns ·" not in (await clients[0].call("gemini_history")).text
                ):
                    await anyio.sleep(0.02)
        for gate in gates:
            assert await gate.reached(30)
            gate.release()

    assert await chain(cluster) == ["0", "1", "2", "3", "4", "5", "6"]
    assert {prompt: said.turn for prompt, said in answers.items()} == {
        str(number): number + 1 for number in range(1, 7)
    }


async def test_continues_at_once_on_every_replica_make_one_chain(
    cluster: Cluster, pair: Pair
) -> None:
    clients = [await cluster.connect(each) for each in pair]
    conversation = (await clients[0].ask("0")).conversation
    turns: list[int] = []

    async def follow(client: ClusterClient, prompt: str) -> None:
        said = await client.follow(prompt, conversation_id=conversation)
        assert said.status == "completed", said.text
        turns.append(said.turn)

    async with anyio.create_task_group() as tasks:
        for number in range(12):
            tasks.start_soon(follow, clients[number % 2], f"at once {number}")

    assert sorted(turns) == list(range(2, 14))
    assert len(await chain(cluster)) == 13


@pytest.mark.parametrize("legacy", [False, True], ids=["modern", "legacy"])
async def test_clients_of_either_era_need_no_stickiness(cluster: Cluster, legacy: bool) -> None:
    replicas = await cluster.open(3)
    client = await cluster.connect(*replicas, legacy=legacy)
    asked = await client.ask("My name is Ada.")

    said = [
        await client.follow("What is my name?", conversation_id=asked.conversation)
        for _ in range(5)
    ]

    assert ["Ada" in each.piece for each in said] == [True] * 5
    assert [each.turn for each in said] == [2, 3, 4, 5, 6]


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_real_client_is_served_by_another_replica_with_every_request(
    cluster: Cluster, pair: Pair, mode: str
) -> None:
    any_replica = await cluster.connect(*pair)
    async with Client(
        streamable_http_client("http://nobody/mcp", http_client=any_replica.http),
        mode="legacy" if mode == "legacy" else "auto",
    ) as client:
        listed = await client.list_tools()
        asked = ToolResult.of(await client.call_tool("gemini_ask", {"prompt": "My name is Ada."}))
        told = [
            ToolResult.of(
                await client.call_tool(
                    "gemini_continue",
                    {"prompt": "What is my name?", "conversation_id": asked.conversation},
                )
            )
            for _ in range(3)
        ]

    assert len(listed.tools) == 9
    assert ["Ada" in each.piece for each in told] == [True] * 3


async def test_without_sessions_a_call_that_names_no_conversation_is_told_to(
    cluster: Cluster, pair: Pair
) -> None:
    client = await cluster.connect(*pair, legacy=True)
    await client.ask("My name is Ada.")

    said = await client.follow("What is my name?")

    assert said.is_error
    assert "conversation_id" in said.text


async def test_calls_of_a_thread_side_by_side_on_two_replicas_leave_no_default(
    cluster: Cluster, pair: Pair
) -> None:
    clients = [await cluster.connect(each) for each in pair]
    gates = [cluster.control.hold_next() for _ in clients]
    said: list[ToolResult] = []

    async def ask(client: ClusterClient) -> None:
        said.append(await client.call("gemini_ask", prompt="Hello.", _meta=THREAD))

    async with anyio.create_task_group() as tasks:
        for client in clients:
            tasks.start_soon(ask, client)
        for gate in gates:
            await gate.reached()
        for gate in gates:
            gate.release()
    torn = await clients[0].call("gemini_continue", prompt="And?", _meta=THREAD)

    assert torn.is_error
    assert [each.conversation in torn.text for each in said] == [True, True]


async def test_a_thread_goes_on_at_another_replica_without_saying_where(
    cluster: Cluster, pair: Pair
) -> None:
    one, other = [await cluster.connect(each) for each in pair]
    asked = await one.call("gemini_ask", prompt="My name is Ada.", _meta=THREAD)

    told = await other.call("gemini_continue", prompt="What is my name?", _meta=THREAD)

    assert (told.conversation, "Ada" in told.piece) == (asked.conversation, True)
