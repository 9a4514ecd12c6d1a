"""Lines that the SDK would drop without a word are made ones that it can read."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gemini_interactions.mcp_server.transports.line_reader import DEEPEST, shallow
from tests.support import protocol

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


def call(**arguments: Any) -> str:
    params = {"name": "gemini_ask", "arguments": arguments}
    return json.dumps(protocol.request("tools/call", params, 7))


def nested(levels: int, core: Any = "x") -> Any:
    for level in range(levels):
        core = [core] if level % 2 else {"a": core}
    return core


@given(PLAIN, st.integers(DEEPEST, 400))
def test_only_an_argument_that_is_nested_too_deeply_is_replaced(plain: Any, levels: int) -> None:
    line = call(prompt=plain, response_schema=nested(levels), model='a "[{" in words')

    read = json.loads(shallow(line))

    arguments = read["params"].pop("arguments")
    assert arguments == {
        "prompt": plain,
        "response_schema": [[f"nested more than {DEEPEST} levels deep"]],
        "model": 'a "[{" in words',
    }
    assert read == {
        "jsonrpc": "2.0",
        "id": 7,
        "method": "tools/call",
        "params": {"name": "gemini_ask"},
    }


@given(PLAIN, st.integers(0, DEEPEST - 4))
def test_what_can_be_read_stays_as_it_is_to_the_letter(plain: Any, levels: int) -> None:
    line = call(prompt="[" * 500, response_schema=nested(levels, plain if levels < 50 else "x"))

    assert shallow(line) == line
