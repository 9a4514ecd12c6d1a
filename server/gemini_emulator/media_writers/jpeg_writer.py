"""Pictures as JPEG files: a colour, the words they were asked for with, a mark for every edit."""

import base64
import binascii
import hashlib
import json
import textwrap
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

# Width and height of each ratio at 1K; 2K and 4K are twice and four times that.
RATIOS = {
    "1:1": (1024, 1024),
    "1:4": (512, 2064),
    "1:8": (352, 2928),
    "2:3": (848, 1264),
    "3:2": (1264, 848),
    "3:4": (896, 1200),
    "4:1": (2064, 512),
    "4:3": (1200, 896),
    "4:5": (928, 1152),
    "5:4": (1152, 928),
    "8:1": (2928, 352),
    "9:16": (768, 1376),
    "16:9": (1376, 768),
    "21:9": (1584, 672),
}
_SCALES = {"512": 0.5, "1K": 1.0, "2K": 2.0, "4K": 4.0}
_COMMENT, _PADDING = 0xFE, 0xEF  # COM carries the description, APP15 makes files larger
_MOST_IN_SEGMENT = 65533
_MOST_EDITS = 20
_MOST_LINES = 5
_LOOKED_AT = 64 * 1024  # characters of base64 in which the description is found
_FOREIGN = 8_000_000  # characters of base64; larger pictures are not decoded for their colour

Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Picture:
    """What a picture shows, as its file says in a comment."""

    prompt: str
    colour: Colour
    edits: tuple[str, ...] = ()
    width: int = 1024
    height: int = 1024

    def edited(self, change: str) -> "Picture":
        return replace(self, edits=(*self.edits, change)[-_MOST_EDITS:])

    def sized(self, ratio: str | None, size: str | None) -> "Picture":
        """The same picture in these dimensions; where nothing is said, in its own or 1K."""
        width, height = RATIOS.get(ratio or "", RATIOS["1:1"])
        scale = _SCALES.get(size or "1K", 1.0)
        return replace(self, width=int(width * scale), height=int(height * scale))

    def described(self) -> str:
        changes = "".join(f", then “{edit}”" for edit in self.edits)
        return f"“{self.prompt}”{changes} ({self.width}×{self.height})"


def new(prompt: str, number: int = 1) -> Picture:
    """A picture whose colour follows from its prompt."""
    digest = hashlib.sha256(f"{prompt}:{number}".encode()).digest()
    colour = (40 + digest[0] % 176, 40 + digest[1] % 176, 40 + digest[2] % 176)
    return Picture(prompt, colour)


def jpeg(picture: Picture, size: int | None = None, *, draft: bool = False) -> str:
    """The picture as a file in base64; padded to `size` bytes when it is smaller."""
    painted = _painted(picture, draft)
    if size is not None and size > len(painted):
        painted = _padded(painted, size - len(painted))
    return base64.b64encode(painted).decode()


def read(data: str) -> Picture | None:
    """What an image of ours shows; None for any other."""
    for kind, payload in _segments(_decoded(data[:_LOOKED_AT])):
        if kind == _COMMENT and payload.startswith(b'{"painted"'):
            with suppress(ValueError, KeyError, TypeError):  # or else it only looks like ours
                return _understood(payload)
    return None


def seen(data: str) -> Picture:
    """What any image shows, as far as can be seen: of a foreign one, its colour."""
    known = read(data)
    if known is not None:
        return known
    colour = _average(data) if len(data) <= _FOREIGN else None
    return Picture("an image from elsewhere", colour or new(data[:_LOOKED_AT]).colour)


@lru_cache(maxsize=16)
def _painted(picture: Picture, draft: bool) -> bytes:
    # Pillow costs a tenth of a second to import: only who asks for a picture pays it.
    import io

    from PIL import Image, ImageDraw, ImageFont

    width, height = picture.width, picture.height
    image = Image.new("RGB", (width, height), picture.colour)
    draw = ImageDraw.Draw(image)
    side = max(8, min(width, height) // 16)
    for number in range(len(picture.edits)):
        left = side + (number % 8) * 2 * side
        top = side + number // 8 * 2 * side
        draw.rectangle((left, top, left + side, top + side), fill="white", outline="black")
    if not draft:
        lines = _words(picture, (width - 2 * side) * 2 // side)
        font = ImageFont.load_default(side * 3 // 4)
        draw.text((side, height - side), "\n".join(lines), fill="white", font=font, anchor="ld")
    file = io.BytesIO()
    image.save(file, "JPEG", quality=60, comment=_comment(picture))
    return file.getvalue()


def _words(picture: Picture, columns: int) -> list[str]:
    """What it shows, large enough for its preview: the end of it, in a corner."""
    said = [picture.prompt[:80], *(f"+ {edit[:80]}" for edit in picture.edits)]
    # The built-in font has no glyphs beyond Latin-1.
    plain = [each.encode("latin-1", "replace").decode("latin-1") for each in said]
    lines = [line for each in plain for line in textwrap.wrap(each, max(8, columns))]
    return lines if len(lines) <= _MOST_LINES else [lines[0], *lines[1 - _MOST_LINES :]]


def _comment(picture: Picture) -> bytes:
    said: dict[str, Any] = {
        "painted": picture.prompt[:500],
        "colour": picture.colour,
        "edits": [edit[:500] for edit in picture.edits],
        "size": [picture.width, picture.height],
    }
    return json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()


def _understood(payload: bytes) -> Picture:
    said = json.loads(payload)
    red, green, blue = said["colour"]
    return Picture(said["painted"], (red, green, blue), tuple(said["edits"]), *said["size"])


def _decoded(data: str) -> bytes:
    try:
        return base64.b64decode(data[: len(data) // 4 * 4])
    except (binascii.Error, ValueError):
        return b""


def _segments(file: bytes) -> Iterator[tuple[int, bytes]]:
    """The segments before the picture itself, with their markers."""
    at = 2 if file.startswith(b"\xff\xd8") else len(file)
    while at + 4 <= len(file) and file[at] == 0xFF and file[at + 1] != 0xDA:
        length = int.from_bytes(file[at + 2 : at + 4], "big")
        yield file[at + 1], file[at + 4 : at + 2 + length]
        at += 2 + length


def _padded(file: bytes, missing: int) -> bytes:
    """Valid, and larger by so many bytes: segments nobody reads, before the tables."""
    at = file.index(b"\xff\xdb")
    parts: list[bytes] = [file[:at]]
    full = _segment(_MOST_IN_SEGMENT)
    while missing >= 4:
        size = min(missing, len(full))
        if 0 < missing - size < 4:
            size -= 4  # the rest must have room for its own marker and length
        parts.append(full if size == len(full) else _segment(size - 4))
        missing -= size
    return b"".join([*parts, file[at:]])


def _segment(size: int) -> bytes:
    filling = bytes(range(1, 252)) * (size // 251 + 1)
    return bytes([0xFF, _PADDING]) + (size + 2).to_bytes(2, "big") + filling[:size]


def _average(data: str) -> Colour | None:
    import io

    from PIL import Image

    try:
        with Image.open(io.BytesIO(_decoded(data))) as image:
            image.draft("RGB", (8, 8))  # large JPEGs are decoded small, which is much faster
            pixel: Any = image.convert("RGB").resize((1, 1)).getpixel((0, 0))
    except Exception:  # anything may be called an image
        return None
    red, green, blue = pixel
    return red, green, blue
