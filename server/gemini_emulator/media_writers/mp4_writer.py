"""Small videos that really play: H.264 in MP4, one plain colour, written without a codec.

The first picture holds one macroblock as raw samples (I_PCM); all others are predicted from
their neighbours and so have the same colour. Every later picture skips all its macroblocks.
A video of any size and length so takes a few kilobytes.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass

RATE = 24
_HEIGHTS = {"360p": 360, "720p": 720, "1080p": 1080, "4k": 2160}
RESOLUTIONS = tuple(_HEIGHTS)
RATIOS = ("16:9", "9:16")
_TIMESCALE = 24_000


@dataclass(frozen=True)
class Video:
    """What to film: the colour comes from the words."""

    words: str
    seconds: float = 8.0
    resolution: str = "720p"
    ratio: str = "16:9"

    @property
    def size(self) -> tuple[int, int]:
        short = _HEIGHTS[self.resolution]
        long = short * 16 // 9
        return (long, short) if self.ratio == "16:9" else (short, long)


def mp4(video: Video, size: int | None = None) -> bytes:
    """The video as a file, filled up to `size` bytes with a box that players pass over."""
    width, height = video.size
    across, down = -(-width // 16), -(-height // 16)
    sps, pps = _sps(width, height, across, down), _pps()
    colour = hashlib.sha256(video.words.encode()).digest()[:3]
    frames = [_first_picture(across * down, across, colour)]
    frames += [
        _skipped_picture(across * down, number) for number in range(1, round(video.seconds * RATE))
    ]
    samples = [struct.pack(">I", len(frame)) + frame for frame in frames]
    file_type = _box(b"ftyp", b"isom", struct.pack(">I", 512), b"isomiso2avc1mp41")
    moov = _moov(video, sps, pps, [len(each) for each in samples], 0)
    start = len(file_type) + len(moov) + 8
    moov = _moov(video, sps, pps, [len(each) for each in samples], start)
    file = file_type + moov + _box(b"mdat", *samples)
    missing = (size or 0) - len(file)
    return file + _box(b"free", bytes(missing - 8)) if missing >= 8 else file


# Boxes


def _box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I4s", len(body) + 8, kind) + body


def _full(kind: bytes, *parts: bytes, flags: int = 0) -> bytes:
    return _box(kind, struct.pack(">I", flags), *parts)


_MATRIX = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)


def _moov(video: Video, sps: bytes, pps: bytes, sizes: list[int], start: int) -> bytes:
    width, height = video.size
    length = len(sizes) * _TIMESCALE // RATE
    movie = _full(
        b"mvhd",
        struct.pack(">IIII", 0, 0, _TIMESCALE, length),
        struct.pack(">IHHII", 0x10000, 0x0100, 0, 0, 0),
        _MATRIX,
        bytes(24),
        struct.pack(">I", 2),
    )
    track = _full(
        b"tkhd",
        struct.pack(">IIIII", 0, 0, 1, 0, length),
        bytes(16),
        _MATRIX,
        struct.pack(">II", width << 16, height << 16),
        flags=3,
    )
    media = _full(b"mdhd", struct.pack(">IIIIHH", 0, 0, _TIMESCALE, length, 0x55C4, 0))
    handler = _full(b"hdlr", bytes(4), b"vide", bytes(12), b"Video\0")
    references = _box(b"dinf", _full(b"dref", struct.pack(">I", 1), _full(b"url ", flags=1)))
    table = _box(
        b"stbl",
        _full(b"stsd", struct.pack(">I", 1), _entry(width, height, sps, pps)),
        _full(b"stts", struct.pack(">III", 1, len(sizes), _TIMESCALE // RATE)),
        _full(b"stss", struct.pack(">II", 1, 1)),
        _full(b"stsc", struct.pack(">IIII", 1, 1, len(sizes), 1)),
        _full(b"stsz", struct.pack(">II", 0, len(sizes)), struct.pack(f">{len(sizes)}I", *sizes)),
        _full(b"stco", struct.pack(">II", 1, start)),
    )
    information = _box(b"minf", _full(b"vmhd", bytes(8), flags=1), references, table)
    return _box(b"moov", movie, _box(b"trak", track, _box(b"mdia", media, handler, information)))


def _entry(width: int, height: int, sps: bytes, pps: bytes) -> bytes:
    config = b"\1" + sps[1:4] + b"\xff\xe1" + struct.pack(">H", len(sps)) + sps
    config += b"\1" + struct.pack(">H", len(pps)) + pps
    return _box(
        b"avc1",
        bytes(6) + struct.pack(">H", 1) + bytes(16),
        struct.pack(">HHIIIH", width, height, 0x480000, 0x480000, 0, 1),
        bytes(32) + struct.pack(">Hh", 24, -1),
        _box(b"avcC", config),
    )


# H.264, baseline profile


class _Bits:
    def __init__(self) -> None:
        self._bits: list[str] = []

    def put(self, value: int, width: int) -> None:
        self._bits.append(format(value, f"0{width}b"))

    def exp_golomb(self, *values: int) -> None:
        """Unsigned numbers, each as short as it is small."""
        for value in values:
            code = format(value + 1, "b")
            self._bits.append("0" * (len(code) - 1) + code)

    def repeat(self, bits: str, count: int) -> None:
        self._bits.append(bits * count)

    def align(self) -> None:
        self.repeat("0", -sum(map(len, self._bits)) % 8)

    def unit(self, header: int) -> bytes:
        """The network unit: stop bit, alignment, and a 3 wherever a start code would appear."""
        self.put(1, 1)
        self.align()
        text = "".join(self._bits)
        raw = int(text, 2).to_bytes(len(text) // 8, "big")
        escaped = bytearray()
        zeros = 0
        for byte in raw:
            if zeros >= 2 and byte <= 3:
                escaped.append(3)
                zeros = 0
            escaped.append(byte)
            zeros = zeros + 1 if byte == 0 else 0
        return bytes([header]) + bytes(escaped)


def _sps(width: int, height: int, across: int, down: int) -> bytes:
    bits = _Bits()
    bits.put(66, 8)  # baseline
    bits.put(0xC0, 8)
    bits.put(51, 8)  # level 5.1: up to 4k
    # The id, frame numbers of 4 bits, output in decoding order, one reference.
    bits.exp_golomb(0, 0, 2, 1)
    bits.put(0, 1)
    bits.exp_golomb(across - 1, down - 1)
    bits.put(0b11, 2)  # frames only, direct 8x8
    right, bottom = across * 16 - width, down * 16 - height
    bits.put(1 if right or bottom else 0, 1)
    if right or bottom:
        bits.exp_golomb(0, right // 2, 0, bottom // 2)
    bits.put(0, 1)  # no further information
    return bits.unit(0x67)


def _pps() -> bytes:
    bits = _Bits()
    bits.exp_golomb(0, 0)
    bits.put(0b00, 2)  # CAVLC
    bits.exp_golomb(0, 0, 0)
    bits.put(0b000, 3)
    bits.exp_golomb(0, 0, 0)  # quantisers
    bits.put(0b000, 3)
    return bits.unit(0x68)


def _first_picture(count: int, across: int, colour: bytes) -> bytes:
    bits = _Bits()
    bits.exp_golomb(0, 7, 0)  # from macroblock 0, all intra
    bits.put(0, 4)
    bits.exp_golomb(0)
    bits.put(0b00, 2)
    bits.exp_golomb(0)  # quantiser
    bits.exp_golomb(25)  # I_PCM
    bits.align()
    for value, samples in zip(colour, (256, 64, 64), strict=True):
        bits.repeat(format(min(max(value, 16), 235), "08b"), samples)
    # Intra 16x16, predicted from the mean of the neighbours, no residual: the code for "no
    # coefficients" is longer beside the raw macroblock, which counts as full of them.
    plain, beside = "00100" + "1" + "1" + "1", "00100" + "1" + "1" + "000011"
    for number in range(1, count):
        bits.repeat(beside if number in (1, across) else plain, 1)
    return bits.unit(0x65)


def _skipped_picture(count: int, number: int) -> bytes:
    bits = _Bits()
    bits.exp_golomb(0, 5, 0)
    bits.put(number % 16, 4)
    bits.put(0b00, 2)  # references as they are
    bits.put(0, 1)
    bits.exp_golomb(0)  # quantiser
    bits.exp_golomb(count)
    return bits.unit(0x41)
