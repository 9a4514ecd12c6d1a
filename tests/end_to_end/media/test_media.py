"""Speech, music and videos through the whole product: made, delivered as files, gone on with."""

from __future__ import annotations

import json
import stat
import wave
from pathlib import Path
from typing import Any

import pytest

from gemini_emulator.media_writers import audio_writer
from gemini_interactions.config.setting_table import TOOLSETS
from tests.support.app_harness import AppHarness, McpClient
from tests.support.media_client import film, path_of, speak


def sent_request(harness: AppHarness) -> dict[str, Any]:
    """The last POST without what every POST has."""
    return {name: value for name, value in harness.last.items() if name != "store"}


# -- requests -----------------------------------------------------------------------------


async def test_a_dialogue_is_asked_for_as_the_api_speaks_it(
    client: McpClient, harness: AppHarness
) -> None:
    speakers = [{"speaker": "Ann", "voice": "Kore"}, {"speaker": "Bob", "voice": "Puck"}]

    await speak(client, "Ann: Hi.\nBob: Ho.", speakers=speakers, language="en-US", format="ogg")

    assert sent_request(harness) == {
        "model": "gemini-3.8-flash-tts",
        "input": "Ann: Hi.\nBob: Ho.",
        "generation_config": {
            "speech_config": [{"language": "en-US", **each} for each in speakers]
        },
        "response_format": [{"type": "audio", "mime_type": "audio/ogg_opus"}],
    }


async def test_one_voice_is_a_list_of_one(client: McpClient, harness: AppHarness) -> None:
    await speak(client, voice="Kore", format="wav", model="lite")

    assert sent_request(harness) == {
        "model": "gemini-3.8-flash-lite-tts",
        "input": "Good morning.",
        "generation_config": {"speech_config": [{"voice": "Kore"}]},
        "response_format": [{"type": "audio", "mime_type": "audio/wav"}],
    }


async def test_music_is_asked_for_from_words_and_pictures(
    client: McpClient, harness: AppHarness
) -> None:
    picture = await client.call("gemini_generate_image", prompt="A waltz")

    await client.call(
        "gemini_generate_music", prompt="Like this", images=picture.facts["image_id"], format="wav"
    )

    (image, text) = harness.last["input"][0]["content"]
    assert (image["type"], text) == ("image", {"type": "text", "text": "Like this"})
    assert harness.last["model"] == "lyria-3.5"
    assert harness.last["response_format"] == [{"type": "audio", "mime_type": "audio/wav"}]
    assert "generation_config" not in harness.last


async def test_a_video_is_asked_for_in_the_background_and_by_its_address(
    client: McpClient, harness: AppHarness
) -> None:
    await film(client, task="text_to_video", duration="4", aspect_ratio="9:16", resolution="1080p")

    assert sent_request(harness) == {
        "model": "gemini-omni-1.2-flash",
        "input": "A red boat",
        "background": True,
        "generation_config": {"video_config": {"task": "text_to_video"}},
        "response_format": [
            {
                "type": "video",
                "delivery": "uri",
                "aspect_ratio": "9:16",
                "duration": "4s",
                "resolution": "1080p",
            }
        ],
    }


async def test_settings_choose_the_models(harness: AppHarness) -> None:
    client = await harness.connect(
        toolsets=TOOLSETS,
        speech_model="lite",
        music_model="lyria-3-pro-preview",
        video_model="gemini-omni-1.1-flash",
    )

    await speak(client)
    await client.call("gemini_generate_music", prompt="A waltz")
    await client.call("gemini_generate_video", prompt="A boat")

    # The first one is tried on v1, which has no such model, and then on v1beta.
    assert [body["model"] for body in harness.bodies[1:]] == [
        "gemini-3.8-flash-lite-tts",
        "lyria-3-pro-preview",
        "gemini-omni-1.1-flash",
    ]


# -- files --------------------------------------------------------------------------------


async def test_speech_is_a_file_under_an_honest_name_for_this_user_only(
    client: McpClient,
) -> None:
    said = await speak(client, "Good morning, Zoë!")

    path, audio = path_of(said), said.facts["audio_id"]
    assert said.status == "completed"
    assert path.name == f"good-morning-zoe-{audio}.mp3"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert f"{audio}: MP3 audio, 1.2 s, 5 KB, {path}" in said.tail
    assert said.piece == f"[audio {audio}]"
    assert len(said.raw.content) == 1


@pytest.mark.parametrize(
    ("mime_type", "rate"),
    [("audio/l16", 24_000), ("audio/L16;codec=pcm;rate=16000", 24_000)],
)
async def test_raw_samples_become_a_wav_that_plays(
    client: McpClient, harness: AppHarness, mime_type: str, rate: int
) -> None:
    harness.control.make_media(seconds=1, mime_type=mime_type)

    said = await speak(client, voice="Kore")

    with wave.open(str(path_of(said))) as file:
        assert file.readframes(99_999) == audio_writer.samples(["Kore"], 1, rate)
        assert file.getframerate() == (16_000 if "16000" in mime_type else 24_000)
    assert "mp3 was asked for, and Gemini sent wav." in said.tail


async def test_a_song_takes_as_long_as_it_says(client: McpClient) -> None:
    said = await client.call("gemini_generate_music", prompt="A waltz", save_to="waltz.mp3")

    assert "MP3 audio, 30.0 s" in said.tail
    assert Path("waltz.mp3").read_bytes() == path_of(said).read_bytes()
    assert f"Saved as {Path('waltz.mp3').absolute()}" in said.tail
    assert said.footer.endswith("~$0.0800")


async def test_a_video_is_told_with_its_pixels_length_and_price(client: McpClient) -> None:
    said = await film(client, resolution="1080p", duration=4, save_to=".")

    video = said.facts["video_id"]
    assert path_of(said).name == f"a-red-boat-{video}.mp4"
    assert f"{video}: 1920×1080 MP4 video, 4.0 s, " in said.tail
    assert Path(f"a-red-boat-{video}.mp4").read_bytes() == path_of(said).read_bytes()
    assert said.footer.endswith("~$0.6000")


async def test_a_video_answers_with_a_handle_at_once_and_what_it_costs_at_most(
    client: McpClient, harness: AppHarness
) -> None:
    harness.control.hold_background()

    said = await client.call("gemini_generate_video", prompt="A red boat")

    assert said.status == "running"
    video = said.facts["video_id"]
    assert f"{video} is being made" in said.tail
    assert f'gemini_result with id "{said.id}"' in said.tail
    assert said.footer.endswith("at most ~$2.25")
    running = await client.result(video)
    assert (running.status, running.id) == ("running", said.id)
    listed = await client.history(kind="video")
    assert f"{video} · {said.id}" in listed.text
    assert "running" in listed.text
    harness.control.finish(said.interaction)
    done = await client.result(video, wait_seconds=20)
    assert (done.status, done.facts["video_id"]) == ("completed", video)


async def test_an_inline_video_is_kept_too(client: McpClient, harness: AppHarness) -> None:
    harness.control.make_media(delivery="inline")

    assert path_of(await film(client)).suffix == ".mp4"


async def test_a_large_video_is_written_whole(client: McpClient, harness: AppHarness) -> None:
    harness.control.make_media(bytes=30_000_000)

    said = await film(client)

    assert path_of(said).stat().st_size == 30_000_000
    assert "30,000 KB" in said.tail


# -- chains -------------------------------------------------------------------------------


async def test_the_newest_answer_is_read_aloud_without_marks_and_sources(
    client: McpClient, harness: AppHarness
) -> None:
    harness.control.answer_next("The first answer.")
    asked = await client.ask("Why?")
    harness.control.answer_next("The second *answer*.")
    await client.follow("And?")

    said = await client.call("gemini_generate_speech", conversation_id=asked.conversation)

    assert harness.last["input"] == "The second *answer*."
    assert "previous_interaction_id" not in harness.last
    assert (said.conversation, said.turn) == (asked.conversation, 3)


async def test_a_turn_after_a_speech_continues_what_was_said_before_it(
    client: McpClient, harness: AppHarness
) -> None:
    asked = await client.ask("Why?")
    await client.call("gemini_generate_speech", conversation_id=asked.conversation)

    followed = await client.follow("And?", conversation_id=asked.conversation)

    assert harness.last["previous_interaction_id"] == asked.interaction
    assert "continues from" not in followed.text


async def test_a_conversation_without_an_answer_has_nothing_to_read(
    client: McpClient, harness: AppHarness
) -> None:
    harness.control.fail_next(400)
    asked = await client.ask("Why?")

    said = await client.call("gemini_generate_speech", conversation_id=asked.conversation)

    assert said.is_error
    assert "no answer to read aloud" in said.text


async def test_a_video_from_a_made_picture_is_edited_and_asked_about(
    client: McpClient, harness: AppHarness
) -> None:
    picture = (await client.call("gemini_generate_image", prompt="A boat")).facts["image_id"]
    first = await film(client, "It sails", images=[picture], task="image_to_video")

    second = await film(client, "At night", conversation_id=first.facts["video_id"], task="edit")

    assert harness.last["previous_interaction_id"] == first.interaction
    assert "generation_config" not in harness.last
    assert "`task` was left out" in second.tail
    assert path_of(second).read_bytes() != path_of(first).read_bytes()
    harness.control.process_files(looks=0)
    asked = await client.ask("What is in it?", files=[second.facts["video_id"]])
    assert asked.status == "completed"
    assert harness.last["input"][0]["content"][0]["type"] == "video"


async def test_a_video_is_extended_from_its_file(client: McpClient, harness: AppHarness) -> None:
    first = (await film(client)).facts["video_id"]

    await film(client, "And on", video=first, task="extend")

    (video, _) = harness.last["input"][0]["content"]
    assert video["type"] == "video"
    assert harness.last["generation_config"] == {"video_config": {"task": "extend"}}


async def test_audio_is_asked_about_and_continued(client: McpClient, harness: AppHarness) -> None:
    audio = (await speak(client)).facts["audio_id"]

    await client.ask("What is said?", files=[audio])
    assert harness.last["input"][0]["content"][0]["type"] == "audio"

    followed = await client.follow("Shorter, please", conversation_id=audio)
    assert followed.turn == 2


async def test_transcripts_and_lists_name_what_was_made(client: McpClient) -> None:
    said = await speak(client, "Good morning.")
    video = await film(client)

    audio = said.facts["audio_id"]
    assert f"[audio {audio}]" in (await client.history(id=said.conversation)).text
    listed = await client.history(kind="audio")
    assert f'{audio} · {said.id} · 2026-11-22 12:00 UTC · "Good morning."' in listed.text
    assert "1 to 1 of 1 audio files" in listed.text
    assert video.facts["video_id"] in (await client.history(kind="video")).text


async def test_resources_hold_the_facts_of_a_file_and_not_where_it_is(client: McpClient) -> None:
    video = await film(client, duration=4)

    read = await client.sdk_client.read_resource(f"gemini://video/{video.facts['video_id']}")

    facts = json.loads(read.contents[0].text)  # type: ignore[union-attr]
    assert facts["id"] == video.facts["video_id"]
    assert (facts["mime_type"], facts["seconds"], facts["width"]) == ("video/mp4", 4, 1280)
    assert "path" not in facts
