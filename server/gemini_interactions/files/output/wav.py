"""WAV: the header that makes raw samples of Google's a file that plays."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass

HEADER = 44
"""Bytes before the first sample."""
_LARGEST = 2**32 - 1
_RAW = frozenset({"audio/l16", "audio/pcm", "audio/raw", "audio/x-raw", "audio/basic"})
_RATE = 24_000  # what Gemini's speech models speak with


@dataclass(frozen=True, slots=True)
class RawAudio:
    """Signed 16-bit samples without a header: how many a second, and in how many channels."""

    rate: int = _RATE
    channels: int = 1

    @property
    def frame(self) -> int:
        """Bytes of one sample in all channels."""
        return 2 * self.channels

    def header(self, size: int) -> bytes:
        """The header of a WAV file of `size` bytes of samples.

        Google sends audio/l16 little-endian, though RFC 2586 says big-endian; so does WAV, and
        the samples are kept as they come.
        """
        size = min(size - size % self.frame, _LARGEST - HEADER)
        return struct.pack(
            "<4sI4s4sIHHIIHH4sI",
            b"RIFF",
            size + HEADER - 8,
            b"WAVE",
            b"fmt ",
            16,
            1,
            self.channels,
            self.rate,
            self.rate * self.frame,
            self.frame,
            16,
            b"data",
            size,
        )


def raw_audio(mime_type: str, rate: object = None, channels: object = None) -> RawAudio | None:
    """What ``audio/l16;rate=24000;channels=1`` says; None for a type that is no raw samples.

    `rate` and `channels` are what the content says beside its type, which then counts where
    the type itself is silent.
    """
    kind, _, parameters = mime_type.lower().partition(";")
    if kind.strip() not in _RAW:
        return None
    named = dict(re.findall(r"(rate|channels)\s*=\s*\"?(\d{1,7})", parameters))
    return RawAudio(
        _between(named.get("rate"), 1_000, 768_000) or _between(rate, 1_000, 768_000) or _RATE,
        _between(named.get("channels"), 1, 32) or _between(channels, 1, 32) or 1,
    )


def _between(value: object, least: int, most: int) -> int:
    """The number, or 0 for what is none or cannot be meant."""
    if isinstance(value, str) and value.isdigit():
        value = int(value)
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return value if is_number and least <= value <= most else 0  # type: ignore[operator, return-value]  # is_number says so
