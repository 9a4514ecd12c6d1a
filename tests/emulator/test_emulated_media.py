"""Speech, music and video: files that play, the rules of their models, and what goes wrong."""

import base64
import io
import struct
import wave
from itertools import pairwise

import pytest
from google.genai._interactions import BadRequestError, NotFoundError, RateLimitError

from gemini_emulator import EmulatorControl
from gemini_emulator.media_writers import audio_writer, mp4_writer

SPEECH = "gemini-3.8-flash-tts"
MUSIC = "lyria-3.5"
VIDEO = "gemini-omni-1.2-flash"


def audio(mime_type=None, **more):
    return {"type": "audio", **({"mime_type": mime_type} if mime_type else {}), **more}


async def speak(gemini, text="Hello there.", *, voices=(), model=SPEECH, **format):
    config = {"generation_config": {"speech_config": list(voices)}} if voices else {}
    return await gemini.create(
        model=model,
        input=text,
        response_format=audio(**format),
        api_version="v1beta",
        **config,
    )


async def film(gemini, prompt="A red boat", task=None, **wanted):
    config = {"generation_config": {"video_config": {"task": task}}} if task else {}
    after = wanted.pop("previous_interaction_id", None)
    more = {"previous_interaction_id": after} if after else {}
    return await gemini.create(
        model=VIDEO, input=prompt, response_format={"type": "video", **wanted}, **config, **more
    )


def data(part):
    return base64.b64decode(part.data)


async def test_speech_is_raw_little_endian_samples_unless_told_otherwise(gemini):
    said = (await speak(gemini, "x" * 30)).output_audio

    assert (said.mime_type, said.sample_rate, said.channels) == ("audio/l16", 24_000, 1)
    samples = struct.unpack("<48000h", data(said))  # fifteen letters a second
    assert max(samples) > 5_000
    assert max(abs(b - a) for a, b in pairwise(samples)) < 1_000


async def test_a_dialogue_has_a_tone_for_each_voice(gemini):
    voices = [{"speaker": "Ann", "voice": "Kore"}, {"speaker": "Bob", "voice": "Puck"}]
    said = await speak(
        gemini, "Ann: Hello, Bob.\nBob: Hello, Ann.", voices=voices, mime_type="audio/wav"
    )

    with wave.open(io.BytesIO(data(said.output_audio))) as file:
        count = file.getnframes()
        first, second = file.readframes(count // 2), file.readframes(count // 2)
    assert first != second


@pytest.mark.parametrize(
    ("mime_type", "start"),
    [("audio/mp3", b"\xff\xf3"), ("audio/ogg_opus", b"OggS"), ("audio/wav", b"RIFF")],
)
async def test_sound_comes_in_the_format_that_was_asked_for(gemini, mime_type, start):
    said = (await speak(gemini, mime_type=mime_type)).output_audio

    assert said.mime_type == mime_type
    assert data(said).startswith(start)


def test_the_checksum_of_a_page_of_ogg_is_that_of_its_bytes():
    page = audio_writer.ogg(0.02)
    without = page[:22] + bytes(4) + page[26:]
    size = 27 + page[26] + sum(page[27 : 27 + page[26]])

    crc = 0
    for byte in without[:size]:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1 ^ 0x04C11DB7 if crc & 1 << 31 else crc << 1) & 0xFFFFFFFF
    assert struct.unpack("<I", page[22:26]) == (crc,)


async def test_models_of_speech_are_not_there_on_v1(gemini):
    with pytest.raises(NotFoundError, match="is not found for API version v1"):
        await gemini.create(model=SPEECH, input="Hello.")


async def test_music_takes_pictures_and_half_a_minute(gemini):
    song = await gemini.create(
        model=MUSIC,
        input=[
            {"type": "text", "text": "A slow waltz like this"},
            {"type": "image", "mime_type": "image/png", "data": "aGk="},
        ],
        response_format=audio("audio/wav"),
    )

    with wave.open(io.BytesIO(data(song.output_audio))) as file:
        assert file.getnframes() / file.getframerate() == 30


@pytest.mark.parametrize("ratio", mp4_writer.RATIOS)
@pytest.mark.parametrize("resolution", mp4_writer.RESOLUTIONS)
async def test_a_video_has_the_size_and_length_that_were_asked_for(gemini, ratio, resolution):
    made = (
        await film(gemini, aspect_ratio=ratio, resolution=resolution, duration="4s")
    ).output_video

    assert made.mime_type == "video/mp4"
    file = data(made)
    at = file.index(b"mvhd")
    scale, length = struct.unpack(">II", file[at + 16 : at + 24])
    assert length / scale == 4
    at = file.index(b"tkhd")
    width, height = struct.unpack(">II", file[at + 80 : at + 88])
    assert sorted((width >> 16, height >> 16))[0] == {
        "360p": 360, "720p": 720, "1080p": 1080, "4k": 2160
    }[resolution]  # fmt: skip
    assert (width > height) is (ratio == "16:9")


async def test_a_video_by_its_uri_can_be_downloaded(gemini, client, control: EmulatorControl):
    control.make_media(bytes=100_000)

    made = (await film(gemini, delivery="uri")).output_video

    assert made.data is None
    assert len(await client.aio.files.download(file=made.uri)) == 100_000


async def test_an_edit_is_another_video(gemini):
    first = await film(gemini)

    second = await film(gemini, "At night", previous_interaction_id=first.id)

    assert first.output_video.data != second.output_video.data


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda g: speak(g, voices=[{"voice": "Nobody"}]), "Voice name 'Nobody' is not supported"),
        (lambda g: speak(g, "word " * 9000), "exceeds the maximum number of tokens"),
        (lambda g: speak(g, voices=[{"speaker": c, "voice": "Kore"} for c in "abc"]), "at most 2"),
        (lambda g: speak(g, mime_type="audio/flac"), "'audio/flac' is not supported"),
        (lambda g: speak(g, delivery="uri"), "'uri' is not supported for 'delivery'"),
        (lambda g: film(g, "x", "paint"), "'paint' is not supported for 'task'"),
        (lambda g: film(g, duration="16s"), "From '3s' to '15s'"),
        (lambda g: film(g, resolution="8k"), "'8k' is not supported for 'resolution'"),
        (lambda g: film(g, aspect_ratio="1:1"), "'1:1' is not supported for 'aspect_ratio'"),
    ],
)
async def test_what_a_model_does_not_take_is_refused(gemini, make, words):
    with pytest.raises(BadRequestError) as caught:
        await make(gemini)

    assert words in str(caught.value.body)


async def test_a_task_does_not_go_with_a_video_before(gemini):
    first = await film(gemini)

    with pytest.raises(BadRequestError, match="cannot be used with"):
        await film(gemini, "x", "edit", previous_interaction_id=first.id)


async def test_a_free_key_has_no_quota_for_media(gemini, control: EmulatorControl):
    control.free_tier = True

    with pytest.raises(RateLimitError, match="limit: 0"):
        await speak(gemini)


async def test_a_refusal_says_so_in_words_or_by_a_code(gemini, control: EmulatorControl):
    control.refuse_next_media()
    control.refuse_next_media("safety")

    in_words, blocked = await film(gemini), await film(gemini)

    assert in_words.output_video is None
    assert "cannot create" in in_words.output_text
    assert blocked.errors[0].code == "safety"


async def test_what_comes_can_be_told(gemini, control: EmulatorControl):
    control.make_media(seconds=2, mime_type="audio/L16;codec=pcm;rate=16000", bytes=70_000)

    said = (await speak(gemini, mime_type="audio/mp3")).output_audio

    assert said.mime_type == "audio/L16;codec=pcm;rate=16000"
    assert len(data(said)) == 96_000


async def test_voices_are_listed_in_pages(client):
    first = await client.aio.voices.list(page_size=20)
    rest = await client.aio.voices.list(page_size=20, page_token=first.next_page_token)

    assert [len(first.voices), len(rest.voices), rest.next_page_token] == [20, 10, None]
    assert first.voices[0].id == "Zephyr"
