"""Results of functions, as far as they can be judged without the turn they answer."""

from __future__ import annotations

from typing import Any

import pytest

from gemini_interactions.bridge.turns.function_calls import check_shape
from gemini_interactions.domain.errors import BadArgument


@pytest.mark.parametrize(
    "result",
    [
        [{"type": "image", "uri": "https://generativelanguage.googleapis.com/v1beta/files/abc"}],
        [{"type": "text", "text": "see"}, {"type": "document", "uri": "f%69les/abc"}],
        {"type": "document", "file_uri": "files/abc"},
    ],
)
def test_where_owners_differ_no_result_names_a_file_at_google(result: Any) -> None:
    with pytest.raises(BadArgument, match="cannot be named in a result"):
        check_shape([{"call_id": "c", "result": result}], may_name_files=False)


@pytest.mark.parametrize(
    "result",
    [
        "It is in src/profiles/ada.txt.",
        {"path": "files/readme.md"},
        ["files/a.txt", "files/b.txt"],
        [{"type": "text", "text": "files/a.txt"}],
    ],
)
def test_words_about_local_files_are_no_names_at_google(result: Any) -> None:
    check_shape([{"call_id": "c", "result": result}], may_name_files=False)
