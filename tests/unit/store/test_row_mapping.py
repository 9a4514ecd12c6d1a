"""JSON and texts for rows: the same in pieces as in one go."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gemini_interactions.store import row_mapping

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner),
    max_leaves=20,
)


@given(VALUES)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_json_in_pieces_is_the_json_in_one_go(
    monkeypatch: pytest.MonkeyPatch, value: object
) -> None:
    whole = row_mapping.to_json(value)
    with monkeypatch.context() as small:
        small.setattr(row_mapping, "LARGE", 3)

        assert (
            row_mapping.to_json(value)
            == whole
            == json.dumps(value, ensure_ascii=False, separators=(",", ":")).replace(
                "\x00", "\ufffd"
            )
        )


@given(st.text())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_text_is_folded_in_pieces_as_in_one_go(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    whole = row_mapping.folded(text)
    with monkeypatch.context() as small:
        small.setattr(row_mapping, "LARGE", 3)

        assert row_mapping.folded(text) == whole


def test_no_piece_of_a_large_text_is_larger_than_is_worked_on_at_once() -> None:
    text = "é" * (3 * row_mapping.LARGE + 1)

    assert max(map(len, row_mapping._pieces(text))) == row_mapping.LARGE
    assert max(map(len, row_mapping._large_json([{"text": text}]))) == row_mapping.LARGE
