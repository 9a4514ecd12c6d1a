"""One chain of everything that is made, over each transport, with the server replaced between any
two steps: over stdio it is killed, over HTTP its gateway ends."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from gemini_interactions.config.setting_table import TOOLSETS
from tests.end_to_end.http.conftest import gateways
from tests.support.app_harness import AppHarness
from tests.support.gateway_harness import GatewayHarness

__all__ = ["gateways"]

Fresh = Callable[[], Awaitable[Any]]
SPEAKERS = [{"speaker": "Ann", "voice": "Kore"}, {"speaker": "Bob", "voice": "Puck"}]


@pytest.fixture
def fresh_over_stdio(start: Any) -> Fresh:
    """A new server process; the one before it is killed."""
    servers: list[Any] = []

    async def fresh() -> Any:
        if servers:
            servers[-1].kill()
            await servers[-1].ended()
        servers.append(
            await start(
                "modern",
                GEMINI_MCP_TOOLSETS="all",
                GEMINI_MCP_RESEARCH_POLL_SECONDS="0.1",
                GEMINI_MCP_LEASE_SECONDS="2",
            )
        )
        return servers[-1]

    return fresh


@pytest.fixture
def fresh_over_http(gateways: GatewayHarness) -> Fresh:
    """A new gateway; the one before it has ended."""

    async def fresh() -> Any:
        await gateways.close()
        await gateways.open(toolsets=TOOLSETS, research_poll_seconds=0.1)
        return await gateways.connect()

    return fresh


@pytest.mark.processes
@pytest.mark.parametrize("transport", ["stdio", "http"])
async def test_everything_made_can_be_gone_on_with_after_any_restart(
    harness: AppHarness, transport: str, fresh_over_stdio: Fresh, fresh_over_http: Fresh
) -> None:
    fresh = {"stdio": fresh_over_stdio, "http": fresh_over_http}[transport]

    client = await fresh()
    dialogue = await client.call(
        "gemini_generate_speech", text="Ann: Hi.\nBob: Ho.", speakers=SPEAKERS, format="wav"
    )
    client = await fresh()
    song = await client.call("gemini_generate_music", prompt="A waltz for two storks")
    client = await fresh()
    picture = await client.call("gemini_generate_image", prompt="A stork")
    client = await fresh()
    started = await client.call(
        "gemini_generate_video", prompt="It flies", images=[picture.facts["image_id"]]
    )
    client = await fresh()
    video = await client.call("gemini_result", id=started.facts["id"], wait_seconds=40)
    client = await fresh()
    changed = await client.call(
        "gemini_generate_video", prompt="By night", video=video.facts["video_id"]
    )
    client = await fresh()
    edit = await client.call("gemini_result", id=changed.facts["id"], wait_seconds=40)
    client = await fresh()
    made = [dialogue.facts["audio_id"], song.facts["audio_id"], edit.facts["video_id"]]
    asked = await client.call("gemini_ask", prompt="What are these?", files=made)

    assert [each.status for each in (dialogue, song, picture, video, edit, asked)] == [
        "completed"
    ] * 6
    assert edit.facts["video_id"] != video.facts["video_id"]
    sent = [each["type"] for each in harness.last["input"][0]["content"]]
    assert (sent.count("audio"), sent.count("video")) == (2, 1)
    # A model that this version of the API does not have is asked for at the other one.
    paid = [each for each in harness.control.log if each.kind == "create" and each.status == 200]
    assert len(paid) == 6
    client = await fresh()
    for kind, ids in (("audio", made[:2]), ("video", [video.facts["video_id"], made[2]])):
        listed = await client.call("gemini_history", kind=kind)
        assert [each for each in ids if each not in listed.text] == []
