"""Audio files that really play: WAV, raw samples, MP3 and Ogg Opus, written without a codec.

Samples are a quiet tone whose pitch depends on the seed, one per speaker, so that two texts do
not sound alike. The compressed formats repeat one frame that was encoded beforehand: MP3 the
frame of a steady tone, Opus the frame of silence.
"""

from __future__ import annotations

import base64
import hashlib
import math
import struct
from array import array
from collections.abc import Sequence
from typing import Literal

RATE = 24_000
Kind = Literal["wav", "l16", "mp3", "ogg", "alaw", "mulaw"]


def samples(seeds: Sequence[str], seconds: float, rate: int = RATE) -> bytes:
    """Signed 16-bit little-endian samples, mono: each seed has its tone, one after the other."""
    count = int(seconds * rate)
    part = max(1, math.ceil(count / max(1, len(seeds))))
    found = array("h")
    for seed in seeds or ("",):
        pitch = 200 + hashlib.sha256(seed.encode()).digest()[0]
        step = 2 * math.pi * pitch / rate
        found.extend(int(6000 * math.sin(step * n)) for n in range(min(part, count - len(found))))
    if struct.pack("=h", 1) != struct.pack("<h", 1):
        found.byteswap()
    return found.tobytes()


def wav(pcm: bytes, rate: int = RATE, channels: int = 1) -> bytes:
    """Samples with the header of a WAV file before them."""
    header = struct.pack(
        "<4sI4s4sIHHIIHH4sI", b"RIFF", 36 + len(pcm), b"WAVE", b"fmt ", 16, 1, channels, rate,
        rate * channels * 2, channels * 2, 16, b"data", len(pcm),
    )  # fmt: skip
    return header + pcm


# MPEG-2 layer III, 24 kHz, mono, 32 kbit/s: 96 bytes and 576 samples a frame.
MP3_FRAME_SECONDS = 576 / 24_000
_MP3_FRAME = base64.b64decode(
    "//NExAAQKs4EALlFEPrhEFvBhQcEeVcGFa+dfOt/rj8exr69f4UO0fXq/4UGavq+"
    "r/o+o+r//btqP37/2/t24+g/bUfjaPoPoPbRJWyaYgpqKZlxiYGAAAAAAAAAAAAA"
)


def mp3(seconds: float) -> bytes:
    """So many seconds of a steady tone."""
    return _MP3_FRAME * max(1, round(seconds / MP3_FRAME_SECONDS))


# Opus: 20 ms of silence in one packet; sizes count samples of 48 kHz.
_OPUS_FRAME = b"\xf8\xff\xfe"
_OPUS_SAMPLES = 960
_PRE_SKIP = 312


def ogg(seconds: float) -> bytes:
    """So many seconds of silence as Ogg Opus."""
    head = struct.pack("<8sBBHIhB", b"OpusHead", 1, 1, _PRE_SKIP, RATE, 0, 0)
    tags = struct.pack("<8sI8sI", b"OpusTags", 8, b"emulator", 0)
    pages = [_page([head], 0, 0, 2), _page([tags], 0, 1, 0)]
    left = max(1, math.ceil((seconds * 48_000 + _PRE_SKIP) / _OPUS_SAMPLES))
    end = int(seconds * 48_000) + _PRE_SKIP
    position = 0
    while left:
        count = min(left, 50)
        left -= count
        position += count * _OPUS_SAMPLES
        last = not left
        granule = end if last else position
        pages.append(_page([_OPUS_FRAME] * count, granule, len(pages), 4 if last else 0))
    return b"".join(pages)


def _page(packets: Sequence[bytes], granule: int, number: int, flags: int) -> bytes:
    """One page of an Ogg stream; no packet here is longer than 254 bytes."""
    lengths = bytes(len(packet) for packet in packets)
    head = struct.pack("<4sBBqIII", b"OggS", 0, flags, granule, 1, number, 0)
    page = head + bytes([len(lengths)]) + lengths + b"".join(packets)
    return page[:22] + struct.pack("<I", _crc(page)) + page[26:]


def _crc(data: bytes) -> int:
    """Ogg's checksum: polynomial 0x04C11DB7, nothing reflected."""
    crc = 0
    for byte in data:
        crc = (crc << 8 & 0xFFFFFFFF) ^ _CRC[crc >> 24 ^ byte]
    return crc


def _crc_row(byte: int) -> int:
    row = byte << 24
    for _ in range(8):
        row = (row << 1 ^ 0x04C11DB7) if row & 0x80000000 else row << 1
    return row & 0xFFFFFFFF


_CRC = [_crc_row(byte) for byte in range(256)]
