"""Arguments as models and hosts really send them: forgiving in form, strict in meaning.

`null`, `""`, `[]` and the words for nothing on an optional parameter mean omitted; one string
where a list is expected is a list of one; a string that is JSON of the wanted type is read as
that; lossless coercions (`"2"` for 2) are taken; what hosts add by themselves is dropped.
Everything else, unknown names included, is refused by name with what is allowed.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping
from typing import Any, get_type_hints

from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from ..domain.errors import BadArgument
from ..domain.unicode_repair import replace_lone_surrogates

Schema = dict[str, Any]

Exists = Callable[[str], bool]
"""Whether a file really has that name, however odd it looks."""

HOST_KEYS: dict[str, str] = {
    # key: the host that adds it to every call, and where that was seen
    "toolCallId": "n8n (n8n-io/n8n#21500)",
    "sessionId": "n8n, from its chat trigger (n8n-io/n8n#22787)",
    "chatInput": "n8n, from its chat trigger (n8n-io/n8n#22787)",
    "action": "n8n, from its chat trigger (n8n-io/n8n#22787)",
    "wait_for_previous": "Gemini CLI 0.61.0 (measured; MemPalace/mempalace#322)",
    "task_progress": "Cline (hi-godot/godot-ai#193)",
}
FREE_TEXT = frozenset({"prompt", "query", "text"})
"""Parameters in which "null" is a word like any other."""
FILES = frozenset({"files", "images", "video"})
"""Parameters that name files: one that really has the literal name wins."""
NOTHING = frozenset({"null", "undefined"})

LARGEST = 10**9
"""No count, offset or turn number is larger; what is would break databases further in."""


class Arguments:
    """The parameters of one tool, read off its signature; the first is ours, not the model's."""

    def __init__(self, tool: Callable[..., Any]) -> None:
        self._tool = tool.__name__
        hints = get_type_hints(tool, include_extras=True)
        parameters = list(inspect.signature(tool).parameters.values())[1:]
        fields: dict[str, Any] = {
            parameter.name: (
                hints[parameter.name],
                ... if parameter.default is parameter.empty else parameter.default,
            )
            for parameter in parameters
        }
        self._model: type[BaseModel] = create_model(
            f"{self._tool}_arguments", __config__=ConfigDict(coerce_numbers_to_str=True), **fields
        )
        self.schema = slim(self._model.model_json_schema())
        self.schema.pop("description", None)
        self.schema["additionalProperties"] = False

    def read(
        self, given: Mapping[str, Any] | None, exists: Exists = lambda _name: False
    ) -> dict[str, Any]:
        """The arguments as the tool takes them; raises BadArgument naming what is wrong."""
        properties: dict[str, Schema] = self.schema["properties"]
        given = {
            name: value
            for name, value in replace_lone_surrogates(dict(given or {})).items()
            if name in properties or not self._is_host_key(name, value)
        }
        required = self.schema.get("required", [])
        unknown = [name for name in given if name not in properties]
        if unknown:
            names = ", ".join(f"`{_short(name)}`" for name in unknown[:5])
            names += " and others" if len(unknown) > 5 else ""
            verb = "is not a parameter" if len(unknown) == 1 else "are not parameters"
            raise BadArgument(f"{names} {verb} of {self._tool}. It takes: {', '.join(properties)}.")
        kept = {
            name: _eased(value, properties[name], exists if name in FILES else _no_file)
            for name, value in given.items()
            if name in required or not (_is_omitted(value) or _is_nothing(name, value, exists))
        }
        try:
            model = self._model.model_validate(kept)
        except ValidationError as problem:
            wrong = {str(error["loc"][0]): error for error in reversed(problem.errors())}
            raise BadArgument(
                " ".join(
                    self._sentence(name, given, properties[name], wrong[name])
                    for name in properties
                    if name in wrong
                )
            ) from None
        read = {name: getattr(model, name) for name in type(model).model_fields}
        if huge := [name for name, value in read.items() if _is_huge(value)]:
            raise BadArgument(" ".join(f"`{name}` must be at most {LARGEST:,}." for name in huge))
        return read

    def _is_host_key(self, name: str, value: Any) -> bool:
        # n8n also sends the name of the tool itself.
        return name in HOST_KEYS or (name == "tool" and value == self._tool)

    def _sentence(self, name: str, given: Mapping[str, Any], schema: Schema, wrong: Any) -> str:
        """What is wrong with one argument; `wrong` is what pydantic says of it."""
        value = given.get(name)
        if value is None:
            return f"`{name}` is required: {_allowed(schema)}."
        _, *within = wrong["loc"]
        keys = schema.get("items", {}).get("properties", {})
        key = _short(str(within[-1])) if within else ""
        if keys and wrong["type"] == "extra_forbidden":
            return f"`{name}`: `{key}` is not a key of its items. They take: {', '.join(keys)}."
        shown = _shown(value)
        if within and isinstance(value, list):
            shown = _shown(wrong["input"])
            if key in keys:
                is_missing = wrong["type"] == "missing"
                shown += f" without `{key}`" if is_missing else f" as `{key}`"
            shown = f"a list with {shown} in it"
        return f"`{name}` must be {_allowed(schema)}, not {shown}."


def _is_huge(value: Any) -> bool:
    return isinstance(value, int) and value > LARGEST


def _is_omitted(value: Any) -> bool:
    return value is None or value == "" or value == []


def _is_nothing(name: str, value: Any, exists: Exists) -> bool:
    """Whether this is a word for nothing, or a list of one."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if name in FREE_TEXT or not isinstance(value, str) or value.strip().lower() not in NOTHING:
        return False
    return not (name in FILES and exists(value))


def _no_file(_name: str) -> bool:
    return False


def _eased(value: Any, schema: Schema, exists: Exists = _no_file) -> Any:
    """`value` with the mistakes undone that lose nothing."""
    kinds = _kinds(schema)
    if "array" in kinds:
        value = _as_list(value, schema["items"], exists)
        is_item = isinstance(value, str) or (
            isinstance(value, dict) and "object" in _kinds(schema["items"])
        )
        items = [value] if is_item else value
        if isinstance(items, list):
            items = [_as_item(item, schema["items"]) for item in items]
            return [_without_omitted(item, schema["items"]) for item in items]
        return value
    if kinds == {"object"} and isinstance(value, str):
        parsed = _parsed(value)
        return parsed if isinstance(parsed, dict) else value
    if kinds == {"integer"} and isinstance(value, bool):
        return str(value)  # pydantic would read true as 1
    return value


def _as_list(value: Any, items: Schema, exists: Exists) -> Any:
    """The list that a string spells out in JSON, unless it is the name of a file."""
    if not isinstance(value, str) or not value.lstrip().startswith("["):
        return value
    parsed = _parsed(value)
    if not isinstance(parsed, list) or not all(_is_item(each, items) for each in parsed):
        return value
    names_file = not any(str(each).startswith("git:") for each in parsed) and exists(value)
    return value if names_file else parsed


def _as_item(item: Any, schema: Schema) -> Any:
    """The object that an item of a list spells out in JSON, where objects are wanted."""
    if isinstance(item, str) and "object" in _kinds(schema) and item.lstrip().startswith("{"):
        parsed = _parsed(item)
        return parsed if isinstance(parsed, dict) else item
    return item


def _is_item(value: Any, schema: Schema) -> bool:
    kinds = _kinds(schema)
    if isinstance(value, str):
        return "string" in kinds or isinstance(_as_item(value, schema), dict)
    return isinstance(value, dict) and "object" in kinds


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _without_omitted(item: Any, schema: Schema) -> Any:
    """An object of ours in a list, without the optional keys that were left empty."""
    if not isinstance(item, dict) or "properties" not in schema:
        return item
    optional = schema["properties"].keys() - schema.get("required", [])
    return {
        key: value for key, value in item.items() if key not in optional or not _is_omitted(value)
    }


def _kinds(schema: Schema) -> set[str]:
    if "anyOf" in schema:
        return {kind for option in schema["anyOf"] for kind in _kinds(option)}
    kinds = schema.get("type", [])
    return {kinds} if isinstance(kinds, str) else set(kinds)


def _allowed(schema: Schema) -> str:
    """What a schema takes, in words."""
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_allowed(option) for option in schema["anyOf"]))
    if "enum" in schema:
        return "one of " + ", ".join(map(str, schema["enum"]))
    match schema.get("type"):
        case "array":
            return f"a list, each item {_allowed(schema.get('items', {}))}"
        case "integer":
            return "a whole number" + _range(schema)
        case "string":
            return "text"
        case "boolean":
            return "true or false"
        case "object":
            needed = schema.get("required")
            return f"an object with {', '.join(needed)}" if needed else "an object"
        case _:
            return "a value"


def _range(schema: Schema) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and high is not None:
        return f" from {low} to {high}"
    return f" of at least {low}" if low is not None else ""


def _shown(value: Any) -> str:
    match value:
        case str():
            return f"'{_short(value)}'" if value else "empty"
        case bool():
            return str(value).lower()
        case int() | float():
            return str(value)[:40] if abs(value) <= LARGEST else "so large a number"
        case None:
            return "null"
        case [[str(why)]] if why.startswith("nested more than"):  # as `line_reader` says it
            return f"something {why}"
        case list():
            return "a list"
        case dict():
            return "an object"
        case _:
            return "that"


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:39] + "…"


def slim(schema: Any) -> Any:
    """A JSON schema without generated titles and empty defaults, its references inlined."""
    return _without_noise(schema, schema.get("$defs", {}))


def _without_noise(schema: Any, definitions: Mapping[str, Any]) -> Any:
    if isinstance(schema, list):
        return [_without_noise(item, definitions) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[-1]
        schema = {**definitions[name], **{k: v for k, v in schema.items() if k != "$ref"}}
    options = [each for each in schema.get("anyOf", []) if each != {"type": "null"}]
    if len(options) == 1:  # `int | None`: null means omitted, which no schema needs to say
        schema = {**options[0], **{k: v for k, v in schema.items() if k != "anyOf"}}
    slim = {}
    for key, value in schema.items():
        if key == "$defs" or (key == "title" and isinstance(value, str)):
            continue
        if key == "default" and value in ("", [], None, {}):
            continue
        if key == "additionalProperties" and value is True:
            continue
        if key == "properties":
            slim[key] = {name: _without_noise(each, definitions) for name, each in value.items()}
        else:
            slim[key] = _without_noise(value, definitions)
    return slim
