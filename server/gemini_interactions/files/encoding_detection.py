"""Text in an older encoding: which one, where that is sure, and what it may be where it is not.

charset-normalizer weighs the candidates; which of them are to be believed is decided here, since
a wrong guess goes out as nonsense without a word. It is imported when a text comes that is not
UTF-8 (20 ms), and chosen over chardet because requests brings it along already.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

CANDIDATES = (
    *("cp1251", "koi8_r", "gb18030", "big5", "cp932", "euc_jp", "cp949"),
    *("cp1252", "cp1250", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257"),
)
_TITLES = {
    "cp1251": "Windows-1251",
    "koi8_r": "KOI8-R",
    "gb18030": "GB18030 (GBK)",
    "big5": "Big5",
    "cp932": "Shift-JIS",
    "euc_jp": "EUC-JP",
    "cp949": "EUC-KR",
    "utf-16-le": "UTF-16 without a mark",
    "utf-16-be": "UTF-16 without a mark",
}
_SAMPLE = 16_384
_CLOSE = 0.04
"""Two readings whose mess differs by less are told apart by how much they look like a language."""
_MESS = 0.2
_USUAL = frozenset(" \n\r\t.,;:!?-()。、，")


@dataclass(frozen=True, slots=True)
class Guess:
    """`encoding` is "" where it is not sure; `guesses` are then what it may be."""

    encoding: str = ""
    guesses: tuple[str, ...] = ()


def title_of(encoding: str) -> str:
    """What people call an encoding."""
    number = re.fullmatch(r"cp(125\d)", encoding)
    return _TITLES.get(encoding) or (f"Windows-{number[1]}" if number else encoding.upper())


def detect(head: bytes) -> Guess:
    """What a text without any sign of its encoding may be in."""
    from charset_normalizer import from_bytes

    sample = _whole_lines(head[:_SAMPLE])
    found = [
        (match.encoding, match.chaos, match.coherence, str(match))
        for match in from_bytes(sample, cp_isolation=list(CANDIDATES))
        if match.encoding in CANDIDATES and match.chaos <= _MESS
    ]
    if not found:
        return Guess()
    cleanest = min(chaos for _, chaos, _, _ in found)
    near = [each for each in found if each[1] <= cleanest + _CLOSE]
    near.sort(key=lambda each: (-each[2], each[1]))
    best = near[0]
    rivals = [each for each in near[1:] if each[3] != best[3]]
    if not rivals or (best[2] >= 0.2 and best[2] >= rivals[0][2] + 0.1):
        return Guess(best[0])
    if _is_western(near, best[2]):
        return Guess("cp1252")
    return Guess(guesses=tuple(dict.fromkeys(each[0] for each in near[:4])))


def unmarked_utf16(head: bytes) -> str:
    """UTF-16 in any script: only one order of its bytes makes characters that belong together."""
    if len(head) < 16 or len(head) % 2:
        head = head[: len(head) // 2 * 2]
    scores = {}
    for encoding in ("utf-16-le", "utf-16-be"):
        try:
            text = head[:_SAMPLE].decode(encoding)
        except UnicodeDecodeError:
            continue
        odd = sum(1 for each in text if unicodedata.category(each) in ("Cn", "Co", "Cc", "Cs"))
        odd -= sum(text.count(each) for each in "\n\r\t")
        usual = sum(each in _USUAL for each in text)
        if len(text) >= 8 and odd == 0 and usual * 40 >= len(text):
            scores[encoding] = usual
    return max(scores, key=lambda each: scores[each]) if scores else ""


def _whole_lines(sample: bytes) -> bytes:
    """Cut at a line's end, so that no character is cut."""
    if len(sample) < _SAMPLE:
        return sample
    return sample[: sample.rfind(b"\n") + 1] or sample


def _is_western(near: list[tuple[str, float, float, str]], best: float) -> bool:
    """Whether Windows-1252, by far the most common, is as good as its sisters."""
    return any(each[0] == "cp1252" and each[2] >= best - 0.01 for each in near)
