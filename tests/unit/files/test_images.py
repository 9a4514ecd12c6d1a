"""Images out: an honest name, the bytes as they came, and never all of them twice in memory."""

from __future__ import annotations

import base64
import binascii
import errno
import os
import random
import stat
import tracemalloc
import unicodedata
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from gemini_interactions.domain.errors import Garbled
from gemini_interactions.domain.file_errors import CannotKeep
from gemini_interactions.files.output import images
from gemini_interactions.files.output.images import (
    PIECE,
    Saved,
    decode_base64_to_file,
    name_of,
    new_image,
    save,
    slug,
)
from gemini_interactions.files.path_sandbox import dir_fd
from gemini_interactions.files.path_sandbox.allowed_dirs import Folders
from tests.support.file_samples import KINDS, picture

ID = "i_4k9x2m7q0z"


def to_base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def save_image(data: bytes, folder: Path, prompt: str = "A red cat") -> Saved:
    with new_image(folder, prompt, ID) as new:
        return save(to_base64(data), new)


def test_an_image_is_kept_under_its_words_and_id_with_the_extension_of_its_bytes(
    tmp_path: Path,
) -> None:
    data = picture("PNG", size=(300, 200))

    saved = save_image(data, tmp_path / "images")

    path = Path(os.path.realpath(tmp_path)) / "images" / f"a-red-cat-{ID}.png"
    assert saved == Saved(str(path), "image/png", len(data), 300, 200)
    assert path.read_bytes() == data


@pytest.mark.parametrize(
    ("what", "extension"), [("a JPEG", ".jpg"), ("a WebP", ".webp"), ("a GIF", ".gif")]
)
def test_the_extension_is_that_of_the_bytes(what: str, extension: str, tmp_path: Path) -> None:
    assert save_image(KINDS[what][0], tmp_path).path.endswith(extension)


def test_bytes_of_an_unknown_kind_are_kept_all_the_same(tmp_path: Path) -> None:
    saved = save_image(b"\x01something new", tmp_path)

    assert saved.path.endswith(".bin")
    assert (saved.mime_type, saved.width) == ("application/octet-stream", 0)
    assert Path(saved.path).read_bytes() == b"\x01something new"


@pytest.mark.skipif(os.name == "nt", reason="no permissions of that kind")
def test_our_own_images_are_for_their_owner_only(tmp_path: Path) -> None:
    mask = os.umask(0)
    try:
        saved = save_image(picture("PNG"), tmp_path / "data" / "images")
    finally:
        os.umask(mask)

    assert stat.S_IMODE(os.stat(saved.path).st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "data" / "images").stat().st_mode) == 0o700


def test_an_image_that_is_kept_twice_is_one_file(tmp_path: Path) -> None:
    """As by two processes at once, which name it by its id."""
    first, second = save_image(b"\xff\xd8\xff1", tmp_path), save_image(b"\xff\xd8\xff1", tmp_path)

    assert first.path == second.path
    assert [each.name for each in tmp_path.iterdir()] == [f"a-red-cat-{ID}.jpg"]


def test_an_image_can_be_saved_where_somebody_wants_it(folders: Folders, inside: Path) -> None:
    with folders.create_inside("art/cat.png", name_of("A red cat", ID)) as new:
        saved = save(to_base64(picture("JPEG")), new)

    assert saved.path == str(inside / "art" / "cat.jpg")


def test_a_folder_that_cannot_be_written_to_is_said_to_be_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(CannotKeep, match="GEMINI_MCP_IMAGES_DIR"):
        save_image(b"x", tmp_path / "file" / "images")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "no")

    monkeypatch.setattr(dir_fd.OpenDirectory, "replace", full)
    with pytest.raises(CannotKeep, match="the disk is full"):
        save_image(b"x", tmp_path)
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


# Base64, piece by piece.


@given(st.binary(max_size=300), st.integers(1, 60), st.sampled_from(["", "\n", "\r\n", " "]))
def test_base64_comes_out_as_it_went_in_however_it_is_cut(
    data: bytes, width: int, between: str
) -> None:
    written = to_base64(data)
    lines = between.join(written[at : at + width] for at in range(0, len(written), width))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(images, "PIECE", width)
        file = BytesIO()
        size = decode_base64_to_file(lines, file)

    assert (file.getvalue(), size) == (data, len(data))


def test_base64_for_urls_and_without_its_end_is_read_too() -> None:
    for data in (b"\xfb\xff\xfe", b"\xfb\xff", b"\xfb"):
        file = BytesIO()
        decode_base64_to_file(base64.urlsafe_b64encode(data).decode().rstrip("="), file)
        assert file.getvalue() == data


@pytest.mark.parametrize("text", ["a", "ab=c", "a\u00e9bc", "ab*d", "abcd=", "====", "ab==abcd"])
def test_what_is_no_base64_is_garbled(text: str) -> None:
    with pytest.raises(Garbled):
        decode_base64_to_file(text, BytesIO())


def test_what_is_garbled_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(Garbled), new_image(tmp_path, "x", ID) as new:
        save(to_base64(b"\xff\xd8\xff") * 10 + "*", new)

    assert list(tmp_path.iterdir()) == []


def test_twenty_megabytes_go_to_disk_in_pieces_and_are_never_in_memory_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A JPEG is as long as one likes behind its end; noise, so that nothing is saved by chance.
    data = picture("JPEG") + random.Random(7).randbytes(20 * 2**20)
    written = to_base64(data)
    pieces: list[int] = []
    really = binascii.a2b_base64

    def decode(text: str, *, strict_mode: bool) -> bytes:
        pieces.append(len(text))
        return really(text, strict_mode=strict_mode)

    monkeypatch.setattr(binascii, "a2b_base64", decode)
    Image.init()  # what Pillow loads once is not the image's
    tracemalloc.start()
    try:
        with new_image(tmp_path, "large", ID) as new:
            saved = save(written, new)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert saved.bytes == len(data)
    assert Path(saved.path).read_bytes() == data
    # Nothing that holds the interpreter is longer than a piece; nothing is kept but a few of them.
    assert max(pieces) <= PIECE + 4
    assert most < 8 * PIECE


# Names.


@pytest.mark.parametrize(
    ("prompt", "name"),
    [
        ("A red cat!", "a-red-cat"),
        ("Ein Café in Zürich – schön groß", "ein-cafe-in-zurich-schon-gross"),
        ("Łódź, Ærø & Þingvellir", "lodz-aero-thingvellir"),
        ("猫と犬", "猫と犬"),
        ("Кот в сапогах, logo v2", "кот-в-сапогах-logo-v2"),
        ("हिन्दी में कहानी", "हिन्दी-में-कहानी"),
        ("قطة على السطح", "قطة-على-السطح"),
        ("é\u0301 \u202e\u200b x", "e-x"),
        ("漢" * 90, "漢" * 40),
        ("../../etc/passwd", "etc-passwd"),
        ("con", "con"),
        ("", "image"),
        ("\ud800\0\n", "image"),
        (
            "make an image of a very long road that leads nowhere",
            "make-an-image-of-a-very-long-road-that",
        ),
        ("x" * 90, "x" * 40),
        ("ＦＵＬＬ ｗｉｄｔｈ ½", "full-width-1-2"),
    ],
)
def test_a_name_is_a_few_plain_words_of_the_prompt(prompt: str, name: str) -> None:
    assert slug(prompt) == name


@given(st.text())
def test_a_name_is_safe_on_every_system_whatever_the_prompt(prompt: str) -> None:
    name = slug(prompt)

    assert not set(name) & set("/\\:*?\"<>|.,'` \0")
    assert all(unicodedata.category(each)[0] in "LNM" or each == "-" for each in name)
    assert name == name.strip("-") != ""
    assert len(name_of(prompt, ID).encode()) <= 140
