"""What a fault makes of an answer: other steps, or a body no client should trust."""

import base64
import json
from collections.abc import Mapping
from typing import Any

from ..json_types import Json
from ..responders.image import JPEG
from ..scripting.fault_injection import Fault

_JSON = "application/json; charset=UTF-8"
# These answer in one piece even when a stream was asked for.
NEVER_A_STREAM = (
    "unary_instead_of_stream",
    "invalid_json",
    "empty_body",
    "json_array",
    "text_plain",
    "created_201",
)


def spoiled(body: Json, fault: Fault | None) -> tuple[int, str, bytes]:
    """Status, content type and bytes of a JSON answer, after the fault."""
    data = dump(body)
    match fault.name if fault else "":
        case "invalid_json":
            return 200, _JSON, data[: len(data) // 2]
        case "empty_body":
            return 200, _JSON, b""
        case "json_array":
            return 200, _JSON, b"[" + data + b"]"
        case "no_status":
            return 200, _JSON, dump({k: v for k, v in body.items() if k != "status"})
        case "no_usage":
            return 200, _JSON, dump({k: v for k, v in body.items() if k != "usage"})
        case "text_plain":
            return 200, "text/plain", data
        case "created_201":
            return 201, _JSON, data
        case "unknowns" if fault:
            return 200, _JSON, dump(_with_unknowns(body, fault.options))
    return 200, _JSON, data


def spoiled_steps(steps: list[Json], fault: Fault | None) -> list[Json] | None:
    """The steps the fault wants instead of these, if it wants any."""
    match fault.name if fault else "":
        case "empty_steps":
            return []
        case "missing_thought_type":
            return [_untyped(step) for step in steps]
        case "huge_image" if fault:
            size = int(float(fault.options.get("megabytes", 20)) * 1_000_000)
            data = base64.b64encode(base64.b64decode(JPEG).ljust(size, b"\0")).decode()
            image = {"type": "image", "mime_type": "image/jpeg", "data": data}
            return [{"type": "model_output", "content": [image]}]
    return None


def dump(body: Any) -> bytes:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def _untyped(step: Json) -> Json:
    """A thought with a summary whose content does not say that it is text."""
    if step.get("type") != "thought":
        return step
    texts = [part.get("text") for part in step.get("summary") or [{"text": "Thinking."}]]
    return {**step, "summary": [{"text": text} for text in texts]}


def _with_unknowns(body: Json, options: Mapping[str, Any]) -> Json:
    steps = [{"type": "brand_new_step", "foo": 1}, *body.get("steps", [])]
    return {
        **body,
        "brand_new_field": {"x": 2},
        "steps": [
            {**step, "content": [{"type": "brand_new_content"}, *step["content"]]}
            if step.get("type") == "model_output"
            else step
            for step in steps
        ],
        "status": options.get("status", body.get("status")),
    }
