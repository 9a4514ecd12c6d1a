"""Audio and videos out: their bytes become a file that plays, under a name true of them.

Both come in pieces, from base64 or from a download, and are never whole in memory.
"""

from __future__ import annotations

import os
from typing import BinaryIO

from ..mime_sniffing import OGG, OPUS, UNKNOWN, WAV, FileType, kind_by_signature
from .atomic_write import NewFile
from .images import PIECE, Saved
from .media_facts import media_facts
from .wav import HEADER, RawAudio

_CONTAINERS = (b"RIFF", b"OggS", b"ID3", b"fLaC")


def prepare(new: NewFile, raw: RawAudio | None) -> None:
    """Leave room for the header that raw samples will get."""
    if raw is not None:
        new.file.write(bytes(HEADER))


def finish(new: NewFile, raw: RawAudio | None) -> Saved:
    """Give a file whose bytes are all there its header if need be, its name and its extension."""
    try:
        file = new.file
        file.flush()
        if raw is not None and _has_header(file):
            _without_room(file)
            raw = None
        size = file.seek(0, os.SEEK_END)
        if raw is not None:
            file.seek(0)
            file.write(raw.header(size - HEADER))
        kind = WAV if raw is not None else _kind(file)
        facts = media_facts(file, kind.mime)
    except OSError as error:
        raise new.refused(error) from None
    path = new.keep(kind.extension or ".bin")
    return Saved(str(path), kind.mime, size, facts.width, facts.height, facts.seconds)


def _kind(file: BinaryIO) -> FileType:
    """What the bytes are; something new from Google is kept all the same: it is paid for."""
    file.seek(0)
    kind = kind_by_signature(file.read(512))
    # Opus in Ogg is what people ask for as ogg, and what players know it as.
    return OGG if kind is OPUS else UNKNOWN if kind.type not in ("audio", "video") else kind


def _has_header(file: BinaryIO) -> bool:
    """Whether what was called raw samples is a whole file all the same. Only what no samples
    begin with by chance counts: two bytes that may open a frame of MP3 are a sample, too."""
    file.seek(HEADER)
    return file.read(4).startswith(_CONTAINERS)


def _without_room(file: BinaryIO) -> None:
    """Move everything to the beginning, where no header is needed."""
    at = HEADER
    file.seek(at)
    while piece := file.read(PIECE):
        file.seek(at - HEADER)
        file.write(piece)
        at += len(piece)
        file.seek(at)
    file.truncate(at - HEADER)
