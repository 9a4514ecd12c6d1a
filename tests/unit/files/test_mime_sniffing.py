"""What a thing is, told from its bytes and never from its name."""

from __future__ import annotations

from io import BytesIO
from typing import get_args

import pytest
from google.genai._gaos.types.interactions import (
    audiocontent,
    documentcontent,
    imagecontent,
    videocontent,
)
from hypothesis import given
from hypothesis import strategies as st

from gemini_interactions.files import mime_sniffing
from gemini_interactions.files.mime_sniffing import HEAD, UNSURE_TEXT, FileType, kind_of
from gemini_interactions.files.text_decoding import decoded, encoding_of
from tests.support.file_samples import KINDS, zipped

ALL = [each for each in vars(mime_sniffing).values() if isinstance(each, FileType)]

ACCEPTED = {
    mime
    for accepted in (
        imagecontent.ImageContentMimeType,
        audiocontent.AudioContentMimeType,
        videocontent.VideoContentMimeType,
        documentcontent.DocumentContentMimeType,
    )
    for each in get_args(accepted)
    for mime in get_args(each)
}

TEXTS = {
    "code": b"#!/usr/bin/env python\nimport os\n",
    "a vector drawing": b"<svg xmlns='http://www.w3.org/2000/svg'></svg>",
    "a page": b"<!DOCTYPE html><html></html>",
    "words about bitmaps": b"BM is where it begins, MZ elsewhere\n",
    "words about MP3": b"ID3 tags are simple\n",
    "words about GIF": b"GIF89a is a header\n",
    "words about PDF": b"%PDF-1.4 is how they begin\n",
    "words about ZIP": b"PK stands for its author\n",
    "TypeScript, which begins with a G": b"GitHub.client()\n" * 100,
    "a log with an escape": b"\x1b[31merror\x1b[0m at 12:00\n",
    "one letter": b"x",
    "UTF-8": "Příliš žluťoučký 日本語 🎉".encode(),
    "UTF-8 with a mark": "naïve".encode("utf-8-sig"),
    "UTF-16": "naïve 日本".encode("utf-16"),
    "UTF-16 the other way round": b"\xfe\xff" + "naïve".encode("utf-16-be"),
    "UTF-16 without a mark": "plain words\r\n".encode("utf-16-le"),
    "UTF-16 the other way round without a mark": "plain words\r\n".encode("utf-16-be"),
    "UTF-32": "naïve".encode("utf-32"),
    "old Western text": "déjà vu, “naïve” café".encode("cp1252"),
}


@pytest.mark.parametrize("what", KINDS)
def test_a_thing_is_what_its_bytes_say(what: str) -> None:
    data, kind = KINDS[what]
    file = BytesIO(data)

    assert kind_of(file) == kind
    assert file.tell() == 0


@pytest.mark.parametrize("what", TEXTS)
def test_text_is_text_whatever_it_begins_with(what: str) -> None:
    kind = kind_of(BytesIO(TEXTS[what]))

    assert (kind.type, kind.mime) == ("text", "text/plain")
    assert "\N{REPLACEMENT CHARACTER}" not in decoded(TEXTS[what], kind.encoding)
    assert not decoded(TEXTS[what], kind.encoding).startswith("\ufeff")


def test_every_type_we_name_is_one_the_api_names() -> None:
    named = {each.mime for each in ALL if each.type and each.type != "text"}

    # RTF is only among what Google fetches from addresses; the list is open.
    assert named - ACCEPTED == {"text/rtf"}


def test_whatever_is_not_taken_comes_with_a_way_out() -> None:
    # That of a text in an unsure encoding names its guesses.
    silent = [each for each in ALL if not each.type and not each.advice]
    assert silent == [UNSURE_TEXT]


def test_an_office_document_is_known_by_the_end_of_a_long_file() -> None:
    large = zipped("[Content_Types].xml", "media.bin")
    assert kind_of(BytesIO(large)) == mime_sniffing.ARCHIVE

    import zipfile

    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("docProps/thumbnail.jpeg", b"\xff\xd8" * HEAD)
        archive.writestr("word/document.xml", "<w/>")
    assert kind_of(BytesIO(buffer.getvalue())) == mime_sniffing.DOCX


def test_a_long_text_cut_in_the_middle_of_a_letter_is_text() -> None:
    for before in range(4):
        assert kind_of(BytesIO(b"x" * before + "日🎉".encode() * HEAD)).encoding == "utf-8"


def test_a_text_in_an_unknown_encoding_is_not_guessed_at() -> None:
    assert encoding_of("こんにちは世界、これは長い文章です。".encode("shift_jis")) == ""
    assert encoding_of("Привет, мир, как дела".encode("koi8-r")) == ""


@given(st.binary(max_size=2000))
def test_no_bytes_whatever_break_it(data: bytes) -> None:
    file = BytesIO(data)
    kind = kind_of(file)

    assert file.tell() == 0
    if kind.type == "text":
        decoded(data, kind.encoding)


@given(st.sampled_from(sorted(KINDS)), st.integers(0, 5000), st.binary(max_size=40))
def test_nor_does_anything_cut_short_or_damaged(what: str, at: int, damage: bytes) -> None:
    data = KINDS[what][0]

    kind_of(BytesIO(data[:at]))
    kind_of(BytesIO(data[:at] + damage + data[at + len(damage) :]))


words = st.text(st.characters(exclude_categories=["Cc", "Cs"]) | st.sampled_from("\t\n\r"))


@given(words, st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32"]))
def test_unicode_text_is_always_told_and_reads_as_it_was_written(text: str, encoding: str) -> None:
    data = text.encode(encoding)

    read = decoded(data, encoding_of(data))
    written = text.replace("\r\n", "\n").replace("\r", "\n")
    assert read.removeprefix("\ufeff") == written.removeprefix("\ufeff")
