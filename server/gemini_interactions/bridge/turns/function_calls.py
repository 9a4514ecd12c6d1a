"""Functions: Gemini asks for calls, the caller runs them, all results go back together."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from ...domain.errors import BadArgument, WaitingForResults
from ...domain.types import CONTENTS, FunctionCall, Interaction, Step, Turn
from ...interactions import answer_text
from ...interactions.json_values import as_mapping, as_text, objects_in, printable, type_of

_NOTHING: Mapping[str, Any] = {"result": ""}

ACKNOWLEDGED = '"safety_acknowledgement": true'
NEXT_STEP = "Run these and call gemini_continue with function_results."


def pending(turn: Turn) -> tuple[FunctionCall, ...]:
    """The calls a turn waits for; Google's own are nobody's to run, unless there are no others."""
    calls = _waiting(turn)
    return theirs(calls) or calls


def theirs(calls: Sequence[FunctionCall]) -> tuple[FunctionCall, ...]:
    """The calls that are the caller's to run, not Google's own (`google:…`)."""
    return tuple(call for call in calls if not _is_googles(call))


def waits(turn: Turn) -> WaitingForResults:
    """The refusal of anything but results while calls are pending."""
    return WaitingForResults(f"{turn.id} waits for the results of {_listed(turn)}. {NEXT_STEP}")


def check_shape(results: Sequence[Mapping[str, Any]], *, may_name_files: bool = True) -> None:
    """What can be told before knowing which turn they answer."""
    for each in results:
        if not may_name_files and _names_files(each.get("result")):
            raise BadArgument(
                "`function_results`: files at Google cannot be named in a result here. "
                "Put bytes into `data`, or attach them with `files` in a turn of their own."
            )
        if "result" not in each:
            raise BadArgument(
                f"`function_results`: the result of call_id '{each.get('call_id', '')}' is "
                'missing. Each is {"call_id", "name", "result"}, with "is_error": true on failure.'
            )


def _names_files(result: Any) -> bool:
    """Whether contents in it have addresses; in text and data `files/…` is only a word."""
    return any(
        isinstance(each, dict) and "type" in each and any("uri" in name.lower() for name in each)
        for each in (result if isinstance(result, list) else [result])
    )


def call_ids(results: Sequence[Mapping[str, Any]]) -> frozenset[str]:
    """The calls these are results of; none where one does not say."""
    ids = frozenset(str(each.get("call_id") or "") for each in results)
    return frozenset() if "" in ids else ids


def steps(turn: Turn, results: Sequence[Mapping[str, Any]]) -> list[Step]:
    """The results as steps for Google; refuses wrong, repeated and missing call ids by name."""
    calls = {call.call_id: call for call in pending(turn)}
    if not calls:
        raise BadArgument(
            f"{turn.id} waits for no function results. Leave `function_results` out and "
            "pass a `prompt`."
        )
    given = _by_call_id(turn, calls, results)
    missing = [call for call in calls if call not in given]
    if missing:
        raise BadArgument(
            f"`function_results`: no result for {', '.join(missing)}. All pending results go "
            f"back together; {turn.id} waits for {_listed(turn)}."
        )
    for call_id, call in calls.items():
        each = given[call_id]
        if _to_confirm(call) and not each.get("is_error") and not _is_acknowledged(each):
            raise BadArgument(
                f"`function_results`: {named(call)} needs the user's confirmation. Ask them; if "
                f"they agree, put {ACKNOWLEDGED} into its result, otherwise send is_error true."
            )
    others = [call for call in _waiting(turn) if call.call_id not in calls]
    # In the order of the calls: where those have no ids, or the same, nothing else tells whose
    # each is.
    return [
        *(_step(call, given[call_id]) for call_id, call in calls.items()),
        *(_step(call, _NOTHING) for call in others),
    ]


def for_google(interaction: Interaction) -> list[Step]:
    """Empty results where Google stopped only for functions of its own (`google:…`)."""
    if interaction.status != "requires_action":
        return []
    calls = answer_text.read(interaction.steps).function_calls
    if not all(map(_is_googles, calls)):
        return []
    return [_step(call, _NOTHING) for call in calls]


def _waiting(turn: Turn) -> tuple[FunctionCall, ...]:
    return answer_text.read(turn.steps).function_calls if turn.status == "requires_action" else ()


def _is_googles(call: FunctionCall) -> bool:
    return call.name.startswith("google:")


def _by_call_id(
    turn: Turn, calls: Mapping[str, FunctionCall], results: Sequence[Mapping[str, Any]]
) -> dict[str, Mapping[str, Any]]:
    given: dict[str, Mapping[str, Any]] = {}
    for each in results:
        call_id = str(each.get("call_id") or "")
        if not call_id and len(calls) == 1 and len(results) == 1:
            call_id = next(iter(calls))
        if call_id not in calls:
            raise BadArgument(
                f"`function_results`: call_id '{call_id[:40]}' is not pending. "
                f"{turn.id} waits for {_listed(turn)}."
            )
        if call_id in given:
            raise BadArgument(
                f"`function_results`: call_id '{call_id}' is given twice. Each call has an id of "
                f"its own: {turn.id} waits for {_listed(turn)}."
            )
        name = each.get("name")
        if name and name != calls[call_id].name:
            raise BadArgument(
                f"`function_results`: call_id '{call_id}' is a call of {calls[call_id].name}, "
                f"not of '{str(name)[:40]}'."
            )
        given[call_id] = each
    return given


def _step(call: FunctionCall, given: Mapping[str, Any]) -> Step:
    result = given["result"]
    if not isinstance(result, str | dict | list):
        result = "" if result is None else str(result).lower()
    step: Step = {
        "type": "function_result",
        "call_id": call.upstream_id,
        "name": call.name,
        "result": _contents(result),
    }
    if given.get("is_error"):
        step["is_error"] = True
    return step


def _contents(result: Any) -> Any:
    """A list of content objects passes as such; any other list is data, like an object."""
    if not isinstance(result, list) or _is_contents(result):
        return result
    return {"result": result}


def _is_contents(result: Any) -> bool:
    return isinstance(result, list) and bool(result) and all(map(_is_content, result))


def _is_content(value: Any) -> bool:
    """Whether Google would read this as content; what only has a `type`, as JSON-LD and schemas
    do, is data."""
    kind = type_of(value)
    if kind == "text":
        return isinstance(value.get("text"), str)
    known = [value.get(name) for name in ("data", "uri", "mime_type")] if kind in CONTENTS else []
    return any(known) and all(each is None or isinstance(each, str) for each in known)


def _listed(turn: Turn) -> str:
    return ", ".join(named(call) for call in pending(turn))


def named(call: FunctionCall, declared: Collection[str] | None = None) -> str:
    """A call by its name and id, quoted on one line: both are words of the model's. `declared`
    are the names of the functions it was told of; another one is marked."""
    unknown = declared is not None and call.name not in declared and not _is_googles(call)
    mark = ", a function that was not declared" if unknown else ""
    return f"{quoted(call.name, 100)} (call_id {quoted(call.call_id, 256)}{mark})"


def declared(turn: Turn) -> frozenset[str] | None:
    """The functions a turn told the model of; None where it may call others by their own names,
    as those of a screen."""
    tools = [*turn.settings.tools, *objects_in(turn.extra.get("tools"))]
    if any(type_of(tool) == "computer_use" for tool in tools):
        return None
    return frozenset(as_text(tool.get("name")) for tool in tools if type_of(tool) == "function")


def confirmations(calls: Sequence[FunctionCall]) -> list[str]:
    """What to say of calls that a user has to agree to first."""
    return [
        f"Ask the user before {quoted(call.name, 100)} (call_id {quoted(call.call_id, 100)}): "
        f"{quoted(why, 300)}. If they agree, run it and put {ACKNOWLEDGED} into its result; "
        "otherwise send its result with is_error true."
        for call in calls
        if (why := _to_confirm(call))
    ]


def _to_confirm(call: FunctionCall) -> str:
    """Why a call needs its user's word; "" where it does not."""
    decision = as_mapping(call.arguments.get("safety_decision"))
    if as_text(decision.get("decision")) != "require_confirmation":
        return ""
    return as_text(decision.get("explanation")) or "Gemini holds it to be risky"


def _is_acknowledged(given: Mapping[str, Any]) -> bool:
    said = json.dumps(given["result"], default=str).replace("\\", "")
    return bool(re.search(r'"safety_acknowledgement"\s*:\s*"?true', said, re.IGNORECASE))


def quoted(text: str, most: int) -> str:
    """Text as a JSON string on one line, without anything that moves a cursor or hides."""
    line = json.dumps(printable(text[:most]), ensure_ascii=False)
    return line.replace("\u2028", " ").replace("\u2029", " ").replace("\x85", " ")
