"""What the media tools send is what the SDK's own models make of it, parameter by parameter."""

from __future__ import annotations

from typing import Any

import pytest

from gemini_interactions.gemini.sdk import prebuilt_request
from tests.support.app_harness import AppHarness, McpClient

SPEECH, MUSIC, VIDEO = "gemini_generate_speech", "gemini_generate_music", "gemini_generate_video"
PICTURE, FILM = "<a picture>", "<a video>"
"""Made before the call, and named by their ids."""
SPEAKERS = [{"speaker": "Ann", "voice": "Kore"}, {"speaker": "Bob", "voice": "Puck"}]
CALLS: list[tuple[str, dict[str, Any]]] = [
    (SPEECH, {"text": "Good morning."}),
    (SPEECH, {"text": "Good morning.", "voice": "Kore"}),
    (SPEECH, {"text": "Ann: Hi.\nBob: Ho.", "speakers": SPEAKERS}),
    (SPEECH, {"text": "Guten Morgen.", "voice": "Kore", "language": "de-DE"}),
    *((SPEECH, {"text": "Good morning.", "format": each}) for each in ("mp3", "wav", "ogg")),
    (SPEECH, {"text": "Good morning.", "model": "lite"}),
    (MUSIC, {"prompt": "A waltz"}),
    (MUSIC, {"prompt": "A waltz", "images": [PICTURE]}),
    *((MUSIC, {"prompt": "A waltz", "format": each}) for each in ("mp3", "wav")),
    (VIDEO, {"prompt": "A red boat"}),
    (VIDEO, {"prompt": "A red boat", "images": [PICTURE]}),
    (VIDEO, {"prompt": "By night", "video": FILM}),
    (VIDEO, {"prompt": "A red boat", "duration": 8}),
    *((VIDEO, {"prompt": "A red boat", "aspect_ratio": each}) for each in ("16:9", "9:16")),
    (VIDEO, {"prompt": "A red boat", "resolution": "720p"}),
]


@pytest.mark.parametrize(("tool", "arguments"), CALLS, ids=str)
async def test_a_request_is_what_the_sdks_models_make_of_it(
    client: McpClient,
    harness: AppHarness,
    monkeypatch: pytest.MonkeyPatch,
    tool: str,
    arguments: dict[str, Any],
) -> None:
    ids = {}
    if PICTURE in str(arguments):
        made = await client.call("gemini_generate_image", prompt="A boat")
        ids[PICTURE] = made.facts["image_id"]
    if FILM in str(arguments):
        started = await client.call(VIDEO, prompt="A boat")
        ids[FILM] = (await client.result(started.id, wait_seconds=20)).facts["video_id"]

    ours = await _send(client, harness, tool, _fill(arguments, ids))
    monkeypatch.setattr(prebuilt_request, "past_models", lambda _named: None)
    theirs = await _send(client, harness, tool, _fill(arguments, ids))

    assert ours == theirs


async def _send(
    client: McpClient, harness: AppHarness, tool: str, arguments: dict[str, Any]
) -> dict[str, Any]:
    said = await client.call(tool, **arguments)
    assert not said.is_error, said.text
    if said.status == "running":
        await client.result(said.id, wait_seconds=20)
    return harness.last


def _fill(value: Any, ids: dict[str, str]) -> Any:
    match value:
        case str():
            return ids.get(value, value)
        case list():
            return [_fill(each, ids) for each in value]
        case dict():
            return {name: _fill(each, ids) for name, each in value.items()}
        case _:
            return value
