"""An interaction as stream events, in the order and the pieces in which Google sends them."""

import json
from collections.abc import Iterator, Sequence

from .json_types import Json

PIECE = 24  # characters of text in one delta, about
MOST_PIECES = 200  # of one text: long answers come in larger pieces, as they do from Google


def pieces(text: str) -> list[str]:
    """The text cut at spaces; never inside a character, so never inside its UTF-8 bytes."""
    size = max(PIECE, len(text) // MOST_PIECES)
    cut: list[str] = []
    start = 0
    while start < len(text):
        end = start + size
        if end < len(text):
            space = text.rfind(" ", start, end)
            end = space + 1 if space > start else end
        cut.append(text[start:end])
        start = end
    return cut


def step_events(index: int, step: Json, cuts: Sequence[str] | None = None) -> Iterator[Json]:
    """step.start, its deltas, step.stop."""
    kind = str(step.get("type"))
    start, deltas = step, list[Json]()
    if kind == "thought":
        start, deltas = {"type": "thought"}, _thought(step)
    elif kind == "model_output":
        start = {key: value for key, value in step.items() if key != "content"}
        deltas = [d for part in step.get("content") or [] for d in _content(part, cuts)]
    elif kind == "function_call":
        start = {**step, "arguments": {}}
        text = json.dumps(step.get("arguments") or {}, ensure_ascii=False)
        deltas = [{"type": "arguments_delta", "arguments": part} for part in _halves(text)]
    elif kind == "function_result":
        start = {key: value for key, value in step.items() if key != "result"}
        deltas = [{"type": kind, "result": step.get("result")}]
    elif kind.endswith(("_call", "_result")):
        start, deltas = _server_tool(kind, step)
    yield {"index": index, "step": start, "event_type": "step.start"}
    for delta in deltas:
        yield {"index": index, "delta": delta, "event_type": "step.delta"}
    yield {"index": index, "event_type": "step.stop"}


def _thought(step: Json) -> list[Json]:
    deltas: list[Json] = [
        {"type": "thought_summary", "content": part} for part in step.get("summary") or []
    ]
    if "signature" in step:
        deltas.append({"type": "thought_signature", "signature": step["signature"]})
    return deltas


def _content(part: Json, cuts: Sequence[str] | None) -> list[Json]:
    if part.get("type") != "text":
        return [part]
    deltas: list[Json] = [
        {"type": "text", "text": text} for text in cuts or pieces(part.get("text") or "")
    ]
    if part.get("annotations"):
        # Once, after the whole text.
        deltas.append({"type": "text_annotation_delta", "annotations": part["annotations"]})
    return deltas


def _halves(text: str) -> list[str]:
    middle = (len(text) + 1) // 2
    return [part for part in (text[:middle], text[middle:]) if part]


def _server_tool(kind: str, step: Json) -> tuple[Json, list[Json]]:
    start = {key: value for key, value in step.items() if key != "signature"}
    full = {key: value for key, value in step.items() if key not in ("id", "call_id")}
    if kind.endswith("_call"):
        if "arguments" not in step:
            return start, []
        return {**start, "arguments": {}}, [full]
    if "result" not in step:
        return start, []
    return {**start, "result": "" if isinstance(step["result"], str) else []}, [full]
