"""Speech, music and videos against a Gemini that is not our emulator."""

from __future__ import annotations

import base64
import io
import json
import struct
import wave
from collections.abc import AsyncIterator
from typing import Any

import pytest

from gemini_interactions.config.setting_table import TOOLSETS
from tests.support.app_harness import AppHarness, McpClient, ToolResult
from tests.support.media_client import film, path_of, speak
from tests.support.media_upstream import (
    HOST,
    ID,
    KEY,
    MediaUpstream,
    Reply,
    error,
    interaction,
    streamed,
    told,
)

Json = dict[str, Any]

MP3 = b"\xff\xfb\x90\x64".ljust(417, b"\0") * 50
USAGE = {
    "total_input_tokens": 11,
    "total_output_tokens": 90,
    "total_thought_tokens": 0,
    "total_tokens": 101,
    "output_tokens_by_modality": [{"modality": "audio", "tokens": 90}],
}


def wav(seconds: int = 1, rate: int = 24_000) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(rate)
        writer.writeframes(b"\1\0" * rate * seconds)
    return file.getvalue()


def box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I4s", 8 + len(body), kind) + body


def mp4(seconds: int = 5, width: int = 1280, height: int = 720) -> bytes:
    movie = struct.pack(">IIIII", 0, 0, 0, 1000, seconds * 1000).ljust(100, b"\0")
    track = bytes(76) + struct.pack(">II", width << 16, height << 16)
    return b"".join(
        [
            box(b"ftyp", b"isom\0\0\2\0isommp42"),
            box(b"moov", box(b"mvhd", movie), box(b"trak", box(b"tkhd", track))),
            box(b"mdat", bytes(range(256)) * 64),
        ]
    )


def inline(kind: str, mime_type: str, data: bytes, **more: Any) -> Json:
    return {"type": kind, "mime_type": mime_type, "data": base64.b64encode(data).decode(), **more}


def by_address(address: str = f"{HOST}/v1beta/files/abc", kind: str = "video") -> Json:
    return {"type": kind, "mime_type": "video/mp4" if kind == "video" else "audio/mp3",
            "uri": address}  # fmt: skip


@pytest.fixture
async def upstream(harness: AppHarness) -> AsyncIterator[MediaUpstream]:
    async with MediaUpstream() as server:
        harness.set(GOOGLE_GEMINI_BASE_URL=server.url, GEMINI_API_KEY=KEY)
        yield server


@pytest.fixture
async def client(harness: AppHarness, upstream: MediaUpstream) -> McpClient:
    return await harness.connect(toolsets=TOOLSETS, max_wait_seconds=30, research_poll_seconds=0.05)


async def compose(client: McpClient, **more: Any) -> ToolResult:
    return await client.call("gemini_generate_music", prompt="A waltz", **more)


# -- speech -------------------------------------------------------------------------------


async def test_speech_is_asked_for_on_v1beta_where_v1_has_not_got_the_model(
    client: McpClient, upstream: MediaUpstream
) -> None:
    upstream.only_v1beta = True
    upstream.creates = [told(interaction(content=[inline("audio", "audio/mp3", MP3)], usage=USAGE))]

    said = await speak(client, voice="Kore")

    assert said.status == "completed", said.text
    assert path_of(said).read_bytes() == MP3
    assert [each.path for each in upstream.requests] == ["/v1/interactions", "/v1beta/interactions"]
    assert upstream.requests[1].body == {
        "model": "gemini-3.8-flash-tts",
        "input": "Good morning.",
        "generation_config": {"speech_config": [{"voice": "Kore"}]},
        "response_format": [{"type": "audio", "mime_type": "audio/mp3"}],
    }


@pytest.mark.parametrize(
    ("mime_type", "more", "rate"),
    [
        ("audio/l16", {}, 24_000),
        ("audio/l16;rate=16000;channels=1", {}, 16_000),
        ("audio/L16; codec=pcm; rate=24000", {}, 24_000),
        ("audio/l16", {"sample_rate": 48_000, "channels": 1}, 48_000),
        ("audio/pcm", {}, 24_000),
    ],
)
async def test_raw_samples_are_little_endian_and_become_a_wav(
    client: McpClient, upstream: MediaUpstream, mime_type: str, more: Json, rate: int
) -> None:
    samples = struct.pack("<100h", *range(-50, 50))
    upstream.creates = [told(interaction(content=[inline("audio", mime_type, samples, **more)]))]

    said = await speak(client, format="wav")

    with wave.open(str(path_of(said))) as file:
        assert (file.getframerate(), file.getnchannels()) == (rate, 1)
        assert file.readframes(1000) == samples


async def test_an_answer_that_comes_as_a_stream_is_taken_too(
    client: McpClient, upstream: MediaUpstream
) -> None:
    audio = inline("audio", "audio/wav", wav())
    upstream.creates = [
        streamed(
            {
                "interaction": {"id": ID, "status": "in_progress"},
                "event_type": "interaction.created",
            },
            {"index": 0, "step": {"type": "model_output"}, "event_type": "step.start"},
            {"index": 0, "delta": audio, "event_type": "step.delta"},
            {"index": 0, "event_type": "step.stop"},
            {
                "interaction": {"id": ID, "status": "completed", "usage": USAGE},
                "event_type": "interaction.completed",
            },
        )
    ]

    said = await speak(client, format="wav")

    assert said.status == "completed", said.text
    assert path_of(said).read_bytes() == wav()
    assert "1.0 s" in said.tail


async def test_each_part_of_a_long_speech_is_a_file(
    client: McpClient, upstream: MediaUpstream
) -> None:
    parts = [inline("audio", "audio/wav", wav(seconds)) for seconds in (1, 2)]
    steps = [{"type": "model_output", "content": [each]} for each in parts]
    upstream.creates = [told(interaction(steps=steps))]

    said = await speak(client, format="wav")

    files = sorted(path_of(said).parent.glob("*.wav"), key=lambda file: file.stat().st_size)
    assert [file.read_bytes() for file in files] == [wav(1), wav(2)]
    assert said.text.count("WAV audio") == 2


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (
            error("invalid_request", "Invalid voice 'Nobody'.", "400 Bad Request"),
            "Invalid voice",
        ),
        (error("safety", "The text was blocked.", "400 Bad Request"), "blocked"),
        (
            error("quota_exceeded", "Quota exceeded, limit: 0, model: gemini-3.8-flash-tts",
                  "429 Too Many Requests"),
            "paid",
        ),
        (told(interaction()), "finished without an answer"),
        (told(interaction(content=[{"type": "text", "text": "Rather not."}])), "Rather not."),
        (
            told(interaction("failed", errors=[{"code": "api_error", "message": "Voice engine."}])),
            "Voice engine",
        ),
        (
            told(interaction(steps=[
                {"type": "model_output", "error": {"code": "recitation", "message": "Known text."}}
            ])),
            "recitation",
        ),
        (told(interaction(content=[inline("audio", "audio/mp3", b"")])), "came without any bytes"),
        (Reply(b"<html>Sign in</html>", kind="text/html"), "a sign-in page"),
    ],
    ids=[
        *("voice", "blocked", "quota", "nothing", "words"),
        *("failed", "recitation", "empty", "page"),
    ],
)  # fmt: skip
async def test_speech_that_is_not_made_says_why_and_was_sent_once(
    client: McpClient, upstream: MediaUpstream, reply: Reply, words: str
) -> None:
    upstream.creates = [reply]

    said = await speak(client)

    assert said.is_error
    assert words in said.text
    assert len(upstream.sent("POST")) == 1


# -- music --------------------------------------------------------------------------------


async def test_a_song_comes_with_its_words_and_is_paid_by_the_piece(
    client: McpClient, upstream: MediaUpstream
) -> None:
    words = {"type": "text", "text": "La, la, la."}
    upstream.creates = [
        told(interaction(content=[words, inline("audio", "audio/mpeg", MP3)], model="lyria-3.5"))
    ]

    said = await compose(client)

    assert upstream.requests[0].body == {
        "model": "lyria-3.5",
        "input": "A waltz",
        "response_format": [{"type": "audio", "mime_type": "audio/mp3"}],
    }
    assert "La, la, la." in said.piece
    assert path_of(said).read_bytes() == MP3
    assert said.footer.endswith("~$0.0800")


async def test_a_sound_given_by_its_address_is_fetched(
    client: McpClient, upstream: MediaUpstream
) -> None:
    upstream.creates = [told(interaction(content=[by_address(kind="audio")]))]
    upstream.downloads = [Reply(MP3, kind="audio/mpeg")]

    said = await compose(client)

    assert path_of(said).read_bytes() == MP3


# -- videos -------------------------------------------------------------------------------


async def test_a_video_is_followed_by_looks_and_fetched_by_its_address_with_the_key(
    client: McpClient, upstream: MediaUpstream
) -> None:
    upstream.creates = [told(interaction("in_progress"))]
    upstream.looks = [
        error("not_found", "Not found.", "404 Not Found"),
        told(interaction("queued")),
        error("permission_denied", "Not now.", "403 Forbidden"),
        told(interaction("in_progress")),
        told(interaction(content=[by_address()], usage=USAGE)),
    ]
    upstream.downloads = [Reply(mp4(), kind="video/mp4")]

    said = await film(client, duration=5, resolution="720p", aspect_ratio="16:9")

    assert said.status == "completed", said.text
    assert path_of(said).read_bytes() == mp4()
    assert "1280×720 MP4 video, 5.0 s" in said.tail
    assert upstream.sent("POST")[0].body == {
        "model": "gemini-omni-1.2-flash",
        "input": "A red boat",
        "background": True,
        "response_format": [
            {
                "type": "video",
                "delivery": "uri",
                "aspect_ratio": "16:9",
                "duration": "5s",
                "resolution": "720p",
            }
        ],
    }
    assert len(upstream.sent("POST")) == 1
    (fetched,) = upstream.sent("GET", "download")
    assert fetched.headers["x-goog-api-key"] == KEY


@pytest.mark.parametrize(
    "address",
    [
        f"{HOST}/v1beta/files/abc",
        f"{HOST}/v1beta/files/abc:download?alt=media",
        f"{HOST}/download/v1beta/files/abc:download?alt=media",
        "files/abc",
    ],
)
async def test_an_address_is_understood_in_each_of_its_forms(
    client: McpClient, upstream: MediaUpstream, address: str
) -> None:
    upstream.creates = [told(interaction("in_progress"))]
    upstream.looks = [told(interaction(content=[by_address(address)]))]
    upstream.downloads = [Reply(mp4(), kind="video/mp4")]

    assert path_of(await film(client)).read_bytes() == mp4()


async def test_a_short_video_may_come_inline(client: McpClient, upstream: MediaUpstream) -> None:
    upstream.creates = [told(interaction("in_progress"))]
    upstream.looks = [told(interaction(content=[inline("video", "video/mp4", mp4(3))]))]

    said = await film(client)

    assert path_of(said).read_bytes() == mp4(3)
    assert upstream.sent("GET", "download") == []


async def test_a_video_that_is_done_at_once_is_kept(
    client: McpClient, upstream: MediaUpstream
) -> None:
    whole = told(interaction(content=[by_address()]))
    upstream.creates, upstream.looks = [whole], [whole]
    upstream.downloads = [Reply(mp4(), kind="video/mp4")]

    started = await client.call("gemini_generate_video", prompt="A red boat")
    said = await client.result(started.facts["video_id"], wait_seconds=20)

    assert said.status == "completed"
    assert path_of(said).read_bytes() == mp4()


async def test_a_download_that_is_cut_is_begun_again_and_written_once(
    client: McpClient, upstream: MediaUpstream
) -> None:
    upstream.creates = [told(interaction("in_progress"))]
    upstream.looks = [told(interaction(content=[by_address()]))]
    upstream.downloads = [
        Reply(mp4()[:500], kind="video/mp4", cut=10_000),
        error("service_unavailable", "Later.", "503 Service Unavailable"),
        Reply(mp4(), kind="video/mp4"),
    ]

    said = await film(client)

    assert path_of(said).read_bytes() == mp4()
    assert len(list(path_of(said).parent.iterdir())) == 1


async def test_a_file_that_google_has_not_got_is_told_and_may_come_later(
    client: McpClient, upstream: MediaUpstream
) -> None:
    upstream.creates = [told(interaction("in_progress"))]
    upstream.looks = [told(interaction(content=[by_address()]))]
    upstream.downloads = [
        told(
            {"error": {"code": 404, "message": "No file.", "status": "NOT_FOUND"}}, "404 Not Found"
        )
    ]

    said = await film(client)

    assert said.status == "interrupted"
    assert "Google has no file at its address now" in said.text
    assert "Google still has the video" not in said.text
    upstream.downloads = [Reply(mp4(), kind="video/mp4")]
    assert path_of(await client.result(said.id)).read_bytes() == mp4()
    assert len(upstream.sent("POST")) == 1


@pytest.mark.parametrize(
    "address",
    [
        "https://example.com/video.mp4",
        "files/../interactions/x",
        "file:///etc/passwd",
        f"{HOST}/v1beta/files/abc?x=/../../secret",
    ],
)
async def test_an_address_that_is_none_of_googles_files_is_not_asked(
    client: McpClient, upstream: MediaUpstream, address: str
) -> None:
    upstream.creates = [told(interaction("in_progress"))]
    upstream.looks = [told(interaction(content=[by_address(address)]))]

    said = await film(client)

    assert said.is_error
    assert "video" in said.text
    assert {each.path.partition("?")[0] for each in upstream.sent("GET")} == {
        f"/v1/interactions/{ID}"
    }


@pytest.mark.parametrize(
    ("look", "status", "words"),
    [
        (
            interaction("failed", errors=[{"code": "prohibited_content", "message": "A person."}]),
            "failed",
            "prohibited_content",
        ),
        (interaction("cancelled"), "cancelled", "cancel"),
        (interaction("completed"), "failed", "finished without an answer"),
        (interaction("incomplete"), "failed", "made no video"),
    ],
    ids=["prohibited", "cancelled", "empty", "incomplete"],
)
async def test_a_video_that_is_not_made_says_why(
    client: McpClient, upstream: MediaUpstream, look: Json, status: str, words: str
) -> None:
    upstream.creates, upstream.looks = [told(interaction("in_progress"))], [told(look)]

    said = await film(client)

    assert said.status == status, said.text
    assert words in said.text
    assert len(upstream.sent("POST")) == 1


async def test_a_refused_create_names_the_parameter_and_nothing_is_followed(
    client: McpClient, upstream: MediaUpstream
) -> None:
    upstream.creates = [
        error(
            "parameter_unknown",
            "The value '4k' is not supported for 'resolution' at 'response_format[0]'.",
            "400 Bad Request",
        )
    ]

    started = await client.call("gemini_generate_video", prompt="A red boat", resolution="4k")
    said = started if started.is_error else await client.result(started.id, wait_seconds=20)

    assert "not supported for 'resolution'" in said.text
    assert upstream.sent("GET") == []


# -- sound and film beside words ----------------------------------------------------------


async def test_an_answer_of_a_model_for_text_may_hold_a_sound(
    client: McpClient, upstream: MediaUpstream
) -> None:
    audio = inline("audio", "audio/mp3", MP3)
    upstream.creates = [
        streamed(
            {
                "interaction": {"id": ID, "status": "in_progress"},
                "event_type": "interaction.created",
            },
            {"index": 0, "step": {"type": "model_output"}, "event_type": "step.start"},
            {"index": 0, "delta": {"type": "text", "text": "Listen: "}, "event_type": "step.delta"},
            {"index": 0, "delta": audio, "event_type": "step.delta"},
            {
                "interaction": {"id": ID, "status": "completed"},
                "event_type": "interaction.completed",
            },
        )
    ]

    said = await client.ask("How does a robin sing?")

    assert said.status == "completed"
    assert "Listen:" in said.text
    assert audio["data"] not in json.dumps(said.raw.model_dump(mode="json"))
