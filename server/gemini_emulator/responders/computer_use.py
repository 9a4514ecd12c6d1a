"""Computer use as the emulated model does it: it opens a page, types, and asks before it sends.

The names of the actions, coordinates from 0 to 999 and a `safety_decision` among the arguments
are those of Google's computer use elsewhere; the SDK's types for interactions say only that
these are function calls.
"""

import re

from ..json_types import Json
from .scripted_answer import Answer, Turn, text_step

_URL = re.compile(r"(?:https?|file)://[^\s\"'<>)]+|about:blank")
_QUOTED = re.compile(r"[\"“]([^\"”]+)[\"”]")
CONFIRM = {
    "decision": "require_confirmation",
    "explanation": "This sends what was typed to a website.",
}


def act(turn: Turn) -> Answer | None:
    """The next action on the screen, or the end once three are done; None without the tool."""
    tool = next((tool for tool in turn.tools if tool.get("type") == "computer_use"), None)
    if tool is None:
        return None
    started = max(
        (place for place, step in enumerate(turn.steps) if step.get("type") == "user_input"),
        default=0,
    )
    asked = turn.steps[started] if turn.steps else {}
    results = [step for step in turn.steps[started:] if step.get("type") == "function_result"]
    excluded = set(tool.get("excluded_predefined_functions") or [])
    actions = [each for each in _actions(str(asked.get("content"))) if each[0] not in excluded]
    if len(results) >= len(actions) or any(step.get("is_error") for step in results[-1:]):
        return Answer(steps=[text_step(_summary(results))])
    name, arguments = actions[len(results)]
    policies = tool.get("disabled_safety_policies") or []
    if "safety_decision" in arguments and "communication_tool" in policies:
        arguments = {key: value for key, value in arguments.items() if key != "safety_decision"}
    call = {"type": "function_call", "id": turn.call_id(), "name": name, "arguments": arguments}
    return Answer(
        steps=[
            {"type": "thought", "signature": turn.signature()},
            {**call, "signature": turn.signature()},
        ],
        status="requires_action",
    )


def _actions(prompt: str) -> list[tuple[str, Json]]:
    found = _URL.search(prompt)
    quoted = _QUOTED.findall(prompt)
    typed = {"x": 500, "y": 250, "text": quoted[0] if quoted else "hello", "press_enter": False}
    return [
        ("navigate", {"url": found[0] if found else "about:blank"}),
        ("type_text_at", typed),
        ("click_at", {"x": 500, "y": 500, "safety_decision": CONFIRM}),
    ]


def _summary(results: list[Json]) -> str:
    shots = sum(
        part.get("type") == "image"
        for step in results
        for part in (step["result"] if isinstance(step.get("result"), list) else [])
        if isinstance(part, dict)
    )
    if results and results[-1].get("is_error"):
        return "I stopped: the last action was refused."
    return f"I did {len(results)} actions and saw {shots} screenshots."
