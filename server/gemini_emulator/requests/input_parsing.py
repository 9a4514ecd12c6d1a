"""The many shapes `input` may take, read into steps or refused."""

import base64
import binascii
from collections.abc import Sequence
from typing import Any

from ..api_errors import invalid
from ..json_types import Json

MEDIA = ("image", "audio", "video", "document")
CONTENT = ("text", *MEDIA)
SERVER_TOOL_STEPS = tuple(
    f"{tool}_{end}"
    for tool in (
        "code_execution",
        "url_context",
        "google_search",
        "google_maps",
        "file_search",
        "mcp_server_tool",
        "retrieval",
        "processing",
        "tool_search",
    )
    for end in ("call", "result")
)
STEPS = (
    "user_input",
    "model_output",
    "thought",
    "function_call",
    "function_result",
    *SERVER_TOOL_STEPS,
)


def steps_of(given: Any) -> list[Json]:
    """The steps of an input: a text, one content, contents, or a whole history of steps."""
    if isinstance(given, str):
        if not given:
            raise invalid("Invalid input at 'input': it must not be empty.")
        return [{"type": "user_input", "content": [{"type": "text", "text": given}]}]
    if isinstance(given, dict):
        return _steps([given], "input", single=True)
    if isinstance(given, list) and given:
        return _steps(given, "input")
    raise invalid("Invalid input at 'input'.")


def _steps(items: list[Any], where: str, *, single: bool = False) -> list[Json]:
    kinds = {_kind(item, where if single else f"{where}[{i}]") for i, item in enumerate(items)}
    if kinds == {"content"}:
        for i, part in enumerate(items):
            _check_content(part, where if single else f"{where}[{i}]")
        return [{"type": "user_input", "content": items}]
    if kinds != {"step"}:
        raise invalid(f"Invalid input at '{where}': contents and steps cannot be mixed.")
    return [_step(item, where if single else f"{where}[{i}]") for i, item in enumerate(items)]


def _kind(item: Any, where: str) -> str:
    kind = item.get("type") if isinstance(item, dict) else None
    if kind in CONTENT:
        return "content"
    if kind in STEPS:
        return "step"
    # Among others the {"role", "content"} turns of before June 2026.
    raise invalid(f"Invalid input at '{where}'.")


def _step(step: Json, where: str) -> Json:
    kind = step["type"]
    if kind in ("user_input", "model_output"):
        content = step.get("content", [])
        if isinstance(content, str):
            content = [{"type": "text", "text": content}]
        elif isinstance(content, dict):
            content = [content]
        if not isinstance(content, list) or (kind == "user_input" and not content):
            raise invalid(f"Invalid input at '{where}.content'.")
        for i, part in enumerate(content):
            if not isinstance(part, dict) or part.get("type") not in CONTENT:
                raise invalid(f"Invalid input at '{where}.content[{i}]'.")
            _check_content(part, f"{where}.content[{i}]")
        return {**step, "content": content}
    if kind == "function_result" and (
        not isinstance(step.get("call_id"), str) or "result" not in step
    ):
        raise invalid(f"Invalid input at '{where}': call_id and result are required.")
    return step


def _check_content(part: Json, where: str) -> None:
    if part["type"] == "text":
        if not isinstance(part.get("text"), str):
            raise invalid(f"Invalid input at '{where}.text'.")
        return
    data, uri = part.get("data"), part.get("uri")
    if not data and not uri:
        raise invalid(f"Invalid input at '{where}': data or uri is required.")
    if data is not None:
        try:
            base64.b64decode(data, validate=True)
        except (binascii.Error, ValueError, TypeError):
            raise invalid(f"Invalid input at '{where}.data': not base64.") from None


def pending_calls(steps: list[Json]) -> list[Json]:
    """The function calls among these steps that no function_result answers yet."""
    answered = [s.get("call_id") for s in steps if s.get("type") == "function_result"]
    pending = []
    for step in steps:
        if step.get("type") == "function_call":
            if step.get("id") in answered:
                answered.remove(step.get("id"))
            else:
                pending.append(step)
    return pending


def check_results(before: Sequence[Json], given: Sequence[Json]) -> None:
    """Refuse results nobody asked for, and anything else while calls wait for results."""
    known = list(before)
    for step in given:
        pending_ids = [call.get("id") for call in pending_calls(known)]
        if step["type"] == "function_result" and step["call_id"] not in pending_ids:
            raise invalid(
                f"Function result call_id '{step['call_id']}' does not match a pending "
                "function call."
            )
        known.append(step)
    pending = pending_calls(known)
    if not pending:
        return
    names = ", ".join(f"'{call.get('id')}'" for call in pending)
    if not any(step["type"] == "function_result" for step in given):
        raise invalid(f"The interaction requires action: function results expected for {names}.")
    raise invalid(f"Function results are missing for the function calls {names}.")
