"""How much of a text one result holds, where a longer one is cut, and where marks may stand.

Every offset counts code points of the whole text; the pieces joined are exactly the whole.
A piece fits its room twice, in characters and in UTF-8 bytes, because hosts measure either.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class Page:
    """A piece of a text: where it starts, and where the next one does (None: this is the end)."""

    text: str
    offset: int
    next_offset: int | None


def page(text: str, offset: int, room: int) -> Page:
    """The largest well-cut piece from `offset` that fits `room` characters and bytes.

    A fenced code block is cut only if it is larger than `room` by itself. A page is empty only
    at the end of the text: where not even one character fits, it holds that one.
    """
    if offset >= len(text):
        return Page("", offset, None)
    room = max(room, 1)
    limit = offset + max(1, _fitting(text, offset, room))
    end = len(text) if limit >= len(text) else _cut(text, offset, limit, room)
    return Page(text[offset:end], offset, end if end < len(text) else None)


def layout(piece: str, tail: str) -> str:
    """One result: the piece of text, a line `---`, and what follows it (notes, footer)."""
    return f"{piece}\n---\n{tail}" if piece else tail


def stacked(blocks: Iterable[str]) -> str:
    """Blocks with at least one blank line between them, themselves unaltered."""
    parts: list[str] = []
    for block in blocks:
        if parts:
            before = len(parts[-1]) - len(parts[-1].rstrip("\n"))
            after = len(block) - len(block.lstrip("\n"))
            parts.append("\n" * max(0, 2 - before - after))
        parts.append(block)
    return "".join(parts)


# ------------------------------------------------------------------------------ where to cut

_CONTINUATION = bytes(range(0x80, 0xC0))


def _leads(data: bytes) -> int:
    """How many characters begin in these UTF-8 bytes."""
    return len(data.translate(None, _CONTINUATION))


def _fitting(text: str, offset: int, room: int) -> int:
    """How many characters from `offset` fit `room` characters and bytes."""
    # Only the window is encoded: a page of a 10 MB text costs what a page of a small one does.
    # A lone surrogate can come out of JSON; it must not end in an exception.
    window = text[offset : offset + room].encode("utf-8", "surrogatepass")
    if len(window) <= room:
        return _leads(window)
    whole = _leads(window[:room])
    return whole - 1 if window[room] & 0xC0 == 0x80 else whole


# Full stops of scripts that put a space behind them (Latin, Arabic, Urdu, Devanagari,
# Ethiopic, Burmese, Khmer, Canadian syllabics), and of those that do not (Chinese, Japanese).
_STOPS = r".!?\u2026\u203c\u2047-\u2049\u061f\u06d4\u0964\u0965\u1362\u1367\u104b\u17d4\u166e"
_WIDE_STOPS = r"\u3002\uff01\uff1f\uff61\uff0e"
_CLOSERS = r"\"'\u201d\u2019\u00bb\u203a)\]*_`\u300d\u300f\uff09\u3011\u300b\u3009"

_PARAGRAPH = re.compile(r"\n(?:[ \t\r]*\n)+")
_SENTENCE = re.compile(
    # A full stop that numbers a list item ("12. ") ends nothing; a citation's mark belongs
    # to its sentence.
    rf"(?:(?<!\n\d)(?<!\n\d\d)[{_STOPS}]+[{_CLOSERS}]*(?:\[\d+\])*(?=\s)"
    rf"|[{_WIDE_STOPS}]+[{_CLOSERS}]*(?:\[\d+\])*)"
    r"[^\S\n]*\n*"
)
_LINE = re.compile(r"\n+")
_SPACE = re.compile(r"\s+")
_IN_TEXT = (_PARAGRAPH, _SENTENCE, _LINE, _SPACE)
_IN_CODE = (_LINE, _SPACE)


def _cut(text: str, offset: int, limit: int, room: int) -> int:
    """The best place to end a page that begins at `offset` and cannot go beyond `limit`.

    A paragraph's end or a code block's edge, else a sentence's end, a line's, a space: first
    in the last two thirds of the page (a sentence far on beats a paragraph near the start,
    since a tiny page helps nobody), then anywhere, else at the limit between two characters.
    """
    blocks = [block for block in fences(text, limit) if block.end > offset]
    if not blocks or not blocks[-1].splits(limit):
        return _best(_IN_TEXT, text, offset, limit, blocks)
    block = blocks[-1]
    is_far_on = block.start >= offset + (limit - offset) // 3
    if block.start > offset and (is_far_on or _fits(text, block, room)):
        return block.start  # the next page begins with it, whole if it fits one
    return _best(_IN_CODE, text, offset, limit, blocks[:-1])


def _fits(text: str, block: Fence, room: int) -> bool:
    size = block.end - block.start
    return size <= room and _fitting(text, block.start, room) >= size


def _best(
    kinds: tuple[re.Pattern[str], ...], text: str, offset: int, limit: int, blocks: list[Fence]
) -> int:
    for lowest in (offset + max(1, (limit - offset) // 3), offset + 1):
        for kind in kinds:
            cut = _last(kind, text, lowest, limit, blocks)
            if cut is not None:
                return cut
    return _between(text, offset, limit)


def _last(
    kind: re.Pattern[str], text: str, lowest: int, limit: int, blocks: list[Fence]
) -> int | None:
    """The last cut of this kind from `lowest` to `limit`, never inside one of `blocks`."""
    # One character more on each side: a full stop has to see the space that follows it. Of that
    # space the next page may have the rest; a full stop belongs to this one or to no cut.
    ends = [match.end() for match in kind.finditer(text, lowest - 1, min(limit + 1, len(text)))]
    found = [min(end, limit) for end in ends if end <= limit or text[limit].isspace()]
    if kind is _PARAGRAPH:
        found += [edge for block in blocks for edge in (block.start, block.end)]
    cuts = (
        cut
        for cut in sorted(found, reverse=True)
        if lowest <= cut <= limit
        and not joined(text, cut)
        and not any(block.splits(cut) for block in blocks)
    )
    return next(cuts, None)


def _between(text: str, offset: int, limit: int) -> int:
    """The limit, or the last place before it that splits no character."""
    cut = limit
    while cut > offset and joined(text, cut):
        cut -= 1
    return cut if cut > offset else limit


# ------------------------------------------------------------------------------- code blocks


def fenced(code: str, language: str = "") -> str:
    """Code as a block whose fence is longer than any run of backticks inside."""
    longest = max((len(run) for run in re.findall("`+", code)), default=0)
    fence = "`" * max(3, longest + 1)
    tag = language if re.fullmatch(r"[\w+#.-]{1,20}", language) else ""
    return f"{fence}{tag}\n{code.rstrip(chr(10))}\n{fence}"


_OPENING = re.compile(r"[ \t>]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)?(`{3,}(?=[^`\n]*(?:\n|\Z))|~{3,})")


class Fence(NamedTuple):
    """A fenced code block, its fence lines included; one nobody closed reaches the text's end."""

    start: int
    end: int
    is_closed: bool = True

    def splits(self, cut: int) -> bool:
        """Whether this cut would go through the block."""
        return self.start < cut < self.end


def fences(text: str, until: int | None = None) -> Iterator[Fence]:
    """The fenced code blocks that begin before `until`, in order."""
    until = len(text) if until is None else until
    place = 0
    for mark in _fence_marks(text, until):
        start = text.rfind("\n", 0, mark) + 1
        opening = _OPENING.match(text, start) if start >= place else None
        if opening:
            end = _closing(text, _after_line(text, start), opening.group(1))
            yield Fence(start, end or len(text), end is not None)
            place = end or len(text)


def _fence_marks(text: str, until: int) -> Iterator[int]:
    """Where ``` or ~~~ stands, in order, at most once a line."""
    # find() instead of a regular expression over everything: 10 MB cost a few milliseconds.
    upcoming = {mark: text.find(mark, 0, until + 2) for mark in ("```", "~~~")}
    while places := [place for place in upcoming.values() if place >= 0]:
        place = min(places)
        yield place
        line = _after_line(text, place)
        for mark, next_place in upcoming.items():
            if 0 <= next_place < line:
                upcoming[mark] = text.find(mark, line, until + 2)


def _after_line(text: str, place: int) -> int:
    end = text.find("\n", place)
    return len(text) if end < 0 else end + 1


def _closing(text: str, place: int, mark: str) -> int | None:
    """Where the block opened by `mark` ends: after its closing line, if it has one."""
    closing = re.compile(rf"[ \t>]*{mark[0]}{{{len(mark)},}}[ \t\r]*(?:\n|\Z)")
    while (hit := text.find(mark, place)) >= 0:
        start = max(text.rfind("\n", place, hit) + 1, place)
        if match := closing.match(text, start):
            return match.end()
        place = _after_line(text, start)
    return None


# --------------------------------------------------------------- where something may be put in


def places_for(text: str, ends: Sequence[int]) -> list[int]:
    """Where the marks of these ends (ascending) go, so that they break nothing.

    Beyond the text means nowhere: behind a code block nobody closed.
    """
    closed = _unbreakable(text)
    starts = [span.start for span in closed]
    places: list[int] = []
    begun = whole = -1
    for end in ends:
        # Ends within one long cluster share the walk to its end.
        if not begun <= end <= whole:
            begun, whole = end, _whole_character(text, end)
        places.append(_place(text, whole, closed, bisect_left(starts, whole) - 1))
    return places


def _place(text: str, end: int, closed: list[_Unbreakable], before: int) -> int:
    """The place for a mark at `end`; `before` is the last unbreakable that begins before it."""
    span = closed[before] if before >= 0 else _Unbreakable(0, 0)
    # A fence's closing line takes no mark either: with one it would close nothing.
    if end < span.end or (end == span.end and span.is_code_block):
        return _whole_character(text, span.end) if span.is_closed else len(text) + 1
    if end and text[end - 1] == "\n":
        return _end_of_line(text, end, span.end)
    return end


def _end_of_line(text: str, end: int, lowest: int) -> int:
    """The place before the line break: at the start of a heading or list a mark breaks it."""
    place = end
    # Further back than this nobody looks, and a thousand marks would each walk all the way.
    lowest = max(lowest, end - 200)
    while place > lowest and text[place - 1].isspace():
        place -= 1
    return min(_whole_character(text, place), end)


def _whole_character(text: str, place: int) -> int:
    while joined(text, place):
        place += 1
    return place


_CLOSING_LINE = re.compile(r"(?:\A|\n)[ \t>]*(?:`{3,}|~{3,})[ \t\r]*\Z")


def put_in(text: str, words: Mapping[int, str]) -> str:
    """The text with these words at their places; what is beyond its end is left out."""
    parts: list[str] = []
    done = 0
    for place in sorted(place for place in words if place <= len(text)):
        parts.append(text[done:place])
        # Behind a closing fence that is the last line, the words need a line of their own.
        if place == len(text) and _CLOSING_LINE.search(text[-200:]):
            parts.append("\n")
        parts.append(words[place])
        done = place
    parts.append(text[done:])
    return "".join(parts)


class _Unbreakable(NamedTuple):
    """A stretch of Markdown that a mark inside would break."""

    start: int
    end: int
    is_code_block: bool = False
    is_closed: bool = True

    def meets(self, later: _Unbreakable) -> bool:
        """Whether nothing fits between the two: between two code blocks there is no line."""
        are_blocks = self.is_code_block and later.is_code_block
        return later.start < self.end or (are_blocks and later.start == self.end)

    def with_(self, later: _Unbreakable) -> _Unbreakable:
        last = max(self, later, key=lambda span: span.end)
        is_code_block = self.is_code_block or later.is_code_block
        return _Unbreakable(self.start, last.end, is_code_block, last.is_closed)


# One level of brackets inside is enough for images that link. No quantifier gives back what
# it took, so a hostile text costs no more than its length.
_LINK = re.compile(
    r"!?\[(?:[^\[\]\n]++|\[[^\[\]\n]*+\](?:\([^()\s]*+\))?)*+\]"
    r"\((?:[^()\s]++|\([^()\s]*+\))*+(?:[ \t]++(?:\"[^\"\n]*+\"|'[^'\n]*+'))?\)"
)
_ADDRESS = re.compile(r"(?a:<https?://[^\s<>]*>|https?://[\w/=&#%~+.,;:!?@$*()-]*[\w/=&#%~+-])")
_BACKTICKS = re.compile(r"`+")
_BLANK_LINE = re.compile(r"\n[ \t\r]*\n")


def _unbreakable(text: str) -> list[_Unbreakable]:
    """Code blocks, inline code, links and addresses, in order and not overlapping."""
    blocks = [_Unbreakable(start, end, True, closed) for start, end, closed in fences(text)]
    found = [*blocks, *_inline_code(text, blocks)]
    if "](" in text:
        found += [_Unbreakable(*match.span()) for match in _LINK.finditer(text)]
    if "://" in text:
        found += [_Unbreakable(*match.span()) for match in _ADDRESS.finditer(text)]
    spans: list[_Unbreakable] = []
    for span in sorted(found, key=lambda span: (span.start, -span.end)):
        if spans and spans[-1].meets(span):
            spans[-1] = spans[-1].with_(span)
        else:
            spans.append(span)
    return spans


def _inline_code(text: str, blocks: Sequence[_Unbreakable]) -> Iterator[_Unbreakable]:
    """Stretches between two equal runs of backticks within one paragraph."""
    if "`" not in text:
        return
    breaks = sorted(
        [match.start() for match in _BLANK_LINE.finditer(text)]
        + [edge for block in blocks for edge in (block.start, block.end)]
    )
    block_starts = [block.start for block in blocks]

    def is_outside(place: int) -> bool:
        at = bisect_right(block_starts, place) - 1
        return at < 0 or place >= blocks[at].end

    runs = [match.span() for match in _BACKTICKS.finditer(text) if is_outside(match.start())]
    partner = _partners([end - start for start, end in runs])
    at = 0
    while at < len(runs):
        start, end = runs[at]
        other = partner[at]
        if other and bisect_right(breaks, end) == bisect_right(breaks, runs[other][0]):
            yield _Unbreakable(start, runs[other][1])
            at = other
        at += 1


def _partners(lengths: Sequence[int]) -> list[int]:
    """For each run of backticks the next one of the same length; 0 where there is none."""
    upcoming: dict[int, int] = {}
    partners = [0] * len(lengths)
    for at in range(len(lengths) - 1, -1, -1):
        partners[at] = upcoming.get(lengths[at], 0)
        upcoming[lengths[at]] = at
    return partners


# -------------------------------------------------------------------------------- characters


def characters_at(text: str, bytes_at: Sequence[int]) -> list[int]:
    """These UTF-8 byte offsets as offsets of characters; one inside a character is its end."""
    data = text.encode("utf-8", "surrogatepass")
    if len(data) == len(text):
        return list(bytes_at)
    # Each stretch between two offsets is counted once: a thousand cost what one does.
    counted: dict[int, int] = {}
    done = characters = 0
    for place in sorted(set(bytes_at)):
        characters += _leads(data[done:place])
        done = place
        counted[place] = characters
    return [counted[place] for place in bytes_at]


def joined(text: str, place: int) -> bool:
    """Whether a cut at `place` would split what a reader sees as one character.

    Accents, variation selectors, skin tones, ZWJ sequences, flags, Hangul jamo and Indic
    conjuncts; not the whole of Unicode's rules, which would need a table of our own.
    """
    if not 0 < place < len(text):
        return False
    before, after = text[place - 1], text[place]
    if before == "\r" and after == "\n":
        return True
    if after < "\u0300" or before in "\r\n":
        return False
    if before == "\u200d" or _extends(after):
        return True
    if _is_flag_half(before) and _is_flag_half(after):
        return _flag_halves_before(text, place) % 2 == 1
    return unicodedata.combining(before) == 9 and unicodedata.category(after) == "Lo"


def _extends(character: str) -> bool:
    """Whether this character belongs to the one before it."""
    return (
        unicodedata.category(character) in ("Mn", "Me", "Mc")
        or character in "\u200c\u200d\u0e33\u0eb3"
        or "\u1160" <= character <= "\u11ff"
        or "\U0001f3fb" <= character <= "\U0001f3ff"
        or "\U000e0020" <= character <= "\U000e007f"
    )


def _is_flag_half(character: str) -> bool:
    return "\U0001f1e6" <= character <= "\U0001f1ff"


def _flag_halves_before(text: str, place: int) -> int:
    start = place
    while start > 0 and _is_flag_half(text[start - 1]) and place - start < 200:
        start -= 1
    return place - start
