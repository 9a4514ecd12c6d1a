"""Audio and videos on their way to disk: raw samples become WAV, and a file says how it plays."""

from __future__ import annotations

import base64
import io
import struct
import wave
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemini_emulator.media_writers import audio_writer, mp4_writer
from gemini_interactions.domain.errors import Garbled, NotKept
from gemini_interactions.files.output.file_store import FileStore
from gemini_interactions.files.output.media_facts import media_facts
from gemini_interactions.files.output.wav import RawAudio, raw_audio

VIDEO = mp4_writer.mp4(mp4_writer.Video("a boat", 3, "1080p", "9:16"))


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    folders = [tmp_path / name for name in ("images", "research", "media", "agents")]
    return FileStore(tmp_path, *folders)


def base64_of(data: bytes) -> str:
    return base64.b64encode(data).decode()


@pytest.mark.parametrize(
    ("mime_type", "facts", "expected"),
    [
        ("audio/l16", (None, None), RawAudio(24_000, 1)),
        ("audio/L16;rate=16000;channels=2", (None, None), RawAudio(16_000, 2)),
        ("audio/L16;codec=pcm;rate=24000", (48_000, 1), RawAudio(24_000, 1)),
        ("audio/l16", (44_100, 2), RawAudio(44_100, 2)),
        ("audio/pcm; rate=8000", (None, None), RawAudio(8_000, 1)),
        ("audio/l16;rate=0;channels=99", (True, "x"), RawAudio(24_000, 1)),
        ("audio/wav", (16_000, 1), None),
        ("audio/mp3", (None, None), None),
    ],
)
def test_rate_and_channels_are_those_of_the_type_else_of_the_content(
    mime_type: str, facts: tuple[object, object], expected: RawAudio | None
) -> None:
    assert raw_audio(mime_type, *facts) == expected


async def test_raw_samples_become_a_wav_file_with_the_same_samples(store: FileStore) -> None:
    samples = struct.pack("<6h", 0, 1, -1, 258, 32_767, -32_768)

    saved = await store.keep_media(base64_of(samples), "x-a_1", "audio/l16;rate=16000;channels=2")

    with wave.open(saved.path) as file:
        assert file.getparams()[:4] == (2, 2, 16_000, 3)
        assert file.readframes(9) == samples
    assert Path(saved.path).name == "x-a_1.wav"
    assert (saved.mime_type, saved.bytes) == ("audio/wav", 44 + len(samples))
    assert Path(saved.path).stat().st_mode & 0o777 == 0o600


async def test_half_a_sample_at_the_end_is_no_sample(store: FileStore) -> None:
    saved = await store.keep_media(base64_of(b"\1\0\2"), "x-a_1", "audio/l16")

    with wave.open(saved.path) as file:
        assert file.readframes(9) == b"\1\0"


async def test_samples_that_begin_like_mp3_are_samples(store: FileStore) -> None:
    saved = await store.keep_media(base64_of(b"\xff\xfb\x90\xc4" * 10), "x-a_1", "audio/l16")

    with wave.open(saved.path) as file:
        assert file.getnframes() == 20


async def test_a_file_that_is_called_raw_samples_stays_as_it_is(store: FileStore) -> None:
    whole = audio_writer.wav(audio_writer.samples(["x"], 20), 24_000)

    saved = await store.keep_media(base64_of(whole), "x-a_1", "audio/l16")

    assert Path(saved.path).read_bytes() == whole
    assert saved.seconds == 20


@pytest.mark.parametrize(
    ("data", "said", "name", "mime_type", "seconds"),
    [
        (audio_writer.mp3(2), "audio/wav", "x-a_1.mp3", "audio/mp3", 2),
        (audio_writer.ogg(2.5), "audio/ogg_opus", "x-a_1.ogg", "audio/ogg", 2.5),
        (audio_writer.wav(bytes(48_000)), "audio/mp3", "x-a_1.wav", "audio/wav", 1),
        (VIDEO, "video/webm", "x-a_1.mp4", "video/mp4", 3),
        (b"nothing known", "audio/mp3", "x-a_1.bin", "application/octet-stream", 0),
    ],
)
async def test_a_file_is_what_its_bytes_are(
    store: FileStore, data: bytes, said: str, name: str, mime_type: str, seconds: float
) -> None:
    saved = await store.keep_media(base64_of(data), "x-a_1", said)

    assert Path(saved.path).name == name
    assert saved.mime_type == mime_type
    assert saved.seconds == pytest.approx(seconds, abs=0.03)
    assert Path(saved.path).read_bytes() == data


async def test_a_download_is_written_piece_by_piece(store: FileStore) -> None:
    async def fetch(write: Callable[[bytes], Awaitable[None]]) -> None:
        for at in range(0, len(VIDEO), 1000):
            await write(VIDEO[at : at + 1000])

    saved = await store.keep_media(fetch, "x-v_1", "video/mp4")

    assert (saved.width, saved.height, saved.seconds) == (1080, 1920, 3)
    assert Path(saved.path).read_bytes() == VIDEO


async def test_nothing_remains_of_a_file_that_breaks_off(store: FileStore, tmp_path: Path) -> None:
    async def fetch(write: Callable[[bytes], Awaitable[None]]) -> None:
        await write(b"half")
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await store.keep_media(fetch, "x-v_1", "video/mp4")
    with pytest.raises(Garbled):
        await store.keep_media("no base64!", "x-v_1", "video/mp4")

    assert list((tmp_path / "media").iterdir()) == []


async def test_nothing_is_overwritten_but_what_a_killed_process_left(
    store: FileStore, tmp_path: Path
) -> None:
    (tmp_path / "media").mkdir()
    (tmp_path / "media" / "a-boat-v_0000000001.mp4").write_bytes(b"other")
    (tmp_path / "media" / "old-v_0000000002.mp4").write_bytes(b"left")

    await store.keep_media(base64_of(VIDEO), "a-boat-v_0000000002", "video/mp4")

    assert sorted(each.name for each in (tmp_path / "media").iterdir()) == [
        "a-boat-v_0000000001.mp4",
        "a-boat-v_0000000002.mp4",
    ]


async def test_a_folder_that_cannot_be_made_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "media").write_text("a file")
    store = FileStore(tmp_path, tmp_path, tmp_path, tmp_path / "media", tmp_path)

    with pytest.raises(NotKept, match="GEMINI_MCP_DATA_DIR"):
        await store.check_media()


@given(st.binary(max_size=400), st.integers(0, 300))
@pytest.mark.parametrize(
    ("mime_type", "whole"),
    [
        ("audio/wav", audio_writer.wav(bytes(100))),
        ("audio/mp3", audio_writer.mp3(1)),
        ("audio/ogg", audio_writer.ogg(1)),
        ("video/mp4", VIDEO),
    ],
)
def test_no_damage_keeps_a_file_from_being_kept(
    mime_type: str, whole: bytes, damage: bytes, at: int
) -> None:
    facts = media_facts(io.BytesIO(whole[:at] + damage + whole[at + len(damage) // 2 :]), mime_type)

    assert facts.seconds >= 0
