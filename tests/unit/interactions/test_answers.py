"""What a model reads of an interaction."""

import json
import os
import re
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemini_interactions.domain.types import FunctionCall, Problem, Step
from gemini_interactions.interactions.answer_text import (
    Answer,
    read,
    redirects,
    strip_media,
)
from gemini_interactions.interactions.citation_marks import Source
from tests.support.samples import GOLDEN, SAMPLES

NAMES = sorted(path.name for path in SAMPLES.iterdir())
REDIRECT = "https://vertexaisearch.cloud.google.com/grounding-api-redirect/"
PIXEL = "iVBORw0KGgo="


def model_output(*contents: str | Step) -> Step:
    """A step in which the model says this."""
    pieces = [{"type": "text", "text": c} if isinstance(c, str) else c for c in contents]
    return {"type": "model_output", "content": pieces}


def text(words: str, *annotations: Step) -> Step:
    return {"type": "text", "text": words, "annotations": list(annotations)}


def cite(url: str, end: Any = None, start: Any = 0, title: str = "") -> Step:
    return {
        "type": "url_citation",
        "url": url,
        "title": title or url.removeprefix("https://"),
        "start_index": start,
        "end_index": end,
    }


def body(answer: Answer) -> str:
    return answer.text.partition("\n\nSources:\n")[0]


def render_citations(words: str, *ends: Any) -> str:
    """The words as shown when each of these byte offsets ends a citation of its own."""
    notes = [cite(f"https://e.com/{place}", end) for place, end in enumerate(ends)]
    return body(read([model_output(text(words, *notes))]))


def size(words: str) -> int:
    return len(words.encode())


# ------------------------------------------------------------------------------------ samples


@pytest.mark.parametrize("name", NAMES)
def test_every_sample_reads_as_recorded(
    name: str, sample: Callable[[str], tuple[Step, ...]]
) -> None:
    answer = read(sample(name))
    shown = all_text(answer)
    golden = GOLDEN / f"{name}.txt"
    if os.environ.get("UPDATE_GOLDEN") == "1":
        golden.write_text(shown, encoding="utf-8")

    assert shown == golden.read_text(encoding="utf-8")


def all_text(answer: Answer) -> str:
    """Everything an answer holds, as one text to look through."""
    calls = [f"{c.call_id} {c.name} {json.dumps(c.arguments)}" for c in answer.function_calls]
    parts = {
        "text": answer.text,
        "function calls": "\n".join(calls),
        "thoughts": answer.thoughts,
        "images": "\n".join(str(image.get("mime_type")) for image in answer.images),
        "problem": f"{answer.problem.code} {answer.problem.message}" if answer.problem else "",
    }
    return "".join(f"<<< {name} >>>\n{part}\n" for name, part in parts.items() if part)


# --------------------------------------------------------------------------------- the words


def test_only_what_follows_the_last_user_input_is_the_answer() -> None:
    asked: Step = {"type": "user_input", "content": [{"type": "text", "text": "Hi"}]}

    assert read([asked, model_output("Old."), asked, model_output("New.")]).text == "New."


def test_text_before_an_image_or_a_tool_is_not_lost() -> None:
    search: Step = {"type": "google_search_call", "id": "s", "arguments": {"queries": ["q"]}}
    image = {"type": "image", "mime_type": "image/png", "data": PIXEL}

    answer = read([model_output("Part A", image, "Part B"), search, model_output("Part C")])

    assert answer.text == 'Part A\n\n[image 1]\n\nPart B\n\nPart C\n\nSearched: "q"'
    assert answer.images == (image,)


def test_pieces_of_text_side_by_side_are_one_text() -> None:
    assert read([model_output("The GCD is 2", "1 — voil", "à.")]).text == "The GCD is 21 — voilà."


def test_a_step_that_goes_on_in_mid_sentence_stays_in_it() -> None:
    assert (
        read([model_output("Paris is the"), model_output(" capital.")]).text
        == "Paris is the capital."
    )
    assert read([model_output("One.\n"), model_output("# Two")]).text == "One.\n\n# Two"


def test_an_answer_without_anything_to_show_is_a_problem() -> None:
    assert read([]).problem == Problem("no_output")
    assert read([model_output("  \n")]).problem == Problem("no_output")
    assert read([model_output("Yes.")]).problem is None


def test_the_models_own_error_is_a_problem_even_beside_text() -> None:
    step = model_output("Half an ans") | {"error": {"code": 13, "message": "image_safety"}}

    answer = read([step])

    assert (answer.text, answer.problem) == ("Half an ans", Problem("13", "image_safety"))


def test_thoughts_are_for_progress_and_never_in_the_text() -> None:
    thought: Step = {
        "type": "thought",
        "signature": "SIGNATURE",
        "summary": [{"text": "**Planning**"}, {"type": "image", "data": PIXEL}],
    }

    answer = read([thought, model_output("Done.")])

    assert (answer.text, answer.thoughts, answer.images) == ("Done.", "**Planning**", ())


def test_steps_and_contents_of_the_future_are_named_and_skipped() -> None:
    steps = [{"type": "brand_new_step", "x": 1}, model_output({"type": "hologram"}, "Hello.")]

    assert read(steps).text == (
        "[content of a kind this version does not know: hologram]\n\nHello.\n\n"
        "[step of a kind this version does not know: brand_new_step]"
    )


def test_steps_in_any_state_of_repair_are_read_without_complaint() -> None:
    broken: list[Any] = [
        None,
        7,
        {},
        {"type": None},
        {"type": "model_output"},
        {"type": "model_output", "content": "plain"},
        {"type": "model_output", "content": [None, {"type": "text"}, {"type": "text", "text": 5}]},
        {"type": "google_search_call", "arguments": None},
        {"type": "url_context_result", "result": None},
        {"type": "google_maps_result", "result": [{"places": None}, "x"]},
        {"type": "code_execution_call"},
        {"type": "code_execution_result", "result": None},
        {"type": "function_call", "name": "f", "arguments": "{broken"},
        {"type": "thought", "summary": "words"},
        {"type": "mcp_server_tool_call"},
    ]

    answer = read(broken)

    assert answer.text.startswith("plain")
    assert answer.function_calls == (FunctionCall("call_1", "f", {}),)
    assert redirects(broken) == ()
    assert len(strip_media(broken)) == len(broken) - 2


# ---------------------------------------------------------------------------------- citations


def test_offsets_are_bytes_and_marks_stand_at_characters() -> None:
    words = "Größe: 東京は首都です。 Ω"

    assert render_citations(words, size("Größe")) == "Größe[1]: 東京は首都です。 Ω"
    assert render_citations(words, size("Größe: 東京")) == "Größe: 東京[1]は首都です。 Ω"
    assert render_citations(words, size(words)) == words + "[1]"


@pytest.mark.parametrize("end", [None, -5, 0, 4711, "3", True, 2.5])
def test_an_end_that_makes_no_sense_is_the_end_of_the_text(end: Any) -> None:
    assert render_citations("Some words.", end) == "Some words.[1]"


def test_a_span_that_ends_before_it_begins_is_the_end_of_the_text() -> None:
    assert (
        body(read([model_output(text("Some words.", cite("https://e.com", 2, 8)))]))
        == "Some words.[1]"
    )


def test_a_missing_start_is_the_beginning() -> None:
    note = cite("https://e.com", 4)
    del note["start_index"]

    assert body(read([model_output(text("Some words.", note))])) == "Some[1] words."


def test_numbers_follow_the_text_not_the_list() -> None:
    notes = [cite("https://b.com", 10), cite("https://a.com", 4), cite("https://b.com", 4)]

    answer = read([model_output(text("Some words", *notes))])

    assert answer.text == (
        "Some[1][2] words[2]\n\nSources:\n1. a.com — https://a.com\n2. b.com — https://b.com"
    )
    assert answer.sources[0] == Source(1, "a.com", "https://a.com")


def test_the_same_source_has_one_number_and_one_mark_at_a_place() -> None:
    notes = [cite("https://a.com", 4), cite("https://a.com", 4), cite("https://a.com", 10)]

    answer = read(
        [
            model_output(text("Some words", *notes)),
            model_output(text("More", cite("https://a.com", 4))),
        ]
    )

    assert body(answer) == "Some[1] words[1]\n\nMore[1]"
    assert len(answer.sources) == 1


def test_offsets_count_from_their_own_piece_of_text() -> None:
    answer = read(
        [model_output("Größe ", text("zählt", cite("https://a.com", size("zählt"))), " nicht")]
    )

    assert body(answer) == "Größe zählt[1] nicht"


def test_a_source_whose_mark_has_no_place_is_still_listed() -> None:
    answer = read([model_output(text("```\nnever closed", cite("https://a.com", 6)))])

    assert answer.text == "```\nnever closed\n\nSources:\n1. a.com — https://a.com"


def test_files_and_places_are_sources_too() -> None:
    notes: list[Step] = [
        {"type": "file_citation", "file_name": "a.pdf", "page_number": 3, "end_index": 4},
        {"type": "file_citation", "document_uri": "stores/s/documents/d", "end_index": 4},
        {"type": "place_citation", "name": "Café\nRoma", "url": "https://maps/1"},
        {"type": "word_info", "start_index": 0, "end_index": 2},
    ]

    assert read([model_output(text("Some words", *notes))]).text == (
        "Some[1][2] words[3]\n\nSources:\n1. a.pdf, page 3\n2. d\n3. Café Roma — https://maps/1"
    )


def test_redirects_are_shown_as_their_targets_or_not_at_all() -> None:
    notes = [
        cite(REDIRECT + "one", 4, title="a.com"),
        cite(REDIRECT + "two", 4, title="b.com"),
        cite(REDIRECT + "three", 10, title="a.com"),
    ]
    steps = [model_output(text("Some words", *notes))]
    targets = {REDIRECT + "one": "https://a.com/x", REDIRECT + "three": "https://a.com/x"}

    answer = read(steps, targets=targets | {REDIRECT + "two": ""})

    assert redirects(steps) == tuple(REDIRECT + name for name in ("one", "two", "three"))
    assert answer.text == ("Some[1][2] words[1]\n\nSources:\n1. a.com — https://a.com/x\n2. b.com")


def test_redirects_in_the_words_themselves_are_resolved_too() -> None:
    words = f"1. [a.com]({REDIRECT}A_b-1) 2. [b.com]({REDIRECT}B) 3. {REDIRECT}C."
    steps = [model_output(words)]

    answer = read(steps, targets={REDIRECT + "A_b-1": "https://a.com/x"})

    assert redirects(steps) == (REDIRECT + "A_b-1", REDIRECT + "B", REDIRECT + "C")
    assert answer.text == (
        "1. [a.com](https://a.com/x) 2. b.com 3. (a link that could not be resolved)."
    )


def test_a_target_that_is_a_redirect_again_is_no_target() -> None:
    steps = [model_output(text("Words", cite(REDIRECT + "x", 5, title="a.com")))]

    assert "vertexaisearch" not in read(steps, targets={REDIRECT + "x": REDIRECT + "y"}).text


CHARACTERS = [
    *"a .ß東。\u00e9",
    *("e\u0301", "1\ufe0f\u20e3", "\u0915\u094d\u0937\u093f", "\u1100\u1161\u11a8"),
    *("\U0001f44d\U0001f3fd", "\U0001f468\u200d\U0001f469\u200d\U0001f467"),
    *("\U0001f1e9\U0001f1ea", "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e007f"),
]
whole_characters = st.lists(st.sampled_from(CHARACTERS), min_size=1, max_size=12).filter(
    lambda characters: "".join(characters).strip()
)


@given(whole_characters, st.lists(st.integers(1, 80), min_size=1, max_size=6))
def test_a_mark_stands_at_the_end_of_the_character_its_offset_is_in(
    characters: list[str], ends: list[int]
) -> None:
    shown = render_citations("".join(characters), *ends)

    assert places_of_marks(shown) == {end_of_character(characters, end) for end in ends}
    assert re.sub(r"\[\d+\]", "", shown) == "".join(characters)


def places_of_marks(shown: str) -> set[int]:
    """Where marks stand, in characters of the text without them."""
    places = set()
    done = 0
    for match in re.finditer(r"\[\d+\]", shown):
        places.add(match.start() - done)
        done += len(match[0])
    return places


def end_of_character(characters: Sequence[str], end: int) -> int:
    if end > size("".join(characters)):
        return len("".join(characters))
    place = data = 0
    for character in characters:
        place += len(character)
        data += size(character)
        if end <= data:
            break
    return place


@given(st.text(max_size=60), st.lists(st.integers(-2, 200), max_size=6))
def test_any_text_with_any_offsets_is_read(words: str, ends: list[int]) -> None:
    notes = [cite(f"https://e.com/{end}", end) for end in ends]

    answer = read([model_output(text(words, *notes))])

    assert len(answer.sources) == len(set(ends))


# --------------------------------------------------------------------- code and what was done


def test_executed_code_stays_where_it_ran() -> None:
    steps: list[Step] = [
        model_output("Let me compute."),
        {
            "type": "code_execution_call",
            "id": "c",
            "arguments": {"language": "python", "code": "1"},
        },
        {"type": "code_execution_result", "call_id": "c", "result": "1\n"},
        model_output("It is one."),
    ]

    assert read(steps).text == (
        "Let me compute.\n\n```python\n1\n```\n\nOutput:\n```text\n1\n```\n\nIt is one."
    )


def test_a_fence_is_longer_than_any_run_of_backticks_inside() -> None:
    call: Step = {"type": "code_execution_call", "arguments": {"code": "s = '````'"}}

    assert read([call]).text == "`````\ns = '````'\n`````"


def test_failed_code_says_so() -> None:
    result: Step = {"type": "code_execution_result", "is_error": True, "result": "boom"}

    assert read([result]).text == "Output (an error):\n```text\nboom\n```"


def test_charts_that_code_drew_are_images_of_the_answer() -> None:
    chart = {"type": "image", "mime_type": "image/png", "data": PIXEL}
    result: Step = {"type": "code_execution_result", "result": [chart]}

    answer = read([result, model_output("See above.")])

    assert answer.text == "Output: none\n\n[image 1]\n\nSee above."
    assert answer.images == (chart,)


def test_what_was_done_is_told_after_the_answer_wherever_its_steps_stand() -> None:
    steps: list[Step] = [
        model_output("The answer."),
        {"type": "google_search_call", "arguments": {"queries": ["a", 'say "b"', "a"]}},
        {"type": "google_search_result", "result": [{"search_suggestions": "<style>x</style>"}]},
        {"type": "url_context_result", "result": [{"url": "https://a.b", "status": "paywall"}]},
        {"type": "url_context_call", "arguments": {"urls": ["https://a.b", "https://c.d"]}},
        {"type": "google_maps_call", "arguments": {"queries": ["cafe"]}},
        {
            "type": "google_maps_result",
            "result": [
                {
                    "places": [{"name": "Roma", "url": "https://maps/1"}, {"name": "Nameless"}],
                    "widget_context_token": "TOKEN",
                }
            ],
        },
        {"type": "file_search_call", "id": "f"},
        {
            "type": "mcp_server_tool_call",
            "id": "m",
            "server_name": "s",
            "name": "t",
            "arguments": {},
        },
        {"type": "mcp_server_tool_result", "call_id": "m", "result": "ok\nthen"},
    ]

    assert read(steps).text == (
        'The answer.\n\nSearched: "a", "say \\"b\\""\n'
        "Read: https://a.b (paywall)\n"
        "Read: https://c.d (no result)\n"
        'Searched Google Maps: "cafe"\n'
        "Place: Roma — https://maps/1\n"
        "Place: Nameless\n"
        "Searched the files.\n"
        "Called s: t() → ok then"
    )


def test_eighty_searches_do_not_fill_the_page() -> None:
    queries = [f"q{number}" for number in range(80)]

    shown = read(
        [model_output("x"), {"type": "google_search_call", "arguments": {"queries": queries}}]
    ).text

    assert shown.endswith('"q19" and 60 more')


def test_nothing_secret_or_decorative_reaches_the_model(
    sample: Callable[[str], tuple[Step, ...]],
) -> None:
    for name in NAMES:
        shown = read(sample(name)).text
        assert not re.search(r"c2ln|<div|iVBOR|grounding-api-redirect", shown), name


# ------------------------------------------------------------------------------------- calls


def test_calls_without_a_result_wait_for_one() -> None:
    steps: list[Step] = [
        {"type": "function_call", "id": "a", "name": "f", "arguments": {"x": 1}},
        {"type": "function_result", "call_id": "a", "name": "f", "result": "done"},
        {"type": "function_call", "id": "b", "name": "f", "arguments": {"x": 2}},
    ]

    answer = read(steps)

    assert (answer.function_calls, answer.problem) == (
        (FunctionCall("b", "f", {"x": 2}, "b"),),
        None,
    )
    assert answer.text == 'Called f({"x": 1}) → done'


def test_a_result_before_its_call_answers_nothing() -> None:
    steps: list[Step] = [
        {"type": "function_result", "call_id": "a", "result": "old"},
        {"type": "function_call", "id": "a", "name": "f", "arguments": {}},
    ]

    assert [call.call_id for call in read(steps).function_calls] == ["a"]


def test_calls_without_an_id_are_named_by_their_position() -> None:
    steps: list[Step] = [
        {"type": "function_call", "id": "", "name": "f", "arguments": '{"x": 1}'},
        {"type": "function_call", "name": "g", "arguments": {}},
        {"type": "function_result", "call_id": "", "name": "f", "result": "done"},
    ]

    assert read(steps[:2]).function_calls == (
        FunctionCall("call_1", "f", {"x": 1}),
        FunctionCall("call_2", "g", {}),
    )
    assert [call.call_id for call in read(steps).function_calls] == ["call_2"]


# ---------------------------------------------------------------------------------- to be kept


def asked(id: str, name: str = "f") -> dict[str, Any]:
    return {"type": "function_call", "id": id, "name": name, "arguments": {}}


def done(id: str, name: str = "f") -> dict[str, Any]:
    return {"type": "function_result", "call_id": id, "name": name, "result": "done"}


@pytest.mark.parametrize(
    ("steps", "ids"),
    [
        ([asked("a"), asked("a")], {"a": "a", "a_2": "a"}),
        ([asked("a"), asked("a"), asked("a_2")], {"a": "a", "a_3": "a", "a_2": "a_2"}),
        ([asked("a_2"), asked("a"), asked("a")], {"a_2": "a_2", "a": "a", "a_3": "a"}),
        ([asked("call_2"), asked("")], {"call_2": "call_2", "call_3": ""}),
        ([asked(""), asked("call_1")], {"call_2": "", "call_1": "call_1"}),
        ([asked("a"), asked("a"), done("a")], {"a_2": "a"}),
        ([asked("a"), done("a"), asked("a")], {"a": "a"}),
        ([asked("a"), asked(""), done("")], {"a": "a"}),
    ],
)
def test_each_pending_call_has_an_id_of_its_own(
    steps: list[dict[str, Any]], ids: dict[str, str]
) -> None:
    calls = read(steps).function_calls

    assert {call.call_id: call.upstream_id for call in calls} == ids
    assert len(calls) == len(ids)


def test_of_two_calls_with_one_id_only_the_answered_one_was_made() -> None:
    answer = read([asked("a", "f"), asked("a", "g"), done("a")])

    assert answer.text == "Called f() → done"
    assert [call.name for call in answer.function_calls] == ["g"]


def test_kept_steps_have_no_media_bytes_but_their_signatures() -> None:
    image = {"type": "image", "mime_type": "image/png", "data": PIXEL, "uri": "files/x"}
    steps: list[Step] = [
        {"type": "thought", "signature": "S", "summary": [image]},
        model_output("Hi", image),
        {"type": "function_call", "arguments": {"type": "image", "data": "theirs"}},
        {"type": "function_result", "result": [image]},
    ]

    kept = strip_media(steps)

    bare = {"type": "image", "mime_type": "image/png", "uri": "files/x", "bytes": 8}
    assert kept[0] == {"type": "thought", "signature": "S", "summary": [bare]}
    assert kept[1] == model_output("Hi", bare)
    assert kept[2] == steps[2]
    assert kept[3]["result"] == [bare]
    assert strip_media(kept) == kept
    assert steps[1] == model_output("Hi", image)


@pytest.mark.parametrize("name", NAMES)
def test_kept_steps_read_the_same(name: str, sample: Callable[[str], tuple[Step, ...]]) -> None:
    steps = sample(name)

    assert read(strip_media(steps)).text == read(steps).text
