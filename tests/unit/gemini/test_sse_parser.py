"""Events are read from bytes however the network cuts them."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemini_interactions.gemini.sse_parser import Reader
from tests.support.samples import SAMPLES
from tests.unit.gemini.conftest import recorded


def read(*chunks: bytes) -> list[dict[str, Any]]:
    reader = Reader()
    return [event for chunk in chunks for event in reader.feed(chunk)] + reader.close()


@given(
    st.sampled_from(["unknowns", "text_thinking", "deep_research_10min_cut"]),
    st.sampled_from([b"\n", b"\r\n", b"\r"]),
    st.lists(st.integers(min_value=0, max_value=3000), max_size=30),
)
def test_a_stream_reads_the_same_however_it_is_cut(name: str, end: bytes, cuts: list[int]) -> None:
    whole = b"\xef\xbb\xbf" + (SAMPLES / f"{name}.sse").read_bytes().replace(b"\n", end)
    places = [0, *sorted({min(cut, len(whole)) for cut in cuts} - {0}), len(whole)]

    assert read(*(whole[a:b] for a, b in pairwise(places))) == recorded(name)


def test_after_done_nothing_counts() -> None:
    reader = Reader()
    events = reader.feed(b'data: {"a":1}\n\ndata: [DONE]\n\ndata: {"b":2}\n\n')

    assert reader.done
    assert events == [{"a": 1}]


@pytest.mark.parametrize(
    "block",
    [
        b"data: not json",
        b"data: [1]",
        b"data: 7",
        b"data: " + b"[" * 100_000,
        b"data: \xff",
        b": heartbeat",
        b"event: ping",
        b"retry: 3",
        b"[{",
        b"",
    ],
)
def test_what_is_no_event_is_passed_over(block: bytes) -> None:
    assert read(block + b'\n\ndata: {"a":1}\n\n') == [{"a": 1}]


@pytest.mark.parametrize("half", [rb"\ud83d", rb"\uDE00", b"\xed\xa0\xbd"])
def test_half_an_emoji_is_replaced_and_a_whole_one_is_not(half: bytes) -> None:
    (event,) = read(rb'data: {"said": ["%s", "\ud83d\ude00"]}' % half + b"\n\n")

    assert set(event["said"][0]) == {"\ufffd"}
    assert event["said"][1] == "😀"


def test_a_type_and_an_id_outside_the_json_are_taken_in() -> None:
    events = read(b'event: error\nid: 7\ndata: {"error": {}}\n\n')

    assert events == [{"error": {}, "event_type": "error", "event_id": "7"}]


def test_the_last_event_counts_also_without_its_blank_line() -> None:
    assert read(b'data: {"a":', b"1}") == [{"a": 1}]


def test_an_image_in_one_line_is_not_read_twice() -> None:
    event = {"data": "A" * 1_000_000}
    line = b"data: " + json.dumps(event).encode() + b"\n\n"

    assert read(*(line[at : at + 1000] for at in range(0, len(line), 1000))) == [event]
