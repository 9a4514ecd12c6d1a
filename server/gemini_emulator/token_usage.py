"""Token counts, worked out from lengths so that equal runs cost the same."""

import math
from collections.abc import Iterable
from typing import Any

from .json_types import Json

IMAGE_IN = 258
IMAGE_OUT = 1120  # what an image of 1K or 2K costs
LARGE_IMAGE_OUT = 2000  # and one of 4K
AUDIO_OUT = 25  # a second of sound
VIDEO_OUT = 1_000  # a second of video
THOUGHT = {"minimal": 0, "low": 16, "medium": 64, "high": 256, "xhigh": 512}


def tokens(text: str) -> int:
    return math.ceil(len(text.encode()) / 4)


def _texts(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            if key not in ("data", "signature", "type", "id", "call_id"):
                yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)


def _images(steps: Iterable[Json], kind: str) -> int:
    return sum(
        part.get("type") == "image"
        for step in steps
        if step.get("type") == kind
        for part in step.get("content") or []
        if isinstance(part, dict)
    )


def _image_cost(body: Json) -> int:
    formats = body.get("response_format") or []
    wanted = formats if isinstance(formats, list) else [formats]
    is_large = any(one.get("image_size") == "4K" for one in wanted)
    return LARGE_IMAGE_OUT if is_large else IMAGE_OUT


def with_media(usage: Json, modality: str, made: int) -> Json:
    """The same usage with what a sound or video of so many tokens adds to it."""
    said = usage["total_output_tokens"]
    return {
        **usage,
        "total_tokens": usage["total_tokens"] + made,
        "total_output_tokens": said + made,
        "output_tokens_by_modality": [{"modality": modality, "tokens": made}],
    }


LEAST_CACHED = 1024  # tokens of context from which on the service keeps it


def _cached(given: int, before: list[Json]) -> int:
    """What of the context the service still had: all that was said before this turn, if it is
    long enough."""
    asked = [place for place, step in enumerate(before) if step.get("type") == "user_input"]
    earlier = before[: asked[-1]] if asked else []
    kept = sum(map(tokens, _texts(earlier)))
    return min(kept, given) if kept >= LEAST_CACHED else 0


def count(body: Json, before: list[Json], answer: list[Json]) -> Json:
    """The usage of one interaction: its context, what it thought, and what it said."""
    said = [s for s in answer if s.get("type") in ("model_output", "function_call")]
    tools = [s for s in answer if str(s.get("type")).endswith("_result")]
    text_in = sum(map(tokens, _texts([body.get("system_instruction") or "", *before])))
    image_in = IMAGE_IN * _images(before, "user_input")
    text_out = sum(map(tokens, _texts(said)))
    image_out = _image_cost(body) * _images(said, "model_output")
    level = (body.get("generation_config") or {}).get("thinking_level") or "medium"
    thought = THOUGHT.get(level, 64) if any(s.get("type") == "thought" for s in answer) else 0
    used = sum(map(tokens, _texts(tools)))
    by_modality = [{"modality": "text", "tokens": text_in}]
    if image_in:
        by_modality.append({"modality": "image", "tokens": image_in})
    usage: Json = {
        "total_tokens": text_in + image_in + text_out + image_out + thought + used,
        "total_input_tokens": text_in + image_in,
        "input_tokens_by_modality": by_modality,
        "total_cached_tokens": _cached(text_in, before),
        "total_output_tokens": text_out + image_out,
        "total_tool_use_tokens": used,
        "total_thought_tokens": thought,
    }
    if image_out:
        usage["output_tokens_by_modality"] = [
            {"modality": "image", "tokens": image_out},
            {"modality": "text", "tokens": text_out},
        ]
    searches = sum(s.get("type") == "google_search_call" for s in answer)
    if searches:
        usage["grounding_tool_count"] = [{"type": "google_search", "count": searches}]
    return usage
