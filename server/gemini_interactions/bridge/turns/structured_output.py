"""Structured answers: one turn's answer as JSON that fits the caller's schema."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from subprocess import CalledProcessError
from typing import Any

import anyio

from ...domain.errors import BadArgument
from ...domain.types import Step
from .outcomes import Outcome

PATIENCE = 20.0
"""Seconds for an answer to be checked against patterns."""

_WRAPPER = frozenset({"name", "strict", "schema", "description", "type"})
_KEYWORDS = frozenset(
    {
        *("type", "properties", "items", "prefixItems", "enum", "const", "required", "$ref"),
        *("anyOf", "oneOf", "allOf", "not", "if", "additionalProperties", "patternProperties"),
        *("minProperties", "maxProperties", "propertyNames", "dependentRequired", "format"),
        *("dependentSchemas", "minItems", "maxItems", "uniqueItems", "contains", "pattern"),
        *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
        *("minLength", "maxLength", "$dynamicRef", "unevaluatedProperties", "nullable"),
    }
)
_CHECK = (
    "import json, sys; from gemini_interactions.bridge.turns.structured_output import trouble_of; "
    "print(json.dumps(trouble_of(*json.load(sys.stdin))))"
)


def unwrapped(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema itself, where a caller wrapped it as OpenAI's `response_format` has it."""
    inner: Any = (
        schema.get("json_schema", schema) if schema.get("type") == "json_schema" else schema
    )
    if not isinstance(inner, Mapping):
        return schema
    is_wrapper = isinstance(inner.get("schema"), Mapping) and inner.keys() <= _WRAPPER
    return inner["schema"] if is_wrapper else schema


def check_schema(schema: Mapping[str, Any]) -> None:
    """Raises BadArgument where no answer could be checked against `schema`. Slow once: imports
    jsonschema."""
    import jsonschema

    if not _KEYWORDS & schema.keys():
        # Such as {"name": "string"}: to a validator it is a schema that anything fits.
        named = ", ".join(f"`{str(key)[:40]}`" for key in list(schema)[:3])
        raise BadArgument(
            f"`response_schema` has no keyword of JSON Schema ({named}), so it would constrain "
            'nothing. Write {"type": "object", "properties": {"name": {"type": "string"}}, '
            '"required": ["name"]}.'
        )
    try:
        _validator(schema).check_schema(schema)
        ref = _dangling(schema)
    except jsonschema.SchemaError as wrong:
        raise BadArgument(
            f"`response_schema` is not a JSON schema: {wrong.message[:200]} (at {wrong.json_path})."
        ) from None
    except RecursionError:
        raise BadArgument("`response_schema` is nested too deeply.") from None
    if ref:
        raise BadArgument(
            f"`response_schema`: the $ref '{ref[:100]}' leads to nothing in it, and nothing is "
            "fetched. Put what it means into the schema, under $defs."
        )


def response_format(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "text", "mime_type": "application/json", "schema": dict(schema)}


async def checked(outcome: Outcome, schema: Mapping[str, Any]) -> Outcome:
    """The outcome with clean JSON as its text, or failed with the raw text and where it fails.

    Marks, searches and code that ran are no part of the JSON, so they are no part of the text.
    """
    if outcome.status != "completed":
        return outcome
    outcome = replace(outcome, text=_unfenced(_words(outcome.steps)))
    if '"pattern' in json.dumps(schema):
        trouble = await _apart(outcome.text, schema)
    else:
        trouble = await anyio.to_thread.run_sync(trouble_of, outcome.text, schema)
    return _unfit(outcome, trouble) if trouble else outcome


def trouble_of(text: str, schema: Mapping[str, Any]) -> str:
    """Where `text` is no JSON or does not fit; "" where it does."""
    try:
        value = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError) as wrong:
        return f"it is not JSON (line {getattr(wrong, 'lineno', 1)})"
    return _misfit(value, schema)


async def _apart(text: str, schema: Mapping[str, Any]) -> str:
    """The same in a process of its own: one pattern can be made to take years, and nothing else
    of this process would run meanwhile."""
    given = json.dumps([text, schema]).encode()
    with anyio.move_on_after(PATIENCE):
        try:
            done = await anyio.run_process([sys.executable, "-I", "-c", _CHECK], input=given)
        except (OSError, CalledProcessError):  # where there can be no process beside this one
            return await anyio.to_thread.run_sync(trouble_of, text, schema)
        return str(json.loads(done.stdout))
    return "checking its patterns took too long"


def _words(steps: Sequence[Step]) -> str:
    """What the model said, as it came."""
    spoken = [step.get("content") for step in steps if step.get("type") == "model_output"]
    contents = [each for content in spoken if isinstance(content, list) for each in content]
    texts = (each.get("text") for each in contents if isinstance(each, Mapping))
    return "".join(text for text in texts if isinstance(text, str))


def _unfenced(text: str) -> str:
    text = text.strip()
    first, _, rest = text.partition("\n")
    is_fenced = first.rstrip().lower() in ("```", "```json") and rest.endswith("```")
    return rest.removesuffix("```").strip() if is_fenced else text


def _refuse(constant: str) -> None:
    """NaN and the infinities, which Python reads and JSON does not have."""
    raise ValueError(constant)


def _validator(schema: Mapping[str, Any]) -> Any:
    """The validator of the draft a schema says it is written in, else of the newest."""
    import jsonschema

    newest = jsonschema.Draft202012Validator
    named = isinstance(schema.get("$schema"), str)
    return jsonschema.validators.validator_for(schema, newest) if named else newest


def _dangling(schema: Mapping[str, Any]) -> str:
    """The first reference that leads nowhere: better known before an answer is paid for."""
    from referencing import Registry
    from referencing.exceptions import Unresolvable
    from referencing.jsonschema import DRAFT202012, specification_with

    named = schema.get("$schema", "")
    draft = specification_with(named if isinstance(named, str) else "", default=DRAFT202012)
    resolver = Registry().resolver_with_root(draft.create_resource(schema))
    for ref in _refs(schema):
        try:
            resolver.lookup(ref)
        except (Unresolvable, TypeError, ValueError):  # such as a name where a list has numbers
            return ref
    return ""


def _refs(schema: Any) -> Iterator[str]:
    """Every `$ref` that is read from the schema's root: a part with an `$id` is its own root."""
    for part in schema.values() if isinstance(schema, Mapping) else schema:
        if isinstance(part, list) or (isinstance(part, Mapping) and "$id" not in part):
            yield from _refs(part)
    if isinstance(schema, Mapping) and isinstance(ref := schema.get("$ref"), str):
        yield ref


def _misfit(value: Any, schema: Mapping[str, Any]) -> str:
    import jsonschema
    from referencing import Registry

    # An empty registry: a `$ref` to somewhere else is an error, never a download.
    validator = _validator(schema)(_with_nulls(schema), registry=Registry())
    try:
        wrong = jsonschema.exceptions.best_match(validator.iter_errors(value))
    except Exception:  # an unresolvable reference, whatever class the library gives it
        return "the schema refers to something that is not in it"
    return f"{wrong.message[:200]} (at {wrong.json_path})" if wrong else ""


def _with_nulls(schema: Any) -> Any:
    """The schema with OpenAPI's `nullable`, which Gemini obeys, in words of JSON Schema."""
    if isinstance(schema, list):
        return [_with_nulls(each) for each in schema]
    if not isinstance(schema, Mapping):
        return schema
    # What stands under these is data or names, and no schema.
    plain = {key: schema[key] for key in ("enum", "const", "default", "examples") if key in schema}
    whole = {key: _with_nulls(value) for key, value in schema.items()} | plain
    if schema.get("nullable") is not True:
        return whole
    # In place, so that references into the schema lead where they did.
    if isinstance(kinds := whole.get("type"), str | list):
        whole["type"] = [*([kinds] if isinstance(kinds, str) else kinds), "null"]
    if isinstance(whole.get("enum"), list):
        whole["enum"] = [*whole["enum"], None]
    for several in ("anyOf", "oneOf"):
        if isinstance(whole.get(several), list):
            whole[several] = [*whole[several], {"type": "null"}]
    return whole


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
