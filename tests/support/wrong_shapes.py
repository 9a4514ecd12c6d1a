"""Steps as no documentation shows them: every kind, every field, every wrong type of value."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

TOOLS = (
    *("code_execution", "url_context", "google_search", "google_maps", "file_search"),
    *("mcp_server_tool", "retrieval", "processing", "tool_search"),
)
KINDS = (
    *("user_input", "model_output", "thought", "function_call", "function_result"),
    *(f"{tool}_{end}" for tool in TOOLS for end in ("call", "result")),
    *("brand_new_step",),
)
FIELDS = (
    *("type", "content", "summary", "signature", "id", "call_id", "name", "server_name"),
    *("arguments", "result", "is_error", "error"),
)
DEEP: Any = "deep"
for _ in range(400):
    DEEP = [DEEP]
VALUES: tuple[Any, ...] = (
    ["a", ["b"], {"type": ["x"]}],
    {"type": ["Article", "NewsArticle"], "data": {"a": 1}},
    {"type": {"name": "page"}, "name": ["x"], "url": 7},
    {"properties": {"a": {"type": ["string", "null"], "enum": [None]}}},
    *(7, -1, 1e308, 10**30, None, True, "", "x" * 5000, [None, 1, []], {}),
    {"content": {"text": {}}, "queries": 7, "urls": {"a": 1}, "code": [1], "language": {}},
    [{"type": ["string", "null"], "mime_type": 3, "data": ["x"]}],
    [{"type": "image", "data": [1]}, {"type": "image", "data": {"a": 1}, "uri": [3]}],
    [{"type": "text", "text": ["a"], "annotations": {"url": 1}}],
    [
        {
            "type": "text",
            "text": "A note. ",
            "annotations": [
                {"type": ["url_citation"], "url": ["x"], "start_index": "a", "end_index": [1]},
                {"type": "url_citation", "url": {"a": 1}, "title": ["x"], "end_index": True},
                {"type": "file_citation", "file_name": 7, "page_number": 1e30, "end_index": 10**40},
                {"type": "place_citation", "name": None, "url": 1.5, "start_index": -5},
                *(None, "note", 7),
            ],
        }
    ],
    [{"url": 7, "status": ["ok"]}, {"places": {"name": 7, "url": []}}, {"result": None}],
)
TEXT: Json = {
    "type": "model_output",
    "content": [{"type": "text", "text": "The answer that was paid for."}],
}
USAGE: Json = {"total_input_tokens": 7, "total_output_tokens": 19, "total_tokens": 26}


def steps(kind: str) -> list[Json]:
    """Every wrong step of a kind, and then an answer."""
    wrong = [{"type": kind, field: value} for field in FIELDS for value in VALUES]
    return [*wrong, {"type": kind, "result": DEEP, "content": DEEP, "arguments": DEEP}, TEXT]


def complete_steps(kind: str) -> list[Json]:
    """Stream events that start with each of these steps in full."""
    return [event for at, step in enumerate(steps(kind)) for event in step_events(at, step)]


def delta_steps(kind: str) -> list[Json]:
    """Stream events in which the wrong values come as deltas of well-begun steps."""
    is_tools = kind.endswith(("_call", "_result"))
    told: list[Json] = []
    for at, step in enumerate(steps(kind)[:-1]):
        delta = {"type": kind if is_tools else "text", "text": "x", **_without_type(step)}
        told.append({"index": at, "step": {"type": kind}, "event_type": "step.start"})
        told.append({"index": at, "delta": delta, "event_type": "step.delta"})
        told.append({"index": at, "delta": step, "event_type": "step.delta"})
        told.append({"index": at, "event_type": "step.stop"})
    return [*told, *step_events(len(told), TEXT)]


def step_events(at: int, step: Json) -> list[Json]:
    return [
        {"index": at, "step": step, "event_type": "step.start"},
        {"index": at, "event_type": "step.stop"},
    ]


def _without_type(step: Json) -> Json:
    return {name: value for name, value in step.items() if name != "type"}
