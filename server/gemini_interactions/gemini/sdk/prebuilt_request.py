"""Requests of a create that google-genai's models do not look at.

The SDK reads a request into its models and writes it out again, which costs 0.5 ms of CPU for a
short prompt and grows with every step of a conversation that is told again; and it refuses steps
that its models do not know, such as what a newer model said. So it is handed one small request,
built once, and the real body beside it as `extra_body`, which it merges into the JSON.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from gemini_interactions.domain.types import CONTENTS
from gemini_interactions.interactions.json_values import type_of

_OPTIONS = ("automatic_continuation", "api_version")
_KINDS = ("stream", "background")
_CHECKED = frozenset({"tools", "agent_config"})
"""What callers write in Google's own shape: the SDK's models are left to refuse what is none."""
_MOST_ESCAPED = 256 * 1024
"""Characters of a text beyond ASCII up to which it goes this way: `extra_body` is written with
escapes, which double it."""


def minds_the_shape(error: Exception) -> bool:
    """Whether the SDK's models refused what was to be sent: only then was surely nothing sent."""
    return type(error).__name__ == "ValidationError" or "unhashable type" in str(error)


def past_models(named: Mapping[str, Any]) -> dict[str, Any] | None:
    """The arguments of `interactions.create` in that form; None where it cannot or should not be
    used, and the arguments are to be given as they are."""
    body = {name: value for name, value in named.items() if name not in _OPTIONS}
    if _swells(body.get("input")):
        return None
    given = body.get("input")
    if isinstance(given, list) and given and all(type_of(each) in CONTENTS for each in given):
        body["input"] = [{"type": "user_input", "content": given}]
    if body.keys() & _CHECKED:
        given = {name: body[name] for name in ("input",) if name in body}
        return {**named, "input": "", "extra_body": given} if given else None
    kind = {name: True for name in _KINDS if body.get(name)}
    request = _request("agent" in body, tuple(kind), named.get("api_version"))
    if request is None:
        return None
    arguments: dict[str, Any] = {"request": request, "extra_body": body}
    if "automatic_continuation" in named:
        arguments["automatic_continuation"] = named["automatic_continuation"]
    return arguments


def _swells(given: Any) -> bool:
    return isinstance(given, str) and len(given) > _MOST_ESCAPED and not given.isascii()


@functools.lru_cache(64)
def _request(is_agent: bool, kinds: tuple[str, ...], version: str | None) -> Any:
    """The SDK's own request model with nothing in it but what its code looks at."""
    try:
        from google.genai._gaos import models
        from google.genai._gaos.utils import unmarshal

        body = {"agent" if is_agent else "model": "none", "input": ""}
        whole: dict[str, Any] = {"body": {**body, **dict.fromkeys(kinds, True)}}
        if version:
            whole["api_version"] = version
        return unmarshal(whole, models.CreateInteractionRequest)
    except Exception:  # another SDK: its ordinary way
        return None
