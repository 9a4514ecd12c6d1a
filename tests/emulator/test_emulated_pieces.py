"""Small pure parts of the emulator, for every input there is."""

import json

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemini_emulator import ids
from gemini_emulator.requests.schema_sample import instance
from gemini_emulator.responders.builtin_tools import cite
from gemini_emulator.stream_events import pieces, step_events


@given(st.text())
def test_pieces_of_a_text_are_the_text(text):
    assert "".join(pieces(text)) == text
    assert all(pieces(text))


@given(st.text() | st.from_regex(r"v1_[A-Za-z0-9_-]{60,80}", fullmatch=True))
def test_any_text_is_an_id_or_is_not(text):
    assert ids.is_well_formed(text) in (True, False)


@given(st.text())
def test_every_minted_id_is_well_formed(seed):
    mint = ids.Mint(seed)
    first, root = mint.interaction()
    second, same = mint.interaction(root)

    assert root == same
    assert first != second
    assert ids.is_well_formed(first)
    assert ids.is_well_formed(second)


@given(st.dictionaries(st.text(), st.text() | st.integers() | st.booleans()))
def test_streamed_arguments_are_the_arguments(arguments):
    step = {"type": "function_call", "id": "a", "name": "f", "arguments": arguments}
    deltas = [event["delta"] for event in step_events(0, step) if "delta" in event]

    assert json.loads("".join(delta["arguments"] for delta in deltas)) == arguments


SCHEMAS = [
    {},
    {"type": "null"},
    {"type": ["null", "string"], "maxLength": 2},
    {"type": "string", "format": "date-time"},
    {"type": "string", "enum": ["x"]},
    {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1, "default": 0.5},
    {"type": "integer", "minimum": 7, "multipleOf": 5},
    {"type": "integer", "maximum": -3},
    {"type": "array", "items": {"type": "boolean"}, "minItems": 3},
    {"type": "array", "maxItems": 0},
    {"const": {"a": 1}},
    {"oneOf": [{"type": "string"}, {"type": "integer"}]},
    {
        "allOf": [
            {"properties": {"a": {"type": "integer"}}, "required": ["a"]},
            {"properties": {"b": {"type": "string"}}, "required": ["b"]},
        ],
        "type": "object",
    },
    {
        "$defs": {
            "Node": {
                "type": "object",
                "properties": {"next": {"$ref": "#/$defs/Node"}, "name": {"type": "string"}},
                "required": ["name"],
            }
        },
        "$ref": "#/$defs/Node",
    },
]


@pytest.mark.parametrize("schema", SCHEMAS, ids=json.dumps)
def test_an_instance_satisfies_its_schema(schema):
    jsonschema.validate(instance(schema), schema)


def test_a_schema_that_only_refers_to_itself_still_ends():
    assert instance({"$ref": "#"}) == "text"


def test_nothing_is_cited_without_a_source():
    class Turn:
        tools = ({"type": "code_execution"},)

    text, annotations = cite(Turn(), "Hi")  # type: ignore[arg-type]  # all that is looked at

    assert (text, annotations) == ("Hi", [])
