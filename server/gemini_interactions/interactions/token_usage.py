"""Usage: how many tokens the API says it counted, as far as that can be true.

What is counted here is booked, and limits depend on it: a figure that cannot be one is neither
taken at its word (it would fill a limit for the day, or open it) nor passed over in silence.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Iterable, Mapping
from typing import Any

from gemini_interactions.domain.types import Step, Usage
from gemini_interactions.interactions.json_values import OBJECT, as_text, objects_in

MOST = 100_000_000
"""Tokens of one interaction; a long agent run uses some ten million."""

_PARTS = {
    "input": "total_input_tokens",
    "output": "total_output_tokens",
    "thought": "total_thought_tokens",
    "cached": "total_cached_tokens",
    "tool_use": "total_tool_use_tokens",
    "total": "total_tokens",
}

log = logging.getLogger(__name__)


def read(reported: object) -> Usage | None:
    """What the API counted, or None where it said nothing that can be read.

    Negative figures count as 0, fractions are rounded up; what is no number, or more than any
    interaction uses, is left out and the total made of the rest. Each is logged.
    """
    if not reported or not isinstance(reported, OBJECT):
        return None
    counts = {part: _count(name, reported.get(name)) for part, name in _PARTS.items()}
    known = {part: count for part, count in counts.items() if count is not None}
    # A total is never less than its parts, nor are there more cached tokens than were sent.
    parts = sum(known.get(part, 0) for part in ("input", "output", "thought", "tool_use"))
    known["total"] = max(known.get("total", 0), parts)
    sent = known.get("input", 0) + known.get("tool_use", 0)
    if "cached" in known and sent:
        known["cached"] = min(known["cached"], sent)
    known["image"] = min(_pictures(reported), known.get("output", 0))
    is_doubtful = None in counts.values()
    return None if is_doubtful and not known["total"] else Usage(**known)


def estimated(steps: Iterable[Step]) -> Usage:
    """About how many tokens these steps are, where Google's own figures cannot be read."""
    size = 0
    for step in steps:
        try:
            size += len(json.dumps(step, ensure_ascii=False).encode("utf-8", "replace"))
        except (ValueError, RecursionError, TypeError):
            continue
    tokens = min(math.ceil(size / 4), MOST)
    return Usage(output=tokens, total=tokens)


def _pictures(reported: Mapping[str, Any]) -> int:
    """The output tokens that are pictures, which have a price of their own."""
    return sum(
        _count("output_tokens_by_modality", each.get("tokens")) or 0
        for each in objects_in(reported.get("output_tokens_by_modality"))
        if as_text(each.get("modality")).lower() == "image"
    )


def _count(name: str, value: Any) -> int | None:
    if value is None:
        return 0
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        log.warning("usage: %s is no number and was left out", name)
        return None
    if value < 0:
        log.warning("usage: %s is negative and counts as 0", name)
        return 0
    if value > MOST:
        log.warning("usage: %s is larger than any interaction's and was left out", name)
        return None
    if value != int(value):
        log.warning("usage: %s is a fraction and was rounded up", name)
    return math.ceil(value)
