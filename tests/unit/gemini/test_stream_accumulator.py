"""A draft is the answer so far, whatever order or state its events come in."""

from __future__ import annotations

import dataclasses
import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemini_interactions.domain.types import Interaction, Problem, Usage
from gemini_interactions.interactions.stream_accumulator import InteractionAccumulator
from tests.support.samples import EXPECTED, SAMPLES
from tests.unit.gemini.conftest import recorded_events

STREAMS = sorted(each.stem for each in SAMPLES.glob("*.sse"))


def accumulate(*events: Any) -> InteractionAccumulator:
    draft = InteractionAccumulator()
    for event in events:
        draft.add(event)
    return draft


def created(id: str = "v1_a", **more: Any) -> dict[str, Any]:
    interaction = {"id": id, "status": "in_progress", **more}
    return {"event_type": "interaction.created", "interaction": interaction}


def completed_event(id: str = "v1_a", status: str = "completed", **more: Any) -> dict[str, Any]:
    interaction = {"id": id, "status": status, **more}
    return {"event_type": "interaction.completed", "interaction": interaction}


def start(index: int, type: str, **more: Any) -> dict[str, Any]:
    return {"event_type": "step.start", "index": index, "step": {"type": type, **more}}


def delta(index: int, type: str, **more: Any) -> dict[str, Any]:
    return {"event_type": "step.delta", "index": index, "delta": {"type": type, **more}}


def stop(index: int, **more: Any) -> dict[str, Any]:
    return {"event_type": "step.stop", "index": index, **more}


def text(index: int, text: str) -> dict[str, Any]:
    return delta(index, "text", text=text)


@pytest.mark.parametrize("name", STREAMS)
def test_a_recorded_stream_amounts_to_the_expected_interaction(name: str) -> None:
    expected = json.loads((EXPECTED / f"{name}.expected.json").read_text("utf-8"))
    draft, doing = InteractionAccumulator(), [""]
    for event in recorded_events(name):
        draft.add(event)
        if draft.doing != doing[-1]:
            doing.append(draft.doing)

    # Through JSON, since tuples are lists there.
    told = json.loads(json.dumps(dataclasses.asdict(draft.interaction())))
    assert told.pop("service_tier") in ("standard", "")
    assert told.pop("api_version") == ""
    if told["usage"]:  # which also counts what is made here, and not told by streams
        told["usage"] = {name: told["usage"][name] for name in expected["interaction"]["usage"]}
    assert told == expected["interaction"]
    assert draft.finished == expected["finished"]
    assert (draft.error and dataclasses.asdict(draft.error)) == expected["error"]
    assert draft.text_so_far == expected["text"]
    assert doing[1:] == expected["doing"]


@given(st.text(), st.lists(st.integers(min_value=0), max_size=20))
def test_text_is_the_same_however_it_is_split(said: str, cuts: list[int]) -> None:
    places = sorted({cut % (len(said) + 1) for cut in cuts} | {0, len(said)})
    pieces = [said[a:b] for a, b in pairwise(places)] or [""]

    draft = accumulate(created(), start(0, "model_output"), *(text(0, each) for each in pieces))

    assert draft.text_so_far == said
    assert draft.interaction().steps[0]["content"] == [{"type": "text", "text": said}]


@given(st.text(), st.text(), st.booleans())
def test_looking_at_a_draft_does_not_change_it(one: str, two: str, looked: bool) -> None:
    draft = accumulate(created(), start(0, "model_output"), text(0, one))
    if looked:
        draft.interaction().steps[0]["content"].clear()
    draft.add(text(0, two))

    assert draft.text_so_far == one + two


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
KNOWN_TYPES = st.sampled_from(
    [
        "interaction.created",
        "interaction.completed",
        "interaction.status_update",
        "step.start",
        "step.delta",
        "step.stop",
        "error",
        "text",
        "text_annotation_delta",
        "image",
        "thought",
        "thought_summary",
        "thought_signature",
        "arguments_delta",
        "function_call",
        "function_result",
        "google_search_call",
        "url_context_call",
        "model_output",
        "brand_new",
    ]
)
KEYS = st.sampled_from(
    [
        "interaction",
        "steps",
        "step",
        "delta",
        "index",
        "type",
        "id",
        "status",
        "usage",
        "content",
        "text",
        "summary",
        "arguments",
        "annotations",
        "signature",
        "error",
        "errors",
        "code",
        "message",
        "metadata",
        "total_usage",
        "queries",
        "urls",
    ]
)
# Events with the right keys in the right places reach further than mere JSON does.
EVENTS = st.recursive(
    ANYTHING | st.sampled_from(["https://[x", "{", "[]", "0" * 5000]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(KEYS, inner, max_size=5)
        | st.builds(
            lambda kind, more: {**more, "type": kind}, KNOWN_TYPES, st.dictionaries(KEYS, inner)
        )
    ),
    max_leaves=12,
)


@given(
    st.lists(
        ANYTHING
        | st.builds(
            lambda kind, more: {**more, "event_type": kind},
            KNOWN_TYPES,
            st.dictionaries(KEYS, EVENTS, max_size=5),
        ),
        max_size=6,
    )
)
def test_nothing_that_arrives_makes_a_draft_raise(events: list[Any]) -> None:
    draft = accumulate(*events)

    assert isinstance(draft.interaction(), Interaction)
    assert "\n" not in draft.doing
    assert isinstance(draft.text_so_far, str)


def test_an_annotation_belongs_to_the_text_written_last_in_its_step() -> None:
    citation = {"type": "url_citation", "url": "https://e.com", "start_index": 0, "end_index": 3}
    draft = accumulate(
        created(),
        start(0, "model_output"),
        text(0, "before"),
        delta(0, "image", mime_type="image/png", data="aGk="),
        text(0, "after"),
        delta(0, "image", mime_type="image/png", data="aG8="),
        delta(0, "text_annotation_delta", annotations=[citation]),
        text(0, " again"),
    )

    assert draft.interaction().steps[0]["content"] == [
        {"type": "text", "text": "before"},
        {"type": "image", "mime_type": "image/png", "data": "aGk="},
        {"type": "text", "text": "after", "annotations": [citation]},
        {"type": "image", "mime_type": "image/png", "data": "aG8="},
        {"type": "text", "text": " again"},
    ]


def note(end: int) -> dict[str, Any]:
    return {"type": "url_citation", "url": "https://e.com", "start_index": 0, "end_index": end}


def annotation_delta(index: int, *ends: int) -> dict[str, Any]:
    return delta(index, "text_annotation_delta", annotations=[note(end) for end in ends])


def test_a_text_that_comes_after_annotations_is_a_text_of_its_own() -> None:
    draft = accumulate(
        start(0, "model_output"),
        *(text(0, "Zür"), text(0, "ich. "), annotation_delta(0, 6)),
        *(text(0, "Ge"), text(0, "nf."), annotation_delta(0, 4, 5)),
    )

    assert draft.interaction().steps[0]["content"] == [
        {"type": "text", "text": "Zürich. ", "annotations": [note(6)]},
        {"type": "text", "text": "Genf.", "annotations": [note(4), note(5)]},
    ]


@pytest.mark.parametrize(
    "events",
    [
        [text(0, "One. "), annotation_delta(0, 4), text(0, "Two."), annotation_delta(0, 9)],
        [annotation_delta(0, 4, 9), text(0, "One. "), text(0, "Two.")],
        [text(0, "One. "), annotation_delta(0, 4, 9), text(0, "Two.")],
    ],
)
def test_annotations_that_count_further_than_a_text_belong_to_what_is_around_it(
    events: list[dict[str, Any]],
) -> None:
    draft = accumulate(start(0, "model_output"), *events)

    assert draft.interaction().steps[0]["content"] == [
        {"type": "text", "text": "One. Two.", "annotations": [note(4), note(9)]}
    ]


def test_no_citation_is_lost_where_two_texts_turn_out_to_be_one() -> None:
    draft = accumulate(
        start(0, "model_output"),
        *(text(0, "One. "), annotation_delta(0, 4), text(0, "Two and more.")),
        *(annotation_delta(0, 9), annotation_delta(0, 18)),
    )

    assert draft.interaction().steps[0]["content"] == [
        {"type": "text", "text": "One. Two and more.", "annotations": [note(4), note(9), note(18)]}
    ]


def test_steps_stand_in_the_order_of_their_index_not_of_their_arrival() -> None:
    draft = accumulate(created(), start(1, "model_output"), start(0, "thought"), text(1, "hi"))

    assert [step["type"] for step in draft.interaction().steps] == ["thought", "model_output"]


@pytest.mark.parametrize(
    ("pieces", "arguments"),
    [
        (['{"a"', ": 1}"], {"a": 1}),
        ([""], {}),
        (['{"a"'], {"_raw": '{"a"'}),
        (["[1]"], {"_raw": "[1]"}),
        ([r'{"a": "\ud83d"}'], {"a": "\ufffd"}),
        (["[" * 100_000], {"_raw": "[" * 100_000}),
    ],
)
def test_arguments_in_pieces_become_an_object_when_their_step_ends(
    pieces: list[str], arguments: dict[str, Any]
) -> None:
    draft = accumulate(created(), start(0, "function_call", id="x", name="f", arguments={}))
    for piece in pieces:
        draft.add(delta(0, "arguments_delta", arguments=piece))
    unfinished = draft.interaction().steps[0]["arguments"]
    draft.add(stop(0))

    assert unfinished == {}
    assert draft.interaction().steps[0]["arguments"] == arguments


def test_arguments_are_complete_also_when_only_the_interaction_ends() -> None:
    draft = accumulate(
        created(),
        start(0, "function_call", id="x", name="f"),
        delta(0, "arguments_delta", arguments="{}"),
        completed_event(status="requires_action"),
    )

    assert draft.interaction().steps[0]["arguments"] == {}


def test_a_null_argument_of_a_search_does_not_wipe_what_is_known() -> None:
    known = {"queries": ["a"]}
    draft = accumulate(
        created(),
        start(0, "google_search_call", id="g", arguments=known, signature="s"),
        delta(0, "google_search_call", arguments=None, signature=""),
    )

    assert draft.interaction().steps[0] == {
        "type": "google_search_call",
        "id": "g",
        "arguments": known,
        "signature": "s",
    }


def test_the_steps_of_completed_win_where_there_are_any() -> None:
    given_steps = [{"type": "model_output", "content": [{"type": "text", "text": "whole"}]}]
    streamed = [created(), start(0, "model_output"), text(0, "part")]

    assert accumulate(*streamed, completed_event(steps=given_steps)).text_so_far == "whole"
    assert accumulate(*streamed, completed_event(steps=[])).text_so_far == "part"
    assert accumulate(*streamed, completed_event()).text_so_far == "part"


def test_hops_follow_each_other_and_the_last_ones_id_counts() -> None:
    usage = {"total_input_tokens": 5, "total_output_tokens": 7, "total_tokens": 12}
    draft = accumulate(
        created("v1_a"),
        start(0, "model_output"),
        text(0, "one "),
        completed_event("v1_a", "requires_continuation", usage=usage),
    )
    between = draft.finished
    for event in (
        created("v1_b"),
        start(0, "model_output"),
        text(0, "two"),
        completed_event("v1_b", usage=usage),
    ):
        draft.add(event)

    assert not between
    assert draft.finished
    assert draft.interaction() == Interaction(
        id="v1_b",
        status="completed",
        steps=(
            {"type": "model_output", "content": [{"type": "text", "text": "one "}]},
            {"type": "model_output", "content": [{"type": "text", "text": "two"}]},
        ),
        usage=Usage(input=10, output=14, total=24),
    )


def test_hops_without_ids_are_no_replays() -> None:
    hop = [start(0, "model_output"), text(0, "x")]
    draft = accumulate(
        created(""),
        *hop,
        completed_event("", "requires_continuation"),
        created(""),
        *hop,
        completed_event(""),
    )

    assert draft.text_so_far == "xx"


def test_a_replay_from_the_start_does_not_say_things_twice() -> None:
    events = recorded_events("deep_research_bg")

    assert accumulate(*events[:9], *events).interaction() == accumulate(*events).interaction()


def test_a_beginning_that_is_said_twice_loses_nothing() -> None:
    draft = accumulate(
        created(),
        start(0, "model_output"),
        text(0, "one "),
        created(),
        text(0, "two"),
        completed_event(),
    )

    assert draft.text_so_far == "one two"


def test_an_error_after_the_end_changes_nothing() -> None:
    late = {"event_type": "error", "error": {"code": "internal", "message": "Too late."}}
    draft = accumulate(
        created(), start(0, "model_output"), text(0, "all of it"), completed_event(), late
    )

    assert draft.finished
    assert draft.error is None
    assert draft.interaction().status == "completed"


def test_an_error_ends_it_and_keeps_what_had_arrived() -> None:
    draft = accumulate(
        created(),
        start(0, "model_output"),
        text(0, "part"),
        {"event_type": "error", "error": {"code": 504, "message": "Too late."}},
    )

    assert draft.finished
    assert draft.error == Problem("504", "Too late.")
    assert draft.text_so_far == "part"


def test_an_error_that_says_nothing_is_an_error_all_the_same() -> None:
    draft = accumulate(created(), {"event_type": "error", "error": None})

    assert draft.finished
    assert draft.error == Problem("")


def test_an_end_without_a_status_is_the_end_with_an_unknown_outcome() -> None:
    draft = accumulate(created(), {"event_type": "interaction.completed", "interaction": {}})

    assert draft.finished
    assert draft.status == ""


def test_what_went_wrong_inside_is_kept() -> None:
    errors = [{"code": "internal", "message": "It broke."}, "nonsense"]
    draft = accumulate(created(), completed_event(status="failed", errors=errors))

    assert draft.interaction().errors == (Problem("internal", "It broke."),)


def test_usage_so_far_counts_until_the_final_figure_comes() -> None:
    draft = accumulate(created(), start(0, "thought"), stop(0, usage={"total_tokens": 120}))
    so_far = draft.interaction().usage
    draft.add(completed_event(usage={"total_tokens": 900}))

    assert so_far == Usage(total=120)
    assert draft.interaction().usage == Usage(total=900)


def test_only_what_says_something_counts_as_a_change() -> None:
    draft = accumulate("", None, {"event_type": "ping"}, {}, created(), text(0, "a"))

    assert draft.changes == 2


@pytest.mark.parametrize(
    ("event", "doing"),
    [
        (
            delta(0, "thought_summary", content={"text": "**Weighing  both**\n\nA lot."}),
            "Weighing both",
        ),
        (
            delta(0, "thought_summary", content={"text": "I look first. Then I act."}),
            "I look first.",
        ),
        (start(0, "google_search_call", arguments={"queries": ["a b", "c"]}), "Searching: a b, c"),
        (start(0, "google_search_call", arguments=None), "Searching"),
        (
            start(0, "url_context_call", arguments={"urls": ["https://u:p@example.com:8/x?key=s"]}),
            "Reading example.com",
        ),
        (start(0, "url_context_call", arguments={"urls": ["https://[x"]}), "Reading a page"),
        (start(0, "code_execution_call"), "Running code"),
        (start(0, "function_call", name="get_weather"), "Calling get_weather"),
        (text(0, "One\ntwo"), "Writing: One two"),
        (text(0, "start " + "x" * 90), "Writing: …" + "x" * 80),
    ],
)
def test_doing_is_one_line_about_the_latest(event: dict[str, Any], doing: str) -> None:
    assert accumulate(created(), event).doing == doing


def test_an_empty_text_is_no_writing() -> None:
    assert (
        accumulate(created(), start(0, "code_execution_call"), text(1, "")).doing == "Running code"
    )
