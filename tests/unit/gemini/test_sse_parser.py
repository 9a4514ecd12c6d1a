"""Events are read from bytes however the network cuts them."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemini_interactions.gemini.sse_parser import Reader
from tests.support.samples import SAMPLES
from tests.unit.gemini.conftest import recorded_events


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

    assert read(*(whole[a:b] for a, b in pairwise(places))) == recorded_events(name)


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


DELTAS: dict[str, Callable[[str], dict[str, Any]]] = {
    "text": lambda piece: {"type": "text", "text": piece},
    "thought_summary": lambda piece: {
        "type": "thought_summary",
        "content": {"type": "text", "text": piece},
    },
    "arguments_delta": lambda piece: {"type": "arguments_delta", "arguments": piece},
}


def sent(*events: dict[str, Any]) -> list[dict[str, Any]]:
    return read(*(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events))


def delta(piece: str, kind: str = "text", index: Any = 0) -> dict[str, Any]:
    return {"event_type": "step.delta", "index": index, "delta": DELTAS[kind](piece)}


def pieces(events: list[dict[str, Any]], kind: str = "text") -> list[str]:
    deltas = [event["delta"] for event in events if event.get("delta", {}).get("type") == kind]
    key = "arguments" if kind == "arguments_delta" else "text"
    return [delta.get("content", delta)[key] for delta in deltas]


def halved(text: str) -> str:
    """The text with each character beyond U+FFFF as its two halves, as JSON escapes them."""
    units = text.encode("utf-16-le")
    return "".join(chr(int.from_bytes(units[i : i + 2], "little")) for i in range(0, len(units), 2))


@given(
    st.text(st.sampled_from("aé😀𝄞🏳\ufe0f\u200d") | st.characters(codec="utf-8"), max_size=30),
    st.lists(st.integers(min_value=0, max_value=60), max_size=12),
    st.sampled_from(sorted(DELTAS)),
)
def test_a_text_cut_anywhere_into_deltas_is_the_same_text(
    text: str, cuts: list[int], kind: str
) -> None:
    units = halved(text)
    places = [0, *sorted({min(cut, len(units)) for cut in cuts} - {0}), len(units)]

    events = sent(*(delta(units[a:b], kind) for a, b in pairwise(places)))

    assert "".join(pieces(events, kind)) == text
    assert len(events) == len(places) - 1


def test_halves_are_joined_within_their_step_and_kind_only() -> None:
    events = sent(
        delta("one \ud83d", index=0),
        delta("two \ud83c", index=1),
        delta("\ude00", "thought_summary", index=0),
        delta("\udf0d", index=1),
        delta("\ude00", index=0),
    )

    assert pieces(events) == ["one ", "two ", "🌍", "😀"]
    assert pieces(events, "thought_summary") == ["\ufffd"]


@pytest.mark.parametrize(
    ("between", "then"),
    [
        (None, "\ufffdnext"),
        ({"event_type": "step.stop", "index": 0}, "next"),
        ({"event_type": "step.start", "index": 0, "step": {"type": "model_output"}}, "next"),
        ({"event_type": "interaction.completed", "interaction": {}}, "next"),
        ({"event_type": "step.stop", "index": 1}, "\ufffdnext"),
    ],
)
def test_a_half_that_nothing_continues_ends_with_its_step(
    between: dict[str, Any] | None, then: str
) -> None:
    events = sent(delta("first \ud83d"), *([between] if between else []), delta("next"))

    assert pieces(events) == ["first ", then]


@pytest.mark.parametrize("index", [None, True, "0", [0], {"a": 1}, 1.5])
@pytest.mark.parametrize("piece", ["\ud83d", None, 7, ["\ud83d"], {"text": "\ud83d"}])
def test_deltas_of_any_shape_are_read(index: Any, piece: Any) -> None:
    for kind in DELTAS:
        events = sent(delta("\ud83d", kind, index), delta(piece, kind, index))

        assert len(events) == 2
        json.dumps(events, ensure_ascii=False).encode()


@pytest.mark.parametrize("shape", [None, 7, "text", [], {}, {"type": ["text"]}, {"type": "text"}])
def test_a_delta_that_is_none_is_passed_on(shape: Any) -> None:
    event = {"event_type": "step.delta", "index": 0, "delta": shape}

    assert sent(delta("\ud83d"), event)[1] == event


def test_a_type_and_an_id_outside_the_json_are_taken_in() -> None:
    events = read(b'event: error\nid: 7\ndata: {"error": {}}\n\n')

    assert events == [{"error": {}, "event_type": "error", "event_id": "7"}]


def test_the_last_event_counts_also_without_its_blank_line() -> None:
    assert read(b'data: {"a":', b"1}") == [{"a": 1}]


def test_an_image_in_one_line_is_not_read_twice() -> None:
    event = {"data": "A" * 1_000_000}
    line = b"data: " + json.dumps(event).encode() + b"\n\n"

    assert read(*(line[at : at + 1000] for at in range(0, len(line), 1000))) == [event]
