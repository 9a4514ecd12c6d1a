"""Everything a client can do, again over HTTP, in both protocol eras."""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio
import pytest
from mcp.shared.exceptions import MCPError

from gemini_emulator.scripting.fault_injection import Gate
from tests.support import protocol
from tests.support.app_harness import AppHarness, ToolResult
from tests.support.gateway_harness import GatewayHarness
from tests.support.http_client import HttpClient
from tests.support.protocol import ENVELOPE, MODERN

ERAS = pytest.mark.parametrize("legacy", [False, True], ids=["modern", "legacy"])


async def until_final(result: Callable[..., Awaitable[ToolResult]], id: str) -> ToolResult:
    with anyio.fail_after(60):
        while (said := await result(id=id, wait_seconds=1)).status == "running":
            pass
        return said


async def hang_up(gateways: GatewayHarness, gate: Gate, *, legacy: bool) -> HttpClient:
    """Asks, and is gone before the answer; returns once the server knows that it owes one."""
    wire = await gateways.raw_client(legacy=legacy)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: wire.call("gemini_ask", prompt="slow"))
        await gate.reached()
        tasks.cancel_scope.cancel()
    with anyio.fail_after(60), sqlite3.connect(gateways.harness.folder / "gemini.db") as database:
        while database.execute("SELECT delivery FROM turns").fetchone() != ("owed",):
            await anyio.sleep(0.01)
    database.close()
    return wire


@ERAS
async def test_a_chain_and_a_branch_go_to_google_as_such(
    gateways: GatewayHarness, harness: AppHarness, legacy: bool
) -> None:
    await gateways.open()
    client = await gateways.connect(legacy=legacy)

    first = await client.ask("one")
    second = await client.follow("two", conversation_id=first.conversation)
    branch = await client.follow("other", conversation_id=first.conversation, turn=1)

    assert [each.id for each in (second, branch)] == [
        f"{first.conversation}/2",
        f"{first.conversation}/3",
    ]
    assert [body.get("previous_interaction_id") for body in harness.bodies] == [
        None,
        first.interaction,
        first.interaction,
    ]


@ERAS
async def test_a_call_not_done_in_time_answers_running_and_another_client_collects_it(
    gateways: GatewayHarness, harness: AppHarness, legacy: bool
) -> None:
    await gateways.open(max_wait_seconds=0.2)
    gate = harness.control.hold_next()
    harness.control.answer_next("At last.")

    running = await (await gateways.connect(legacy=legacy)).ask("slow")
    gate.release()
    other = await gateways.connect(legacy=not legacy)
    collected = await until_final(other.result, running.id)

    assert running.status == "running"
    assert (collected.status, collected.piece) == ("completed", "At last.")
    assert len(harness.bodies) == 1


@ERAS
async def test_a_client_that_hangs_up_leaves_its_work_going_and_another_collects_it(
    gateways: GatewayHarness, harness: AppHarness, legacy: bool
) -> None:
    await gateways.open()
    gate = harness.control.hold_next()
    harness.control.answer_next("Nobody waited, but here it is.")

    await hang_up(gateways, gate, legacy=legacy)
    gate.release()
    other = await gateways.connect()
    listed = await other.history()
    collected = await until_final(other.result, listed.text.split()[0])

    assert (collected.status, collected.piece) == ("completed", "Nobody waited, but here it is.")


@ERAS
async def test_the_same_call_after_hanging_up_joins_the_first_and_is_paid_once(
    gateways: GatewayHarness, harness: AppHarness, legacy: bool
) -> None:
    await gateways.open()
    gate = harness.control.hold_next()

    wire = await hang_up(gateways, gate, legacy=legacy)
    gate.release()
    again = await wire.call("gemini_ask", prompt="slow")

    assert again.status == "completed"
    assert "An identical earlier call" in again.text
    assert len(harness.bodies) == 1


async def cancel_call(
    gateways: GatewayHarness, gate: Gate, reason: str
) -> tuple[HttpClient, bytes]:
    """A legacy client cancels its call for a reason; what it is answered."""
    wire = await gateways.raw_client(legacy=True)
    async with wire.post("gemini_ask", {"prompt": "slow"}, id=7) as answer:
        await gate.reached()
        await wire.cancel(7, reason)
        body = await answer.aread()
    return wire, body


async def test_a_users_abort_stops_the_work_at_google(
    gateways: GatewayHarness, harness: AppHarness
) -> None:
    await gateways.open()
    gate = harness.control.hold_next(point="before_completed")

    wire, body = await cancel_call(gateways, gate, "AbortError: user aborted")

    stopped = await until_final(wire.result, await wire.latest())
    assert b"-32800" in body  # how this era ends a request that was cancelled
    assert stopped.status == "cancelled"
    assert await harness.control.until(lambda: harness.control.posts[0].closed_early)


async def test_a_hosts_time_out_leaves_the_work_going(
    gateways: GatewayHarness, harness: AppHarness
) -> None:
    await gateways.open()
    gate = harness.control.hold_next(point="before_completed")

    wire, _ = await cancel_call(gateways, gate, "McpError: MCP error -32001: Request timed out")

    gate.release()
    finished = await until_final(wire.result, await wire.latest())
    assert finished.status == "completed"


async def test_a_cancel_after_the_answer_means_nothing(gateways: GatewayHarness) -> None:
    await gateways.open()
    wire = await gateways.raw_client(legacy=True)

    asked = await wire.call("gemini_ask", _number=7, prompt="one")
    await wire.cancel(7, "AbortError: The operation was aborted.")

    assert (await wire.result(asked.id)).status == "completed"


@ERAS
async def test_a_failure_is_an_error_result_in_our_words(
    gateways: GatewayHarness, harness: AppHarness, legacy: bool
) -> None:
    await gateways.open()
    client = await gateways.connect(legacy=legacy)
    harness.control.fail_next(503)

    failed = await client.ask("one")
    refused = await client.result("c_0000000000")

    assert (failed.is_error, failed.status) == (True, "failed")
    assert "Gemini had an error of its own" in failed.text
    assert (refused.is_error, refused.status) == (True, None)


@ERAS
async def test_an_unknown_tool_is_an_error_of_the_protocol(
    gateways: GatewayHarness, legacy: bool
) -> None:
    await gateways.open()
    client = await gateways.connect(legacy=legacy)

    with pytest.raises(MCPError, match="Unknown tool: dance"):
        await client.call("dance")


@ERAS
async def test_what_gemini_does_is_told_while_the_client_waits(
    gateways: GatewayHarness, harness: AppHarness, legacy: bool
) -> None:
    await gateways.open()
    client = await gateways.connect(legacy=legacy)
    gate = harness.control.hold_next(point="before_completed")
    heard: list[tuple[float, str | None]] = []
    spoken = anyio.Event()

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        heard.append((progress, message))
        spoken.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(
            lambda: client.sdk_client.call_tool(
                "gemini_ask", {"prompt": "one"}, progress_callback=hear
            )
        )
        with anyio.fail_after(60):
            await spoken.wait()
        gate.release()

    assert all(doing for _, doing in heard)


@ERAS
async def test_results_name_no_path_of_the_server(
    gateways: GatewayHarness, harness: AppHarness, legacy: bool
) -> None:
    await gateways.open(max_output_chars=1000)
    client = await gateways.connect(legacy=legacy)
    harness.control.answer_next("A long sentence. " * 500)

    said = await client.ask("long")

    assert said.facts["next_offset"]
    assert "path" not in said.facts
    assert str(harness.folder) not in said.text
    assert not (harness.folder / "texts").exists()


@ERAS
async def test_two_clients_with_equal_request_ids_each_get_their_own_answer(
    gateways: GatewayHarness, harness: AppHarness, legacy: bool
) -> None:
    await gateways.open()
    said: dict[str, ToolResult] = {}
    for word in ("apple", "pear"):
        harness.control.answer_when(word, f"You said {word}.")

    async def ask(word: str) -> None:
        wire = await gateways.raw_client(legacy=legacy)
        said[word] = await wire.call("gemini_ask", _number=1, prompt=word)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask, "apple")
        tasks.start_soon(ask, "pear")

    assert [said[word].piece for word in ("apple", "pear")] == ["You said apple.", "You said pear."]


async def test_one_clients_abort_does_not_touch_anothers_call_of_the_same_number(
    gateways: GatewayHarness, harness: AppHarness
) -> None:
    await gateways.open()
    gates = [harness.control.hold_next(point="before_completed") for _ in range(2)]
    said: dict[str, ToolResult] = {}
    rude = await gateways.raw_client(legacy=True)

    async def ask(name: str, legacy: bool) -> None:
        wire = await gateways.raw_client(legacy=legacy)
        said[name] = await wire.call("gemini_ask", _number=7, prompt=name)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask, "legacy", True)
        tasks.start_soon(ask, "modern", False)
        for gate in gates:
            await gate.reached()
        await rude.cancel(7, "user aborted")
        await rude.call("gemini_history")  # so the cancel has been seen
        for gate in gates:
            gate.release()

    assert (said["legacy"].status, said["modern"].status) == ("completed", "completed")


# ------------------------------------------------------------------------------ local files


@ERAS
async def test_no_file_of_the_server_is_sent_unless_its_folder_was_named(
    gateways: GatewayHarness,
    harness: AppHarness,
    legacy: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes.txt").write_text("what nobody asked for")
    await gateways.open()
    client = await gateways.connect(legacy=legacy)

    for path in ("notes.txt", str(tmp_path / "notes.txt"), f"file://{tmp_path}/notes.txt"):
        said = await client.ask("Read this.", files=[path])

        assert said.is_error
        assert "GEMINI_MCP_ALLOWED_DIRS" in said.text
    assert harness.bodies == []


async def test_a_file_in_a_folder_that_was_named_is_sent(
    gateways: GatewayHarness, harness: AppHarness, tmp_path: Path
) -> None:
    (tmp_path / "notes.txt").write_text("what was asked for")
    await gateways.open(allowed_dirs=(tmp_path,))

    said = await (await gateways.connect()).ask("Read this.", files=[str(tmp_path / "notes.txt")])

    assert said.status == "completed"
    assert "what was asked for" in str(harness.last)


async def test_the_address_with_a_slash_behind_it_is_the_same_and_no_redirect(
    gateways: GatewayHarness,
) -> None:
    await gateways.open()

    async with gateways.raw() as http:
        answer = await http.post(
            "/mcp/",
            json=protocol.request("tools/list", {"_meta": ENVELOPE}),
            headers={"mcp-protocol-version": MODERN, "mcp-method": "tools/list"},
        )

    assert answer.status_code == 200
