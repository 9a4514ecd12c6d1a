"""What came with a prompt: images, documents, audio and video, told apart and measured."""

import base64
import binascii
import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

from ..json_types import Json

MEDIA = ("image", "audio", "video", "document")
_KEPT = 1024  # characters of base64 the log keeps; of more it keeps the size


def of(steps: Sequence[Json]) -> list[Json]:
    """The media in the newest thing the user said."""
    for step in reversed(steps):
        if step.get("type") == "user_input":
            return [part for part in step.get("content") or [] if part.get("type") in MEDIA]
    return []


def described(steps: Sequence[Json]) -> list[str]:
    """Each as `type (mime type) of N bytes`, or `… at its uri`."""
    return [describe(part) for part in of(steps)]


def describe(part: Json) -> str:
    kind, mime, uri = part["type"], part.get("mime_type"), part.get("uri")
    if part.get("data"):
        return f"{kind} ({mime or 'no mime type'}) of {size(part['data'])} bytes"
    return f"{kind} ({mime}) at {uri}" if mime else f"{kind} ({uri})"


def size(data: str) -> int:
    """How many bytes this base64 stands for."""
    return len(data) * 3 // 4 - data.count("=", -2)


def listed(body: Any) -> list[Json]:
    """What the log keeps of every attachment of a request: everything but the bytes."""
    return [
        {key: value for key, value in part.items() if key != "data"} | _measured(part.get("data"))
        for part in _parts(body)
    ]


def slim(value: Any) -> Any:
    """The same body without large data, so that a log of many requests stays small."""
    if isinstance(value, list):
        return [slim(each) for each in value]
    if not isinstance(value, dict):
        return value
    small = {key: slim(each) for key, each in value.items()}
    data = value.get("data")
    if isinstance(data, str) and len(data) > _KEPT:
        small["data"] = f"({size(data)} bytes, not kept)"
    return small


def _parts(value: Any) -> Iterator[Json]:
    if isinstance(value, list):
        for each in value:
            yield from _parts(each)
    elif isinstance(value, dict):
        if value.get("type") in MEDIA and ("data" in value or "uri" in value):
            yield value
        else:
            yield from _parts(list(value.values()))


def _measured(data: Any) -> Json:
    try:
        raw = base64.b64decode(data) if isinstance(data, str) else None
    except (binascii.Error, ValueError):
        raw = None
    if raw is None:
        return {}
    return {"bytes": len(raw), "sha256": hashlib.sha256(raw).hexdigest()}
