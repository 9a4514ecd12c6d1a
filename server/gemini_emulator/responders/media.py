"""The emulated speech, music and video models: files that really play, or a refusal in words."""

import base64
import math
import re
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from .. import token_usage
from ..api_errors import ApiError, invalid
from ..json_types import Json
from ..media_writers import audio_writer, mp4_writer
from ..requests import attachments
from .image import NoImage
from .scripted_answer import Answer, Turn

# The prebuilt voices, documented for Gemini's speech models.
VOICES = (
    "Zephyr", "Puck", "Charon", "Kore", "Fenrir", "Leda", "Orus", "Aoede", "Callirrhoe",
    "Autonoe", "Enceladus", "Iapetus", "Umbriel", "Algieba", "Despina", "Erinome", "Algenib",
    "Rasalgethi", "Laomedeia", "Achernar", "Alnilam", "Schedar", "Gacrux", "Pulcherrima",
    "Achird", "Zubenelgenubi", "Vindemiatrix", "Sadachbia", "Sadaltager", "Sulafat",
)  # fmt: skip
MOST_SPEAKERS = 2
SPEECH_TOKENS = 8_192
MIME_TYPES = ("audio/mp3", "audio/ogg_opus", "audio/l16", "audio/wav", "audio/alaw", "audio/mulaw")
TASKS = ("text_to_video", "image_to_video", "reference_to_video", "edit", "extend", "upscale")
SONG_SECONDS = 30.0
_REFUSED = re.compile(r"\brefuse\b", re.I)
_DURATION = re.compile(r"(\d+(?:\.\d+)?)s")

AddFile = Callable[[bytes, str], str]
"""Keeps a file that was made here, and says its uri."""


@dataclass
class MediaSettings:
    """How sounds and videos are made here, until told otherwise."""

    bytes: int | None = None  # how large each file is; None: as small as it gets
    seconds: float | None = None  # how long each plays; None: as its words or its duration say
    mime_type: str | None = None  # what comes instead of what was asked for
    delivery: str | None = None  # inline or uri, whatever was asked for
    refusals: deque[NoImage] = field(default_factory=deque)


def check(body: Json, model: str, kind: str) -> None:
    """Raise ApiError for what a model of this kind ("speech", "music", "video") does not accept."""
    config = body.get("generation_config") or {}
    formats = _formats(body)
    if kind == "video":
        _check_video(body, config.get("video_config") or {}, formats, model)
        return
    for at, wanted in enumerate(formats):
        if wanted.get("type") == "audio" and wanted.get("mime_type") not in (None, *MIME_TYPES):
            raise _unsupported(wanted["mime_type"], "mime_type", at, MIME_TYPES)
        if wanted.get("delivery") not in (None, "inline"):
            raise _unsupported(wanted["delivery"], "delivery", at, ("inline",))
    if kind == "speech":
        _check_speech(config.get("speech_config"))


def _check_speech(given: Any) -> None:
    voices = given.get("speakers") if isinstance(given, dict) else given
    if voices is None:
        return
    if not isinstance(voices, list) or not all(isinstance(each, dict) for each in voices):
        raise invalid("Invalid value at 'generation_config.speech_config'.")
    if len(voices) > MOST_SPEAKERS:
        raise invalid(f"Too many speakers: {len(voices)}, at most {MOST_SPEAKERS}.")
    for at, each in enumerate(voices):
        for name in each:
            if name not in ("language", "speaker", "voice"):
                where = f"generation_config.speech_config[{at}].{name}"
                raise ApiError(400, f"Unknown parameter '{where}'.", "parameter_unknown")
        voice = str(each.get("voice") or "")
        known = voice.capitalize() in VOICES or voice.startswith(("voice_", "voicekey_"))
        if voice and not known:
            raise invalid(
                f"Voice name '{voice}' is not supported. Allowed voice names are: "
                f"{', '.join(sorted(VOICES)).lower()}."
            )
    if len(voices) > 1 and not all(each.get("speaker") for each in voices):
        raise invalid("Several voices need the name of a speaker each.")


def _check_video(body: Json, config: Json, formats: Sequence[Json], model: str) -> None:
    task = config.get("task")
    if task is not None and task not in TASKS:
        raise invalid(
            f"The value '{task}' is not supported for 'task' at "
            "'generation_config.video_config'. Supported values: "
            f"{', '.join(repr(each) for each in TASKS)}."
        )
    if task is not None and body.get("previous_interaction_id"):
        raise invalid("'task' cannot be used with 'previous_interaction_id'.")
    longest = 10 if model == "gemini-omni-1.1-flash" else 15
    for at, wanted in enumerate(formats):
        if wanted.get("type") != "video":
            continue
        for name, allowed in (
            ("aspect_ratio", mp4_writer.RATIOS),
            ("resolution", mp4_writer.RESOLUTIONS),
            ("delivery", ("inline", "uri")),
        ):
            if wanted.get(name) not in (None, *allowed):
                raise _unsupported(wanted[name], name, at, allowed)
        duration = wanted.get("duration")
        if duration is None:
            continue
        found = _DURATION.fullmatch(str(duration))
        if not found or not 3 <= float(found[1]) <= longest:
            raise invalid(
                f"Invalid value at 'response_format[{at}].duration': '{duration}'. "
                f"From '3s' to '{longest}s' is supported."
            )


def _unsupported(value: Any, name: str, at: int, allowed: Sequence[str]) -> ApiError:
    supported = ", ".join(f"'{each}'" for each in allowed)
    return invalid(
        f"The value '{value}' is not supported for '{name}' at 'response_format[{at}]'. "
        f"Supported values: {supported}."
    )


class MediaResponder:
    """Answers a turn of a speech, music or video model when nobody scripted it."""

    def __init__(self, kind: str, settings: MediaSettings, add_file: AddFile) -> None:
        self._kind = kind
        self._settings = settings
        self._add_file = add_file

    def check(self, body: Json) -> None:
        """Their rules are in `check` above, since they depend on the model."""

    def check_input(self, given: Sequence[Json]) -> None:
        """Refuse media this kind cannot take, and more text than it can speak."""
        allowed = {"speech": (), "music": ("image",), "video": ("image", "video")}[self._kind]
        for part in attachments.of(given):
            if part["type"] not in allowed:
                raise invalid(f"This model does not support {part['type']} input.")
        if self._kind == "speech":
            count = sum(token_usage.tokens(_words(step)) for step in given)
            if count > SPEECH_TOKENS:
                raise invalid(
                    f"The input token count ({count}) exceeds the maximum number of tokens "
                    f"allowed ({SPEECH_TOKENS})."
                )

    def answer(self, turn: Turn) -> Answer:
        if self._settings.refusals:
            return self._settings.refusals.popleft().answer(turn)
        if _REFUSED.search(turn.prompt):
            return NoImage().answer(turn)
        is_video = self._kind == "video"
        content, seconds = self._video(turn) if is_video else self._audio(turn)
        steps: list[Json] = [{"type": "model_output", "content": [content]}]
        each = token_usage.VIDEO_OUT if is_video else token_usage.AUDIO_OUT
        usage = token_usage.with_media(
            token_usage.count(turn.body, turn.steps, steps),
            content["type"],
            math.ceil(seconds * each),
        )
        return Answer(steps=steps, usage=usage)

    def _audio(self, turn: Turn) -> tuple[Json, float]:
        wanted: Json = next((f for f in _formats(turn.body) if f.get("type") == "audio"), {})
        usual = "audio/l16" if self._kind == "speech" else "audio/mp3"
        mime_type = self._settings.mime_type or wanted.get("mime_type") or usual
        rate = wanted.get("sample_rate") or audio_writer.RATE
        seconds = self._seconds(turn, SONG_SECONDS if self._kind == "music" else 0.0)
        kind = mime_type.partition(";")[0].lower()
        if kind in ("audio/mp3", "audio/mpeg"):
            data = audio_writer.mp3(seconds)
        elif kind.startswith("audio/ogg"):
            data = audio_writer.ogg(seconds)
        else:
            data = audio_writer.samples(_lines(turn), seconds, rate)
            if kind == "audio/wav":
                data = audio_writer.wav(data, rate)
        data = data.ljust(turn.wish.media_bytes or self._settings.bytes or 0, b"\0")
        facts: Json = {"sample_rate": rate, "channels": 1} if kind == "audio/l16" else {}
        said = {"type": "audio", "mime_type": mime_type, **facts, "data": _base64(data)}
        return said, seconds

    def _video(self, turn: Turn) -> tuple[Json, float]:
        wanted: Json = next((f for f in _formats(turn.body) if f.get("type") == "video"), {})
        words = " ".join(_words(step) for step in turn.steps if step.get("type") == "user_input")
        given = "".join(attachments.described(turn.input))
        video = mp4_writer.Video(
            words + given,
            self._seconds(turn, float(str(wanted.get("duration") or "8s").rstrip("s"))),
            wanted.get("resolution") or "720p",
            wanted.get("aspect_ratio") or "16:9",
        )
        mime_type = self._settings.mime_type or "video/mp4"
        data = mp4_writer.mp4(video, turn.wish.media_bytes or self._settings.bytes)
        delivery = self._settings.delivery or wanted.get("delivery") or "inline"
        if delivery == "uri":
            where = {"uri": self._add_file(data, mime_type)}
        else:
            where = {"data": _base64(data)}
        return {"type": "video", "mime_type": mime_type, **where}, video.seconds

    def _seconds(self, turn: Turn, usual: float) -> float:
        if self._settings.seconds is not None:
            return self._settings.seconds
        # Fifteen letters take a second.
        return usual or max(0.5, min(len(turn.prompt) / 15, 600.0))


def _formats(body: Json) -> list[Json]:
    given: Any = body.get("response_format") or []
    return given if isinstance(given, list) else [given]


def _words(step: Json) -> str:
    return " ".join(
        str(part.get("text") or "")
        for part in step.get("content") or []
        if isinstance(part, dict) and part.get("type") == "text"
    )


def _lines(turn: Turn) -> list[str]:
    """Who speaks, line by line: the speaker's voice, or the words of a single one."""
    given = turn.config.get("speech_config") or []
    voices = given.get("speakers") or [] if isinstance(given, dict) else given
    named = {str(each.get("speaker")): str(each.get("voice")) for each in voices}
    found = [line.partition(":")[0].strip() for line in turn.prompt.splitlines()]
    spoken = [named[name] for name in found if name in named]
    return spoken or [str(voices[0].get("voice")) if voices else turn.prompt]


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
