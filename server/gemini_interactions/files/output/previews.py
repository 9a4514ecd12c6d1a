"""Previews: a JPEG small enough for every host, made of whatever Pillow can read.

Nothing of the original but its pixels is in it: no place, no camera, no comment. What is
broken, cut short or far too large has none; that is no error.
"""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from PIL.Image import Image

SIDE = 512
LARGEST = 60_000
MOST_PIXELS = 36_000_000
"""Twice what the largest model draws; more could be a small file made to fill memory."""

# AVIF is in Pillow's wheels; a Pillow without it passes it over.
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
_ORIENTATION = 0x0112
_ON_ITS_SIDE = (5, 6, 7, 8)
_SIXTEEN_BITS = 65535.0
_QUALITIES = (85, 75, 65, 55, 45, 35)
_SIDES = (512, 384, 256, 128, 64)


def preview(source: BinaryIO, largest: int = LARGEST) -> bytes | None:
    """A JPEG of at most 512 pixels and `largest` bytes; None where none can be made."""
    from PIL import Image, ImageOps  # 8 ms and 4 MB, for those who make images

    try:
        source.seek(0)
        with Image.open(source, formats=_FORMATS) as image:
            if image.width * image.height > MOST_PIXELS:
                return None
            image.draft("RGB", (SIDE, SIDE))  # a JPEG is decoded at an eighth of its size
            image.thumbnail((SIDE * 2, SIDE * 2))  # enough pixels for what is still to come
            small = _flat(ImageOps.exif_transpose(image))
            return _within(small, largest)
    except Exception:
        # A broken file makes a codec raise almost anything, and warnings may be errors.
        return None


def dimensions(source: BinaryIO) -> tuple[int, int]:
    """Width and height in pixels, from the first bytes; zeros where they cannot be told."""
    from PIL import Image

    try:
        source.seek(0)
        with Image.open(source, formats=_FORMATS) as image:
            width, height = image.size
            # As it is shown: cameras save a picture lying, and say so.
            lies = image.getexif().get(_ORIENTATION) in _ON_ITS_SIDE
            return (height, width) if lies else (width, height)
    except Exception:  # as above
        return (0, 0)


def _flat(image: Image) -> Image:
    """Eight bits, three colours, no transparency: what a JPEG can hold."""
    from PIL import Image as Pillow

    if image.mode.startswith("I") or image.mode == "F":
        return _darkened(image).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        paper = Pillow.new("RGB", image.size, "white")
        paper.paste(image, mask=image.getchannel("A"))
        return paper
    return image.convert("RGB")


def _darkened(image: Image) -> Image:
    """Sixteen bits and more, brought down to eight: by what the format holds, so that a flat grey
    stays that grey. Only floating point, whose range no header states, is stretched."""
    wide = image.convert("F")
    low, high = wide.getextrema()
    least, most = float(low), float(high)  # type: ignore[arg-type]  # one band, so two numbers
    if image.mode != "F" and least >= 0 and most <= _SIXTEEN_BITS:
        least, most = 0.0, _SIXTEEN_BITS
    scale = 255 / (most - least) if most > least else 0.0
    return wide.point(lambda value: value * scale - least * scale).convert("L")


def _within(image: Image, largest: int) -> bytes | None:
    from PIL import Image as Pillow

    for side in _SIDES:
        small = image.copy()
        small.thumbnail((side, side))
        # Onto a new sheet: a comment or a profile travels with the old one.
        bare = Pillow.new("RGB", small.size)
        bare.paste(small)
        for quality in _QUALITIES:
            buffer = BytesIO()
            bare.save(buffer, "JPEG", quality=quality, optimize=True)
            if buffer.tell() <= largest:
                return buffer.getvalue()
    return None
