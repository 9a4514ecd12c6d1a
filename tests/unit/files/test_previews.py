"""Previews: small JPEGs of whatever there is, and nothing but pixels in them."""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Callable
from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageDraw, PngImagePlugin, features

from gemini_interactions.files.output import previews
from gemini_interactions.files.output.previews import LARGEST, dimensions, preview
from tests.support.file_samples import KINDS, picture


def encode(image: Image.Image, form: str, **how: object) -> bytes:
    buffer = BytesIO()
    image.save(buffer, form, **how)
    return buffer.getvalue()


def preview_of(data: bytes) -> Image.Image:
    """The preview of these bytes, which must be one and keep to the limits."""
    made = preview(BytesIO(data))
    assert made is not None
    assert len(made) <= LARGEST
    image = Image.open(BytesIO(made))
    image.load()
    assert (image.format, image.mode) == ("JPEG", "RGB")
    assert max(image.size) <= 512
    return image


def color(image: Image.Image, at: tuple[float, float] = (0.5, 0.5)) -> tuple[int, ...]:
    found = image.getpixel((int(at[0] * image.width), int(at[1] * image.height)))
    assert isinstance(found, tuple)
    return found


def near(one: tuple[int, ...], other: tuple[int, ...]) -> bool:
    return all(abs(a - b) <= 12 for a, b in zip(one, other, strict=True))


def test_a_large_picture_becomes_a_small_one_of_the_same_shape() -> None:
    assert preview_of(encode(Image.new("RGB", (2048, 1024), "red"), "JPEG")).size == (512, 256)
    assert preview_of(encode(Image.new("RGB", (1000, 4000), "red"), "PNG")).size == (128, 512)


def test_a_small_picture_stays_as_small_as_it_is() -> None:
    assert preview_of(picture("PNG", size=(40, 30))).size == (40, 30)


def noise(mode: str, size: tuple[int, int]) -> Image.Image:
    bands = len(Image.new(mode, (1, 1)).getbands())
    return Image.frombytes(mode, size, random.Random(3).randbytes(size[0] * size[1] * bands))


@pytest.mark.parametrize("size", [(512, 512), (1024, 1024), (3000, 500)])
def test_even_noise_fits(size: tuple[int, int]) -> None:
    preview_of(encode(noise("RGB", size), "PNG"))


def test_a_smaller_limit_makes_a_smaller_picture() -> None:
    made = preview(BytesIO(encode(noise("RGB", (600, 600)), "PNG")), 6_000)

    assert made is not None
    assert len(made) <= 6_000


def test_no_limit_can_be_kept_by_every_picture() -> None:
    assert preview(BytesIO(picture("PNG")), 100) is None


RED = (255, 0, 0)
MODES: dict[str, tuple[Callable[[], bytes], tuple[int, ...]]] = {
    "colours": (lambda: encode(Image.new("RGB", (9, 9), RED), "PNG"), RED),
    "greys": (lambda: encode(Image.new("L", (9, 9), 128), "PNG"), (128, 128, 128)),
    "black and white": (lambda: encode(Image.new("1", (9, 9), 1), "PNG"), (255, 255, 255)),
    "a palette": (lambda: encode(Image.new("RGB", (9, 9), RED).convert("P"), "PNG"), RED),
    "half transparent": (
        lambda: encode(Image.new("RGBA", (9, 9), (255, 0, 0, 128)), "PNG"),
        (255, 127, 127),
    ),
    "wholly transparent": (
        lambda: encode(Image.new("RGBA", (9, 9), (255, 0, 0, 0)), "PNG"),
        (255, 255, 255),
    ),
    "transparent greys": (
        lambda: encode(Image.new("LA", (9, 9), (0, 0)), "PNG"),
        (255, 255, 255),
    ),
    "a transparent entry of a palette": (
        lambda: encode(Image.new("P", (9, 9), 0), "PNG", transparency=0),
        (255, 255, 255),
    ),
    "a transparent colour": (
        lambda: encode(Image.new("RGB", (9, 9), RED), "PNG", transparency=RED),
        (255, 255, 255),
    ),
    "printing colours": (
        lambda: encode(Image.new("CMYK", (9, 9), (0, 255, 255, 0)), "JPEG", quality=95),
        RED,
    ),
    "printing colours in a TIFF": (
        lambda: encode(Image.new("CMYK", (9, 9), (0, 255, 255, 0)), "TIFF"),
        RED,
    ),
    "a WebP": (lambda: encode(Image.new("RGBA", (9, 9), RED), "WEBP", lossless=True), RED),
    "a GIF": (lambda: encode(Image.new("RGB", (9, 9), RED), "GIF"), RED),
    "a bitmap": (lambda: encode(Image.new("RGB", (9, 9), RED), "BMP"), RED),
}


@pytest.mark.parametrize("mode", MODES)
def test_every_kind_of_picture_has_a_preview(mode: str) -> None:
    make, expected = MODES[mode]

    assert near(color(preview_of(make())), expected)


@pytest.mark.parametrize("grey", [0, 20_000, 65_535])
def test_a_flat_grey_of_sixteen_bits_stays_that_grey(grey: int) -> None:
    made = preview_of(encode(Image.new("I;16", (64, 64), grey), "PNG"))

    assert near(color(made, (0.5, 0.5)), (grey // 257,) * 3)


def test_a_picture_that_was_saved_lying_is_described_as_it_is_shown() -> None:
    lying = Image.new("RGB", (40, 20))
    exif = lying.getexif()
    exif[0x0112] = 6
    buffer = BytesIO()
    lying.save(buffer, "JPEG", exif=exif)

    assert dimensions(buffer) == (20, 40)


def test_an_avif_has_a_preview_where_pillow_reads_it() -> None:
    if not features.check("avif"):
        pytest.skip("this Pillow has no AVIF")
    made = encode(Image.new("RGB", (9, 9), RED), "AVIF")

    assert near(color(preview_of(made)), RED)


@pytest.mark.parametrize(
    ("mode", "form", "light"), [("I;16", "PNG", 233), ("I", "TIFF", 233), ("F", "TIFF", 255)]
)
def test_more_than_eight_bits_become_eight(mode: str, form: str, light: int) -> None:
    image = Image.new(mode, (64, 64), 1000)
    image.paste(Image.new(mode, (32, 64), 60_000), (32, 0))
    made = preview_of(encode(image, form))

    assert near(color(made, (0.1, 0.5)), (0, 0, 0))
    assert near(color(made, (0.9, 0.5)), (light, light, light))


def test_of_an_animation_the_first_picture_is_shown() -> None:
    frames = [Image.new("RGB", (64, 64), each) for each in ("red", "blue", "green")]
    for form in ("GIF", "WEBP", "PNG"):
        data = encode(frames[0], form, save_all=True, append_images=frames[1:], duration=50)
        assert near(color(preview_of(data)), (255, 0, 0))


@pytest.mark.parametrize("turn", range(1, 9))
def test_a_photo_is_shown_the_way_the_camera_was_held(turn: int) -> None:
    image = Image.new("RGB", (800, 400), "white")
    ImageDraw.Draw(image).rectangle((0, 0, 400, 200), fill="red")
    exif = Image.Exif()
    exif[0x0112] = turn
    shown = preview_of(encode(image, "JPEG", exif=exif))

    red = {1: (0, 0), 2: (1, 0), 3: (1, 1), 4: (0, 1), 5: (0, 0), 6: (1, 0), 7: (1, 1), 8: (0, 1)}
    assert (shown.width > shown.height) == (turn < 5)
    for corner in ((0, 0), (0, 1), (1, 0), (1, 1)):
        at = (0.1 + 0.8 * corner[0], 0.1 + 0.8 * corner[1])
        assert near(color(shown, at), RED if corner == red[turn] else (255, 255, 255))


def test_nothing_but_pixels_is_in_a_preview() -> None:
    exif = Image.Exif()
    exif[0x010E] = "secret place"
    exif.get_ifd(0x8825)[2] = (48.0, 12.0, 0.0)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    words = PngImagePlugin.PngInfo()
    words.add_text("Comment", "secret words")
    words.add_itxt("XML:com.adobe.xmp", "<x>secret xmp</x>")
    image = Image.new("RGB", (64, 64), "red")
    originals = [
        encode(image, "JPEG", exif=exif, icc_profile=profile, comment=b"secret", dpi=(300, 300)),
        encode(image, "PNG", exif=exif, icc_profile=profile, pnginfo=words),
        encode(image, "WEBP", exif=exif, icc_profile=profile, xmp=b"<x>secret</x>"),
        encode(image, "TIFF", exif=exif, icc_profile=profile),
        encode(image, "GIF", comment=b"secret"),
    ]

    for original in originals:
        made = preview(BytesIO(original))
        assert made is not None
        assert b"secret" not in made
        assert b"Exif" not in made
        assert b"ICC_PROFILE" not in made
        assert set(Image.open(BytesIO(made)).info) <= {
            *("jfif", "jfif_version", "jfif_unit", "jfif_density")
        }


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"])
def test_a_picture_that_is_cut_short_has_no_preview_and_breaks_nothing(form: str) -> None:
    data = encode(noise("RGB", (200, 200)), form)

    for length in (0, 1, 10, 40, 100, len(data) // 3, len(data) // 2):
        assert preview(BytesIO(data[:length])) is None


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"]),
    st.integers(0, 4000),
    st.binary(min_size=1, max_size=20),
)
def test_a_damaged_picture_breaks_nothing(form: str, at: int, damage: bytes) -> None:
    data = bytearray(DAMAGED[form])
    data[at : at + len(damage)] = damage

    made = preview(BytesIO(bytes(data)))
    dimensions(BytesIO(bytes(data)))

    assert made is None or len(made) <= LARGEST


DAMAGED = {
    form: encode(noise("RGB", (48, 48)), form)
    for form in ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
}


def bomb(width: int, height: int) -> bytes:
    """A PNG that says it is this large, in a few bytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        crc = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + crc

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 99))


@pytest.mark.parametrize("side", [7_000, 10_000, 60_000])
def test_a_picture_made_to_fill_memory_is_not_even_begun(
    side: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[object] = []
    monkeypatch.setattr(Image.Image, "load", lambda self: loaded.append(self))

    assert preview(BytesIO(bomb(side, side))) is None
    assert loaded == []


@pytest.mark.parametrize("what", ["a PDF", "an MP4", "noise", "an icon", "a Photoshop file"])
def test_what_is_no_picture_of_a_common_kind_has_none(what: str) -> None:
    assert preview(BytesIO(KINDS[what][0])) is None
    assert dimensions(BytesIO(KINDS[what][0])) == (0, 0)


def test_the_size_is_told_without_the_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    data = encode(noise("RGB", (300, 200)), "JPEG")
    monkeypatch.setattr(Image.Image, "load", lambda self: pytest.fail("the pixels were read"))

    assert dimensions(BytesIO(data)) == (300, 200)
    assert dimensions(BytesIO(data[:700])) == (300, 200)


def test_the_largest_that_a_model_draws_is_within_the_limit() -> None:
    assert previews.MOST_PIXELS > 4096 * 4096
