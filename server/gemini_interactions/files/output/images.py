"""Images out: their bytes become a file under an honest name, never a second one in memory.

An image of 20 MB arrives as 27 MB of base64 in one string. It is decoded piece by piece on
its way to disk, so a thread that does it never holds the interpreter for long.
"""

from __future__ import annotations

import binascii
import os
import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from gemini_interactions.domain.errors import Garbled

from ...domain.file_errors import CannotKeep
from ..mime_sniffing import kind_by_signature
from ..path_sandbox.dir_fd import reach
from .atomic_write import NewFile
from .previews import dimensions

PIECE = 2**20
"""Letters of base64 decoded at a time: about a millisecond's work."""

LONGEST_NAME = 120
"""Bytes of a name made of words; an id and an ending follow it."""

# Letters of the variant for URLs, and blanks.
_USUAL = str.maketrans("-_", "+/", " \t\r\n")
_LETTERS = str.maketrans(
    {"ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "đ": "d", "ð": "d", "þ": "th", "ł": "l", "ı": "i"}
)


@dataclass(frozen=True, slots=True)
class Saved:
    """A file on disk: where it is, what its bytes are, and its pixels and seconds where known."""

    path: str
    mime_type: str
    bytes: int
    width: int = 0
    height: int = 0
    seconds: float = 0.0


def save(data: str | bytes, new: NewFile) -> Saved:
    """Put an image (base64, or its bytes) into a new file and give it the name and extension
    that are true of it."""
    try:
        if isinstance(data, str):
            size = decode_base64_to_file(data, new.file)
        else:
            size = new.file.write(data)
        new.file.seek(0)
        # Something new from Google is kept all the same: it has been paid for.
        kind = kind_by_signature(new.file.read(64))
    except OSError as error:
        raise new.refused(error) from None
    width, height = dimensions(new.file)
    return Saved(str(new.keep(kind.extension or ".bin")), kind.mime, size, width, height)


def new_image(folder: Path, prompt: str, image_id: str) -> NewFile:
    """A new file for an image, in our own folder."""
    return new_file(folder, name_of(prompt, image_id), CannotKeep)


def new_file(folder: Path, name: str, refused: type[CannotKeep]) -> NewFile:
    """A new file of our own, readable by this user only; the folder is made if need be. Its name
    holds the id of what it is: a file that has it already is the same."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        held = reach(os.path.realpath(folder))
        try:
            return NewFile(held, name, mode=0o600, refused=refused, replaces=True)
        except BaseException:
            with held:
                raise
    except OSError as error:
        raise refused(error) from None


def name_of(prompt: str, id: str, otherwise: str = "image") -> str:
    """What an image's file is called, without the extension: "a-red-cafe-i_4k9x2m7q0z";
    `otherwise` where there is no word in the prompt."""
    return f"{slug(prompt, otherwise=otherwise)}-{id}"


def slug(words: str, longest: int = 40, otherwise: str = "image") -> str:
    """Words with dashes, in their own script; accents of Latin letters are left out."""
    parts: list[str] = []
    for each in unicodedata.normalize("NFKC", words[:400].casefold()).translate(_LETTERS):
        bare = unicodedata.normalize("NFKD", each)
        if bare[0].isascii():
            parts.append(bare[0] if bare[0].isalnum() else "-")
        elif unicodedata.category(each)[0] in "LN":
            parts.append(each)
        elif unicodedata.category(each)[0] != "M":
            parts.append("-")
        elif parts and not parts[-1].isascii():
            parts.append(each)  # a vowel sign belongs to its letter; an accent was left out above
    whole = re.sub("-+", "-", "".join(parts)).strip("-")
    cut = whole if len(whole) <= longest else whole[: longest + 1].rpartition("-")[0]
    cut = cut or whole[:longest]
    while len(cut.encode()) > LONGEST_NAME:  # file systems count bytes
        cut = cut[:-1]
    return cut.strip("-") or otherwise


def decode_base64_to_file(data: str, file: BinaryIO) -> int:
    """Write the bytes that base64 letters stand for, and say how many they are."""
    size, left = 0, ""
    try:
        for start in range(0, len(data), PIECE):
            letters = left + data[start : start + PIECE].translate(_USUAL)
            whole = len(letters) - len(letters) % 4
            size += file.write(_decoded(letters[:whole]))
            left = letters[whole:]
        if left:
            size += file.write(_decoded(left + "=" * (-len(left) % 4)))
    except ValueError:  # binascii.Error is one
        raise Garbled("an image that is not base64") from None
    return size


def _decoded(letters: str) -> bytes:
    return binascii.a2b_base64(letters, strict_mode=True)
