"""How a long text is handed out in pieces."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemini_interactions.interactions.text_pages import (
    Page,
    characters_at,
    fences,
    joined,
    layout,
    page,
    places_for,
    put_in,
)


def pages(text: str, room: int) -> list[str]:
    """Every piece of a text, in order."""
    pieces = []
    offset: int | None = 0
    while offset is not None:
        piece = page(text, offset, room)
        pieces.append(piece.text)
        offset = piece.next_offset
    return pieces


# -------------------------------------------------------------------------------------- pages


def test_a_text_that_fits_is_one_page() -> None:
    assert page("All of it.\n", 0, 11) == Page("All of it.\n", 0, None)


def test_an_offset_at_or_beyond_the_end_is_an_empty_last_page() -> None:
    assert page("abc", 3, 100) == Page("", 3, None)
    assert page("abc", 4_711, 100) == Page("", 4_711, None)
    assert page("", 0, 100) == Page("", 0, None)


def test_a_page_may_begin_anywhere() -> None:
    assert page("One. Two. Three.", 5, 100) == Page("Two. Three.", 5, None)


def test_a_cut_is_at_a_paragraph_before_it_is_at_a_sentence() -> None:
    assert pages("One one. Two two.\n\nThree. Four. Five", 30) == [
        "One one. Two two.\n\n",
        "Three. Four. Five",
    ]


def test_a_sentence_far_on_beats_a_paragraph_near_the_start() -> None:
    assert pages("Hi.\n\nOne two three. Four five six. Seven", 36)[0] == (
        "Hi.\n\nOne two three. Four five six. "
    )


@pytest.mark.parametrize(
    ("text", "room", "first"),
    [
        ("One two. Three four", 12, "One two. "),
        ("He said “no.” Then left", 21, "He said “no.” "),
        ("Cited.[1][2] And more words", 20, "Cited.[1][2] "),
        ("東京は首都です。大阪は違います", 36, "東京は首都です。"),
        ("本当\uff1fはい、そうです", 20, "本当\uff1f"),
        # Room up to the last full stop, but not for it.
        ("東京は首都です。大阪は違います。次", 45, "東京は首都です。"),
        ("はい。本当\uff1f\uff01次", 18, "はい。"),
        ("यह सच है। और यह भी", 36, "यह सच है। "),
        ("هل هذا صحيح؟ نعم هو كذلك", 30, "هل هذا صحيح؟ "),
        ("pi is 3.14159 roughly speaking", 20, "pi is 3.14159 "),
        ("A step before.\n10. Do it at once", 24, "A step before.\n"),
        ("x\n10. Do it at once now", 18, "x\n10. Do it at "),
        ("name,city\nann,rome\nbob,oslo", 20, "name,city\nann,rome\n"),
        ("alpha beta gamma", 12, "alpha beta "),
        ("abcdefghijkl", 5, "abcde"),
    ],
)
def test_a_cut_is_where_a_reader_would_make_it(text: str, room: int, first: str) -> None:
    assert page(text, 0, room).text == first


def test_room_counts_bytes_as_well_as_characters() -> None:
    assert pages("東京東京", 6) == ["東京", "東京"]
    assert pages("東京東京", 8) == ["東京", "東京"]


def test_where_no_character_fits_a_page_holds_one() -> None:
    assert pages("東京a", 1) == ["東", "京", "a"]
    assert pages("ab", 0) == ["a", "b"]
    assert pages("ab", -5) == ["a", "b"]


def test_characters_made_of_several_are_kept_whole_where_they_fit() -> None:
    family = "\U0001f468\u200d\U0001f469\u200d\U0001f467"

    assert pages(family * 3, len(family.encode()) + 3) == [family] * 3
    assert pages("🇩🇪🇫🇷", 12) == ["🇩🇪", "🇫🇷"]
    assert "".join(pages(family, 5)) == family


def test_a_lone_surrogate_is_paged_too() -> None:
    assert "".join(pages("a\ud800b" * 5, 4)) == "a\ud800b" * 5


# -------------------------------------------------------------------------------- code blocks

CODE = "```py\nfor x in y:\n\n    print(x)\n```\n"


def test_a_code_block_that_fits_a_page_moves_there_whole() -> None:
    assert pages(f"Look at this here:\n{CODE}Done.", 45) == [
        "Look at this here:\n",
        f"{CODE}Done.",
    ]


def test_a_code_block_is_not_cut_at_its_blank_lines() -> None:
    for room in range(len(CODE), 90):
        pieces = pages(f"One. Two. Three.\n\n{CODE}Four. Five. Six.\n\nSeven.", room)
        assert sum(CODE in piece for piece in pieces) == 1, room


def test_a_code_block_larger_than_a_page_is_cut_at_its_lines() -> None:
    block = "```\n" + "let x = 1\n" * 20 + "```\n"

    pieces = pages(block, 50)

    assert "".join(pieces) == block
    assert all(piece.endswith("\n") for piece in pieces)
    assert [piece.count("let") for piece in pieces] == [4, 5, 5, 5, 1]


def test_a_large_code_block_far_on_begins_a_page_of_its_own() -> None:
    text = "Words and words and words.\n" + "```\n" + "x = 1\n" * 20 + "```\n"

    assert pages(text, 50)[0] == "Words and words and words.\n"


def test_a_large_code_block_near_the_start_fills_the_page() -> None:
    assert pages("Code:\n```\n" + "x = 1\n" * 20 + "```\n", 50)[0].count("x = 1") == 6


@pytest.mark.parametrize(
    ("text", "blocks"),
    [
        ("a\n```\nb\n```\nc", [(2, 12, True)]),
        ("```` \n```\n````", [(0, 14, True)]),
        ("~~~\n```\n~~~\n", [(0, 12, True)]),
        ("```\nnever closed", [(0, 16, False)]),
        ("- ```py\n  x\n  ```\n", [(0, 18, True)]),
        ("> ```\n> x\n> ```\n", [(0, 16, True)]),
        ("```inline``` is no block", []),
        ("say ``` in a line", []),
        ("```\na\n```\n```\nb\n```\n", [(0, 10, True), (10, 20, True)]),
    ],
)
def test_code_blocks_are_found_as_markdown_means_them(
    text: str, blocks: list[tuple[int, int, bool]]
) -> None:
    assert list(fences(text)) == blocks


# --------------------------------------------------------------------------------- properties

PIECES = [
    "a",
    "word ",
    "One. ",
    "。",
    "\n",
    "\n\n",
    "```\n",
    "~~~",
    "e\u0301",
    "👨‍👩‍👧",
    "🇩🇪",
    "東",
    "\r\n",
]
texts = st.lists(st.sampled_from(PIECES), max_size=60).map("".join) | st.text(max_size=80)


@given(texts, st.integers(4, 120))
def test_the_pieces_joined_are_the_whole_and_each_fits(text: str, room: int) -> None:
    pieces = pages(text, room)

    assert "".join(pieces) == text
    assert all(pieces) or pieces == [""]
    assert all(len(p) <= room and len(p.encode()) <= room for p in pieces)


@given(texts, st.integers(40, 120))
def test_no_cut_splits_a_character(text: str, room: int) -> None:
    longest = longest_character(text)
    offset = 0
    for piece in pages(text, room)[:-1]:
        offset += len(piece)
        assert longest > room or not joined(text, offset)


def longest_character(text: str) -> int:
    sizes = [0]
    for place, character in enumerate(text):
        more = len(character.encode())
        sizes.append(sizes[-1] + more if joined(text, place) else more)
    return max(sizes)


@given(texts, st.integers(30, 120))
def test_no_cut_goes_through_a_code_block_that_fits_a_page(text: str, room: int) -> None:
    small = [block for block in fences(text) if len(text[block.start : block.end].encode()) <= room]
    offset = 0
    for piece in pages(text, room)[:-1]:
        offset += len(piece)
        assert not any(block.splits(offset) for block in small)


@given(texts, st.integers(0, 90), st.integers(4, 120))
def test_offsets_count_characters_from_the_start(text: str, offset: int, room: int) -> None:
    piece = page(text, offset, room)

    assert piece.text == text[offset : piece.next_offset]


# --------------------------------------------------------------- where something may be put in


def mark(text: str, *ends: int) -> str:
    return put_in(text, dict.fromkeys(places_for(text, ends), "^"))


@pytest.mark.parametrize(
    ("words", "inside", "shown"),
    [
        ("Run `pip x` now", "Run `pip", "Run `pip x`^ now"),
        ("Run ``a`b`` now", "Run ``a`", "Run ``a`b``^ now"),
        ("See [docs](https://a.b/c) now", "See [do", "See [docs](https://a.b/c)^ now"),
        ("See [docs](https://a.b/c) now", "See [docs](https", "See [docs](https://a.b/c)^ now"),
        ("![a [b] c](d) now", "![a [b", "![a [b] c](d)^ now"),
        ("At https://a.b/c?d=e. Now", "At https://a", "At https://a.b/c?d=e^. Now"),
        ("A\n```py\nx = 1\n```\nB", "A\n```py\nx", "A\n```py\nx = 1\n```\n^B"),
        ("A\n```py\nx = 1\n```\nB", "A\n```py\nx = 1\n```", "A\n```py\nx = 1\n```\n^B"),
        ("A\n~~~\nx\n~~~", "A\n~~~\nx", "A\n~~~\nx\n~~~\n^"),
        ("A\n```\nx = 1", "A\n```\nx", "A\n```\nx = 1"),
        ("A\n```py\nx\n```\nB", "A\n", "A^\n```py\nx\n```\nB"),
        ("A.\n\n# B", "A.\n\n", "A.^\n\n# B"),
        ("One ` tick here", "One ` ti", "One ` ti^ck here"),
        ("One ` tick.\n\nTwo ` more", "One ` ti", "One ` ti^ck.\n\nTwo ` more"),
        ("Some [brackets] here", "Some [bra", "Some [bra^ckets] here"),
    ],
)
def test_nothing_put_in_breaks_markdown(words: str, inside: str, shown: str) -> None:
    assert mark(words, len(inside)) == shown


MARKDOWN = [
    "a",
    "word ",
    "`",
    "``",
    "```",
    "\n",
    "\n\n",
    "~~~\n",
    "[",
    "](",
    ")",
    "https://e.c/",
    "東",
]


@given(
    st.lists(st.sampled_from(MARKDOWN), max_size=20).map("".join),
    st.lists(st.integers(0, 60), max_size=6),
)
def test_without_what_was_put_in_any_markdown_is_what_it_was(text: str, ends: list[int]) -> None:
    shown = mark(text, *sorted(min(end, len(text)) for end in ends)).replace("^", "")

    # Behind a closing fence at the very end it needed a line of its own.
    assert shown in (text, text + "\n")


@given(
    st.lists(st.sampled_from(MARKDOWN), min_size=1, max_size=20).map("".join),
    st.lists(st.integers(1, 60), max_size=6),
)
def test_code_blocks_keep_what_is_in_them(text: str, ends: list[int]) -> None:
    shown = mark(text, *sorted(min(end, len(text)) for end in ends))

    before, after = (
        [words[block.start : block.end].rstrip("\n") for block in fences(words)]
        for words in (text, shown)
    )
    assert before == after


@given(st.text(max_size=30), st.lists(st.integers(0, 90), max_size=5))
def test_bytes_become_characters(text: str, offsets: list[int]) -> None:
    data = text.encode()
    offsets = [min(offset, len(data)) for offset in offsets]

    for offset, place in zip(offsets, characters_at(text, offsets), strict=True):
        assert len(text[:place].encode()) >= offset
        assert place == 0 or len(text[: place - 1].encode()) < offset


# ------------------------------------------------------------------------------------- layout


def test_a_line_of_its_own_divides_the_text_from_what_follows() -> None:
    assert layout("The text.", "[c_1/1]") == "The text.\n---\n[c_1/1]"
    assert layout("", "[c_1/1]") == "[c_1/1]"
