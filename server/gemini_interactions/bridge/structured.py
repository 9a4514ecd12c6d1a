"""Structured answers: one turn's answer as JSON that fits the caller's schema."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..errors import BadArgument
from .outcomes import Outcome

_FENCED = re.compile(r"\s*```(?:json)?\s*\n(.*?)\n?\s*```\s*", re.DOTALL | re.IGNORECASE)


def check_schema(schema: Mapping[str, Any]) -> None:
    """Raises BadArgument where `schema` is no JSON schema. Slow once: imports jsonschema."""
    import jsonschema

    try:
        jsonschema.Draft202012Validator.check_schema(schema)
    except jsonschema.SchemaError as wrong:
        raise BadArgument(
            f"`response_schema` is not a JSON schema: {wrong.message[:200]} (at {wrong.json_path})."
        ) from None


def response_format(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "text", "mime_type": "application/json", "schema": dict(schema)}


def checked(outcome: Outcome, schema: Mapping[str, Any]) -> Outcome:
    """The outcome with clean JSON as its text, or failed with the raw text and where it fails."""
    if outcome.status != "completed":
        return outcome
    fenced = _FENCED.fullmatch(outcome.text)
    text = fenced.group(1) if fenced else outcome.text.strip()
    try:
        value = json.loads(text)
    except ValueError as wrong:
        line = getattr(wrong, "lineno", 1)
        return _unfit(outcome, f"it is not JSON (line {line})")
    trouble = _trouble(value, schema)
    return _unfit(outcome, trouble) if trouble else replace(outcome, text=text)


def _trouble(value: Any, schema: Mapping[str, Any]) -> str:
    import jsonschema
    from referencing import Registry

    # An empty registry: a `$ref` to somewhere else is an error, never a download.
    validator = jsonschema.Draft202012Validator(schema, registry=Registry())
    try:
        wrong = jsonschema.exceptions.best_match(validator.iter_errors(value))
    except Exception:  # an unresolvable reference, whatever class the library gives it
        return "the schema refers to something that is not in it"
    return f"{wrong.message[:200]} (at {wrong.json_path})" if wrong else ""


def _unfit(outcome: Outcome, trouble: str) -> Outcome:
    return replace(
        outcome,
        status="failed",
        error={
            "kind": "Unfit",
            "message": f"Gemini's answer does not fit response_schema: {trouble}. "
            "The raw answer is above. Ask again, or loosen the schema.",
        },
    )
