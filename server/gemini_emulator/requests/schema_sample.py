"""A small value that satisfies a JSON schema: the emulated model's structured answer."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

from ..json_types import Json

_FORMATS = {
    "date": "2026-11-22",
    "time": "10:00:00Z",
    "date-time": "2026-11-22T10:00:00Z",
    "email": "someone@example.com",
    "uri": "https://example.com",
    "uuid": "00000000-0000-4000-8000-000000000000",
}
_DEEPEST = 6  # below this only what is required is filled in, so recursive schemas end


def instance(schema: Json, words: Sequence[str] = ()) -> Any:
    """A value of this schema; its free strings are the given words, then the property names."""
    return _value(schema, schema, iter(words), "text", 0)


def _value(schema: Any, root: Json, words: Iterator[str], name: str, depth: int) -> Any:
    if not isinstance(schema, dict):
        return name
    schema = _resolved(schema, root)
    for key in ("const", "default"):
        if key in schema:
            return schema[key]
    for key in ("enum", "examples"):
        if schema.get(key):
            return schema[key][0]
    kind = schema.get("type") or ("object" if "properties" in schema else "string")
    if isinstance(kind, list):
        kind = next((one for one in kind if one != "null"), "null")
    kind = str(kind).lower()
    if kind == "object":
        return _object(schema, root, words, depth)
    if kind == "array":
        return _array(schema, root, words, name, depth)
    if kind in ("integer", "number"):
        return _number(schema, kind)
    if kind == "boolean":
        return True
    if kind == "null":
        return None
    return _string(schema, words, name)


def _resolved(schema: Json, root: Json) -> Json:
    for _ in range(20):  # a chain of references; a cycle of bare references has no value
        if "$ref" in schema:
            target: Any = root
            for key in str(schema["$ref"]).removeprefix("#").strip("/").split("/"):
                target = target.get(key, {}) if isinstance(target, dict) and key else target
            schema = target
        elif schema.get("allOf"):
            merged: Json = {key: value for key, value in schema.items() if key != "allOf"}
            for part in schema["allOf"]:
                part = _resolved(part, root)
                merged["properties"] = {
                    **merged.get("properties", {}),
                    **part.get("properties", {}),
                }
                merged["required"] = [*merged.get("required", []), *part.get("required", [])]
                merged = {**part, **merged}
            schema = merged
        elif schema.get("anyOf") or schema.get("oneOf"):
            options = schema.get("anyOf") or schema["oneOf"]
            schema = next((one for one in options if one.get("type") != "null"), options[0])
        else:
            return schema
    return {}


def _object(schema: Json, root: Json, words: Iterator[str], depth: int) -> Json:
    properties = schema.get("properties") or {}
    required = schema.get("required") or ([] if depth >= _DEEPEST else list(properties))
    if depth > 4 * _DEEPEST:
        return {}
    return {
        name: _value(properties.get(name, {}), root, words, name, depth + 1) for name in required
    }


def _array(schema: Json, root: Json, words: Iterator[str], name: str, depth: int) -> list[Any]:
    least = int(schema.get("minItems", 0))
    count = max(least, 0 if depth >= _DEEPEST else 1)
    count = min(count, int(schema.get("maxItems", count)))
    items = schema.get("items", {})
    return [_value(items, root, words, name, depth + 1) for _ in range(count)]


def _number(schema: Json, kind: str) -> int | float:
    low = schema.get("minimum", schema.get("exclusiveMinimum"))
    high = schema.get("maximum", schema.get("exclusiveMaximum"))
    value: float = 1
    if low is not None:
        value = max(value, low + 1 if "exclusiveMinimum" in schema else low)
    if high is not None and value > high:
        value = high
    if "exclusiveMaximum" in schema and value >= schema["exclusiveMaximum"]:
        value = schema["exclusiveMaximum"] - 1
    step = schema.get("multipleOf")
    if step:
        value = math.ceil(value / step) * step
    return math.ceil(value) if kind == "integer" else value


def _string(schema: Json, words: Iterator[str], name: str) -> str:
    if schema.get("format") in _FORMATS:
        return _FORMATS[schema["format"]]
    text = next(words, name)
    text = text.ljust(int(schema.get("minLength", 0)), "x")
    return text[: int(schema["maxLength"])] if "maxLength" in schema else text
