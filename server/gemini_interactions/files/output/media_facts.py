"""What an audio or video file says of itself: how long it plays, and its pixels.

Read from the headers alone, in constant memory; 0 where a file does not say, is cut short or
damaged. Only the formats Gemini makes are read: WAV, MP3, Ogg, MP4 and its family.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

_HEAD = 65_536
_FRAMES = 4_000
"""MP3 frames that are counted one by one: a hundred seconds; a longer file is extrapolated."""
_BOXES = 10_000


@dataclass(frozen=True, slots=True)
class MediaFacts:
    """Seconds it plays, and pixels of a video; 0 is unknown."""

    seconds: float = 0.0
    width: int = 0
    height: int = 0


def media_facts(file: BinaryIO, mime_type: str) -> MediaFacts:
    """What the file says; nothing it holds makes this raise."""
    try:
        file.seek(0)
        match mime_type:
            case "audio/wav":
                return MediaFacts(_wav(file))
            case "audio/mp3" | "audio/mpeg":
                return MediaFacts(_mp3(file))
            case "audio/ogg" | "audio/opus":
                return MediaFacts(_ogg(file))
            case "video/mp4" | "video/mov" | "video/3gpp" | "audio/m4a":
                return _mp4(file)
    except (ArithmeticError, LookupError, OSError, ValueError, struct.error):
        pass
    return MediaFacts()


def _size(file: BinaryIO) -> int:
    at = file.tell()
    size = file.seek(0, os.SEEK_END)
    file.seek(at)
    return size


def _wav(file: BinaryIO) -> float:
    size, rate = _size(file), 0
    file.seek(12)
    while len(head := file.read(8)) == 8:
        name, length = struct.unpack("<4sI", head)
        if name == b"fmt ":
            rate = struct.unpack("<HHII", file.read(12))[3]
            file.seek(length - 12 + length % 2, os.SEEK_CUR)
        elif name == b"data":
            # A length of 2^32-1 is what a writer says that did not know it yet.
            return float(min(length, size - file.tell()) / rate)
        else:
            file.seek(length + length % 2, os.SEEK_CUR)
    return 0.0


# MP3: kilobits a second by (MPEG-1 or not, layer), rates by version, samples by layer.
_KBITS = {
    (True, 3): (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 3): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_RATES = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}


def _mp3(file: BinaryIO) -> float:
    size = _size(file)
    file.seek(0)
    head = file.read(10)
    start = 0
    if head[:3] == b"ID3":
        # The size of a tag has seven bits in each byte.
        start = 10 + sum(
            (byte & 0x7F) << shift for byte, shift in zip(head[6:], (21, 14, 7, 0), strict=True)
        )
    seconds, at, count = 0.0, start, 0
    for count in range(1, _FRAMES + 1):
        file.seek(at)
        frame = file.read(200)
        if len(frame) < 4:
            break
        length, samples, rate = _mp3_frame(frame)
        if count == 1 and (frames := _frame_count(frame)):
            return frames * samples / rate
        seconds += samples / rate
        at += length
    if count == _FRAMES and at > start:
        seconds *= (size - start) / (at - start)
    return seconds


def _mp3_frame(frame: bytes) -> tuple[int, int, int]:
    """Bytes, samples and rate of a layer III frame; ValueError where there is none."""
    version, layer = frame[1] >> 3 & 3, frame[1] >> 1 & 3
    if frame[0] != 0xFF or frame[1] & 0xE0 != 0xE0 or layer != 1:
        raise ValueError("no frame of layer III")
    is_first = version == 3
    kbits = _KBITS[is_first, 3][frame[2] >> 4]
    rate = _RATES[version][frame[2] >> 2 & 3]
    samples = 1152 if is_first else 576
    if not kbits:
        raise ValueError("a frame of free format")
    return samples * kbits * 125 // rate + (frame[2] >> 1 & 1), samples, rate


def _frame_count(frame: bytes) -> int:
    """Frames of the file, where an encoder has written them into the first one."""
    for mark in (b"Xing", b"Info"):
        at = frame.find(mark)
        if at > 0 and frame[at + 7] & 1:
            return int(struct.unpack_from(">I", frame, at + 8)[0])
    at = frame.find(b"VBRI")
    return int(struct.unpack_from(">I", frame, at + 14)[0]) if at > 0 else 0


def _ogg(file: BinaryIO) -> float:
    size = _size(file)
    head = file.read(200)
    rate, skip = 48_000, 0
    if (at := head.find(b"OpusHead")) >= 0:
        skip = struct.unpack_from("<H", head, at + 10)[0]
    elif (at := head.find(b"\1vorbis")) >= 0:
        rate = struct.unpack_from("<I", head, at + 12)[0]
    file.seek(max(0, size - _HEAD))
    tail = file.read(_HEAD)
    last = tail.rindex(b"OggS")
    return max(0.0, float(struct.unpack_from("<q", tail, last + 6)[0] - skip) / rate)


def _mp4(file: BinaryIO) -> MediaFacts:
    seconds, width, height = 0.0, 0, 0
    for kind, at, length in _boxes(file, 0, _size(file)):
        if kind != b"moov":
            continue
        for inner, start, size in _boxes(file, at, at + length):
            if inner == b"mvhd":
                seconds = _movie_seconds(_read(file, start, min(size, 120)))
            elif inner == b"trak":
                for part, begin, extent in _boxes(file, start, start + size):
                    if part == b"tkhd" and extent >= 8:
                        edge = _read(file, begin + extent - 8, 8)
                        across, down = (value >> 16 for value in struct.unpack(">II", edge))
                        if across and down:
                            width, height = across, down
    return MediaFacts(seconds, width, height)


def _movie_seconds(body: bytes) -> float:
    if body[0] == 1:
        scale, length = struct.unpack_from(">IQ", body, 20)
    else:
        scale, length = struct.unpack_from(">II", body, 12)
    return float(length / scale)


def _read(file: BinaryIO, at: int, size: int) -> bytes:
    file.seek(at)
    return file.read(size)


def _boxes(file: BinaryIO, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Kind, start of the body and length of it, for each box between two places."""
    for _ in range(_BOXES):
        head = _read(file, at, 16)
        if at + 8 > end or len(head) < 8:
            return
        length, kind = struct.unpack(">I4s", head[:8])
        body = at + 8
        if length == 1:
            (length,) = struct.unpack(">Q", head[8:16])
            body = at + 16
        elif length == 0:
            length = end - at
        if length < body - at:
            return
        yield kind, body, length - (body - at)
        at += length
