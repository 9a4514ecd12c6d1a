"""The emulated image models: they say a sentence and paint what was asked for, or refuse to."""

import re
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from ..api_errors import invalid
from ..json_types import Json
from ..media_writers import jpeg_writer
from ..requests import attachments
from .scripted_answer import Answer, Turn, text_step

# Two by two grey pixels, a real JPEG.
JPEG = (
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAP////////////////////////////////////////////////////////"
    "//////////////////////////////wAALCAACAAIBAREA/8QAFAABAAAAAAAAAAAAAAAAAAAAAP/EABQQAQAAAAAA"
    "AAAAAAAAAAAAAAD/2gAIAQEAAD8AP//Z"
)
MOST_REFERENCES = 14
MESSAGES = {
    "image_safety": "Unable to show the generated image: it may violate the safety policy.",
    "image_prohibited_content": "Unable to show the generated image: its content is prohibited.",
    "image_recitation": "Unable to show the generated image: it resembles existing content.",
    "image_other": "Unable to show the generated image.",
    "no_image": "The model did not generate an image. Try rephrasing the prompt.",
    "prohibited_content": "The prompt was blocked: its content is prohibited.",
}
_NUMBERS = {"two": 2, "three": 3, "four": 4, "2": 2, "3": 3, "4": 4}
_SEVERAL = re.compile(
    r"\b(two|three|four|[2-4]) (?:\w+ )?(?:images|pictures|variants|variations|versions)\b", re.I
)
_REFUSED = re.compile(r"\brefuse\b", re.I)


@dataclass(frozen=True)
class NoImage:
    """How the next picture is refused: in words, or with an error code."""

    code: str | None = None
    status: str = "completed"
    where: Literal["errors", "step"] = "errors"

    def answer(self, turn: Turn) -> Answer:
        thought = {"type": "thought", "signature": turn.signature()}
        if self.code is None:
            return Answer(
                steps=[thought, text_step("I cannot create this picture; try something else.")],
                status=self.status,
            )
        message = MESSAGES.get(self.code, "The picture was blocked.")
        if self.where == "step":
            error = {"code": 3, "message": f"{self.code}: {message}"}
            failed = {"type": "model_output", "content": [], "error": error}
            return Answer(steps=[thought, failed], status=self.status)
        error = {"code": self.code, "message": message}
        return Answer(steps=[thought], status=self.status, errors=[error])


@dataclass
class ImageSettings:
    """How pictures are made here, until told otherwise."""

    bytes: int | None = None  # how large each file is; None: as small as it gets
    drafts: int | None = None  # in the thoughts; None: one, two when thinking hard
    refusals: deque[NoImage] = field(default_factory=deque)


class ImageResponder:
    """Answers an image model's turn when nobody scripted it."""

    def __init__(self, settings: ImageSettings | None = None) -> None:
        self._settings = settings or ImageSettings()

    def check(self, body: Json) -> None:
        """Image models have no rules beyond those of rules.py and of `check_input`."""

    def check_input(self, given: Sequence[Json]) -> None:
        """Refuse too many references, and pictures replayed without their signatures."""
        references = [part for part in attachments.of(given) if part["type"] == "image"]
        if len(references) > MOST_REFERENCES:
            raise invalid(
                f"Too many images in the input: {len(references)}, at most {MOST_REFERENCES}."
            )
        is_signed = False
        for step in given:
            if step["type"] == "user_input":
                is_signed = False
            is_signed = is_signed or bool(step["type"] == "thought" and step.get("signature"))
            if step["type"] == "model_output" and _images(step) and not is_signed:
                raise invalid("Image part is missing a thought_signature.")

    def answer(self, turn: Turn) -> Answer:
        if self._settings.refusals:
            return self._settings.refusals.popleft().answer(turn)
        if _REFUSED.search(turn.prompt):
            return NoImage().answer(turn)
        formats = _formats(turn.body)
        wanted = [one for one in formats if one.get("type") == "image"]
        has_text = not formats or any(one.get("type") == "text" for one in formats)
        if formats and not wanted:
            return Answer(steps=[text_step("Words only, as you asked.")])
        pictures = _pictures(turn, wanted)
        size = turn.wish.image_bytes or self._settings.bytes
        images = [_image(jpeg_writer.jpeg(picture, size)) for picture in pictures]
        thought: Json = {"type": "thought", "signature": turn.signature()}
        drafts = self._drafts(turn, size)
        if drafts:
            early = _image(jpeg_writer.jpeg(pictures[-1], draft=True))
            thought["summary"] = [*[early] * (drafts - 1), images[-1]]
        said = {"type": "model_output", "content": _content(images, has_text)}
        if not has_text:
            return Answer(steps=[thought, said])
        return Answer(steps=[text_step("Here is your picture.\n"), thought, said])

    def _drafts(self, turn: Turn, size: int | None) -> int:
        if self._settings.drafts is not None:
            return self._settings.drafts
        if size is not None:
            return 0  # a large picture is not sent twice unless asked for
        return {"minimal": 0, "high": 2}.get(turn.config.get("thinking_level") or "", 1)


def _formats(body: Json) -> list[Json]:
    given: Any = body.get("response_format") or []
    return given if isinstance(given, list) else [given]


def _pictures(turn: Turn, wanted: Sequence[Json]) -> list[jpeg_writer.Picture]:
    """The pictures to paint: new ones, or the one before with another mark."""
    config = turn.config.get("image_config") or {}
    before = _before(turn)
    several = _SEVERAL.search(turn.prompt)
    number = turn.wish.images or (_NUMBERS[several[1].lower()] if several else len(wanted) or 1)
    pictures = []
    for i in range(number):
        kind = wanted[min(i, len(wanted) - 1)] if wanted else config
        if before is None:
            picture = jpeg_writer.new(turn.prompt, i + 1)
        else:
            picture = before.edited(turn.prompt if i == 0 else f"{turn.prompt} ({i + 1})")
        if before is None or kind.get("aspect_ratio") or kind.get("image_size"):
            picture = picture.sized(kind.get("aspect_ratio"), kind.get("image_size"))
        pictures.append(picture)
    return pictures


def _before(turn: Turn) -> jpeg_writer.Picture | None:
    """What is to be edited: an image in the input, else the last one painted in the chain."""
    given = [part for part in attachments.of(turn.input) if part["type"] == "image"]
    painted = last_image(turn.steps)
    part = given[0] if given else painted
    if part is None:
        return None
    return jpeg_writer.seen(part.get("data") or part.get("uri") or "")


def last_image(steps: Sequence[Json]) -> Json | None:
    """The newest image a model painted among these steps; the charts of reports are PNGs."""
    for step in reversed(steps):
        if step.get("type") == "model_output":
            for image in reversed(_images(step)):
                if image.get("mime_type") == "image/jpeg":
                    return image
    return None


def _images(step: Json) -> list[Json]:
    return [part for part in step.get("content") or [] if part.get("type") == "image"]


def _image(data: str) -> Json:
    return {"type": "image", "mime_type": "image/jpeg", "data": data}


def _content(images: Sequence[Json], has_text: bool) -> list[Json]:
    if not has_text:
        return list(images)
    said: list[Json] = []
    for number, image in enumerate(images, 1):
        text = "Done." if number == len(images) else "And another one.\n"
        said += [image, {"type": "text", "text": text}]
    return said
