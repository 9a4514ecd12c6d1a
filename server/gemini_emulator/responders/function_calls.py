"""Client functions: when the emulated model calls one, with what, and what it makes of results."""

import json
import re
from typing import Any

from ..json_types import Json
from ..requests.schema_sample import instance
from .scripted_answer import Answer, Turn, text_step


def call(turn: Turn) -> Answer | None:
    """An answer that calls every function the prompt mentions, or None when it mentions none."""
    functions = [tool for tool in turn.tools if tool.get("type") == "function"]
    choice = turn.config.get("tool_choice")
    if not functions or choice == "none" or any(_results(turn)):
        return None
    if isinstance(choice, dict):
        allowed = choice.get("allowed_tools") or {}
        functions = [tool for tool in functions if tool["name"] in (allowed.get("tools") or [])]
        choice = allowed.get("mode")
    called = [tool for tool in functions if _mentions(turn.prompt, tool["name"])]
    if not called and choice == "any":
        called = functions[:1]
    if not called:
        return None
    quoted = re.findall(r"[\"“]([^\"”]+)[\"”]", turn.prompt)
    steps: list[Json] = [{"type": "thought", "signature": turn.signature()}]
    for tool in called:
        steps.append(
            {
                "type": "function_call",
                "id": turn.call_id(),
                "name": tool["name"],
                "arguments": instance(tool.get("parameters") or {}, quoted),
                "signature": turn.signature(),
            }
        )
    return Answer(steps=steps, status="requires_action")


def report(turn: Turn) -> Answer | None:
    """An answer that quotes the results just given, or None when none were."""
    results = _results(turn)
    if not results:
        return None
    calls = {s.get("id"): s.get("name") for s in turn.steps if s.get("type") == "function_call"}
    said = []
    for step in results:
        name = step.get("name") or calls.get(step.get("call_id")) or "function"
        verb = "failed with" if step.get("is_error") else "returned"
        said.append(f"{name} {verb} {_plain(step.get('result'))}.")
    return Answer(
        steps=[{"type": "thought", "signature": turn.signature()}, text_step(" ".join(said))]
    )


def _results(turn: Turn) -> list[Json]:
    """The results since the user or the model last spoke."""
    results: list[Json] = []
    for step in reversed(turn.input):
        if step.get("type") == "function_result":
            results.insert(0, step)
        elif step.get("type") in ("user_input", "model_output"):
            break
    return results


def _mentions(prompt: str, name: str) -> bool:
    plain = re.escape(name).replace("_", "[_ ]")
    return re.search(rf"(?<!\w){plain}(?!\w)", prompt, re.IGNORECASE) is not None


def _plain(result: Any) -> str:
    if isinstance(result, str):
        return result
    if isinstance(result, list) and all(isinstance(part, dict) for part in result):
        texts = [part.get("text") for part in result if part.get("type") == "text"]
        if texts:
            return " ".join(str(text) for text in texts)
    return json.dumps(result, ensure_ascii=False)
