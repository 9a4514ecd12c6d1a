"""Speech, music and videos that cannot be made, break, take long, or outlive their server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import pytest

from gemini_interactions.config.setting_table import TOOLSETS
from tests.support.app_harness import AppHarness, McpClient
from tests.support.media_client import film, path_of, speak

# -- what is refused, and what goes wrong -----------------------------------------------------


@pytest.mark.parametrize(
    ("tool", "arguments", "words"),
    [
        ("speech", {}, "one of the two"),
        ("speech", {"text": "x", "conversation_id": "c_0000000000"}, "one of the two"),
        ("speech", {"text": "x", "voice": "Kore", "speakers": [{"speaker": "A", "voice": "B"}]},
         "not both"),
        ("speech", {"text": "x", "speakers": [{"speaker": "A"}]}, "without `voice`"),
        ("speech", {"text": "x", "model": "gemini-3.8-flash"}, "makes text, not speech"),
        ("speech", {"text": "x", "format": "flac"}, "one of mp3, wav, ogg"),
        ("music", {"prompt": " "}, "`prompt` is empty"),
        ("video", {"prompt": "x", "task": "edit"}, "needs a `video`"),
        ("video", {"prompt": "x", "task": "image_to_video"}, "needs `images`"),
        ("video", {"prompt": "x", "video": "v_0000000000"}, "There is no video 'v_0000000000'"),
        ("speech", {"text": "x", "save_to": "/etc/x.mp3"}, "/etc"),
    ],
)  # fmt: skip
async def test_what_cannot_be_made_is_refused_before_it_is_paid(
    client: McpClient, harness: AppHarness, tool: str, arguments: dict[str, Any], words: str
) -> None:
    said = await client.call(f"gemini_generate_{tool}", **arguments)

    assert said.is_error
    assert said.status is None
    assert words in said.text
    assert harness.bodies == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"text": "x", "voice": "Nobody"}, "does not take that voice"),
        ({"text": "word " * 9000}, "exceeds the maximum number of tokens"),
    ],
)
async def test_what_google_does_not_take_is_told_in_its_words(
    client: McpClient, arguments: dict[str, Any], words: str
) -> None:
    said = await client.call("gemini_generate_speech", **arguments)

    assert said.is_error
    assert said.status == "failed"
    assert words in said.text


async def test_a_file_of_the_wrong_kind_is_told(client: McpClient, harness: AppHarness) -> None:
    Path("notes.txt").write_text("words")

    said = await client.call("gemini_generate_music", prompt="x", images=["notes.txt"])

    assert said.is_error
    assert "notes.txt (text, 5 bytes) is no image. Nothing was sent." in said.text
    assert harness.bodies == []


async def test_a_block_is_told_with_its_code_and_a_refusal_in_its_words(
    client: McpClient, harness: AppHarness
) -> None:
    harness.control.refuse_next_media("safety")
    blocked = await speak(client)
    harness.control.refuse_next_media()
    declined = await film(client)

    assert (blocked.status, declined.status) == ("failed", "failed")
    assert "blocked (safety)" in blocked.text
    assert "Gemini made no video; what it said instead is above." in declined.text


async def test_a_download_that_breaks_is_begun_again(
    client: McpClient, harness: AppHarness
) -> None:
    harness.control.fault_next("reset", after_events=1, on="download")

    said = await film(client)

    assert said.status == "completed"
    assert path_of(said).is_file()
    assert len(list(path_of(said).parent.iterdir())) == 1


async def test_a_video_that_cannot_be_fetched_is_collected_later_and_paid_once(
    client: McpClient, harness: AppHarness
) -> None:
    harness.control.fail_next(500, on="download", times=6)

    first = await film(client)
    again = await client.result(first.id)

    assert first.status == "interrupted"
    assert "could not be fetched from Google" in first.text
    assert "Google still has the video" in first.text
    assert again.status == "completed"
    assert path_of(again).is_file()
    assert len(harness.bodies) == 1


async def test_a_damaged_file_is_told(client: McpClient, harness: AppHarness) -> None:
    broken = {"type": "audio", "mime_type": "audio/mp3", "data": "not base64!"}
    harness.control.answer_next({"steps": [{"type": "model_output", "content": [broken]}]})

    said = await speak(client)

    assert said.status == "failed"
    assert "came damaged" in said.text


async def test_a_limit_is_refused_with_what_the_call_would_cost(harness: AppHarness) -> None:
    client = await harness.connect(toolsets=TOOLSETS, daily_usd_limit=1.0)

    refused = await client.call("gemini_generate_video", prompt="x", duration=10)
    short = await client.call("gemini_generate_video", prompt="x", duration=3)

    assert refused.is_error
    assert "would cost at most ~$1.50, and ~$1.00 of today's limit is left" in refused.text
    assert short.status == "running"


async def test_an_identical_video_is_not_paid_twice(client: McpClient, harness: AppHarness) -> None:
    harness.control.hold_background()
    first = await client.call("gemini_generate_video", prompt="A boat")

    second = await client.call("gemini_generate_video", prompt="A boat")

    assert second.facts["video_id"] == first.facts["video_id"]
    assert "nothing was sent twice" in second.text
    assert len(harness.bodies) == 1


async def test_a_video_outlives_its_server(harness: AppHarness, client: McpClient) -> None:
    harness.control.hold_background()
    started = await client.call("gemini_generate_video", prompt="A boat", save_to="boat.mp4")
    await client.disconnect()
    harness.control.finish(started.interaction)

    again = await harness.connect(toolsets=TOOLSETS, research_poll_seconds=0.1)
    done = await again.result(started.facts["video_id"], wait_seconds=20)

    assert done.status == "completed"
    assert Path("boat.mp4").read_bytes() == path_of(done).read_bytes()
    assert len(harness.bodies) == 1


async def test_speech_that_takes_long_is_collected_later(harness: AppHarness) -> None:
    client = await harness.connect(toolsets=TOOLSETS, max_wait_seconds=0.2)
    await client.result((await speak(client, "warm")).id, wait_seconds=30)
    gate = harness.control.hold_next("create")

    said = await speak(client)
    gate.release()
    with anyio.fail_after(60):
        done = await client.result(said.id, wait_seconds=30)
        while done.status == "running":
            done = await client.result(said.id, wait_seconds=30)

    assert said.status == "running"
    assert done.facts["audio_id"]


async def test_nobody_pays_for_tools_that_are_not_switched_on(harness: AppHarness) -> None:
    client = await harness.connect()

    named = {tool.name for tool in (await client.sdk_client.list_tools()).tools}
    templates = (await client.sdk_client.list_resource_templates()).resource_templates

    assert not {name for name in named if "speech" in name or "video" in name}
    assert not {each.uri_template for each in templates if "audio" in each.uri_template}


async def test_the_list_of_models_names_the_voices_for_those_who_can_use_them(
    client: McpClient, harness: AppHarness
) -> None:
    told = (await client.sdk_client.read_resource("gemini://models")).contents[0].text  # type: ignore[union-attr]
    plain = await harness.connect(toolsets=("ask",))
    other = (await plain.sdk_client.read_resource("gemini://models")).contents[0].text  # type: ignore[union-attr]

    assert "Kore (firm)" in told
    assert "Kore" not in other
