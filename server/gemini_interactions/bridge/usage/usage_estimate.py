"""Estimates: what a turn will probably use, before anything of it is sent.

The middle of what is likely, never an upper bound: a limit is there to stop what is too much,
not honest work. Where Google publishes a range for a whole run, its middle is taken.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from ...domain.models import model_catalog
from ...domain.types import Tool, Turn, Usage

# Tokens of output, thoughts included, by thinking level; "" is the models' own default (medium).
_OUTPUT = {"": 1_100, "minimal": 500, "low": 700, "medium": 1_100, "high": 2_500, "xhigh": 4_500}

# Tokens that what a built-in tool finds adds to the input.
_FOUND = {
    "google_search": 1_000,
    "url_context": 5_000,
    "code_execution": 500,
    "file_search": 3_000,
    "google_maps": 1_000,
    "mcp_server": 2_000,
}
_IMAGE_IN = 258
_IMAGE_OUT = {"4K": 2_000}
_USUAL_IMAGE_OUT = 1_120

USUAL_BESIDE_PROMPT = 1_100
"""What a turn usually uses besides its prompt, before any was seen."""

# (tokens, US dollars) of a whole run. Notes 2026-11-22, documented 2026-09-18: $1-3 for 250k in
# and 60k out, $3-7 for 900k and 80k. Documented 2026-09-29: $0.25-3.25 for Antigravity, whose
# tokens nobody counted; 2026-11-22: $0.08 a piece of music, $0.10-0.15 a second of video.
_RUNS: tuple[tuple[str, int, float], ...] = (
    ("deep-research-max", 980_000, 5.0),
    ("deep-research", 310_000, 2.0),
    ("antigravity", 300_000, 1.75),
    ("lyria", 2_000, 0.08),
)
_VIDEO = "omni"
_VIDEO_SECOND = (300, 0.125)
_VIDEO_SECONDS = 8
_PLAN = 12_000
"""Tokens of a research plan, which is one answer."""


@dataclass(frozen=True, slots=True)
class PlannedUse:
    """What is known of a turn before it is sent.

    `input_tokens` is counted, roughly, from its words; `history_tokens` is what goes along of the
    conversation. `typical` is what turns like it used besides their input lately, None where
    there were none. `extra` as in `Turn.extra`.
    """

    model: str
    input_tokens: int = 0
    history_tokens: int = 0
    thinking: str = ""
    tools: Sequence[Tool] = ()
    tier: str = ""
    typical: float | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Estimate:
    """`known` of the tokens are not guessed: they are in the input, or published."""

    tokens: int
    usd: float
    known: int

    @property
    def is_guess(self) -> bool:
        return self.known < self.tokens


def estimated(use: PlannedUse, today: date) -> Estimate:
    tier = model_catalog.TIERS.get(use.tier, 1.0)
    found = _run(use)
    if found is not None:
        tokens, usd = found
        return Estimate(tokens, usd * tier, tokens)
    used = _usage(use)
    known = used.total if "image" in use.extra else use.input_tokens
    return Estimate(used.total, _price(use, used, today) * tier, known)


def run_price(model: str, extra: Mapping[str, Any]) -> float | None:
    """Dollars of a run as a whole, the middle of a published range; None where there is none."""
    found = _run(PlannedUse(model, extra=extra))
    return found[1] if found is not None else None


def text_tokens(text: str) -> int:
    """About how many tokens a text has: four bytes each."""
    return -(-len(text.encode("utf-8", "replace")) // 4)


def content_tokens(contents: Sequence[Mapping[str, Any]]) -> int:
    """The same of content objects or steps; media count as one picture each."""
    tokens = 0
    for each in contents:
        if isinstance(each.get("text"), str):
            tokens += text_tokens(each["text"])
        elif isinstance(each.get("content"), list):
            tokens += content_tokens([one for one in each["content"] if isinstance(one, Mapping)])
        elif each.get("type") in ("image", "audio", "video", "document"):
            tokens += _IMAGE_IN
        else:
            tokens += text_tokens(str(each.get("result", "")))
    return tokens


def beside_prompt(turn: Turn, usage: Usage) -> int:
    """What a turn used besides the words of its prompt."""
    return max(usage.total - text_tokens(turn.prompt), 0)


def _run(use: PlannedUse) -> tuple[int, float] | None:
    """Tokens and dollars where they are known for a run as a whole."""
    # Custom agents have names of their own, and work as the one they are based on.
    name = "antigravity" if use.extra.get("agent") else use.model.lower()
    if _VIDEO in name:
        seconds = use.extra.get("duration") or _VIDEO_SECONDS
        tokens, usd = _VIDEO_SECOND
        return int(tokens * seconds), usd * seconds
    for known, tokens, usd in _RUNS:
        if name.startswith(known):
            if use.extra.get("plan"):
                return _PLAN, usd * _PLAN / tokens
            most = use.extra.get("max_total_tokens")
            if isinstance(most, int) and 0 < most < tokens:
                return most, usd * most / tokens
            return tokens, usd
    return None


def _usage(use: PlannedUse) -> Usage:
    image = use.extra.get("image")
    if image is not None:
        size = image.get("image_size", "") if isinstance(image, Mapping) else ""
        output = _IMAGE_OUT.get(size, _USUAL_IMAGE_OUT)
        return Usage(input=use.input_tokens, output=output, total=use.input_tokens + output)
    found = sum(_FOUND.get(str(tool.get("type")), 0) for tool in use.tools)
    output = _OUTPUT.get(use.thinking, _OUTPUT[""])
    fresh = use.history_tokens + found
    # What turns like it used holds their history and what tools found for them already.
    beside = fresh + output if use.typical is None else max(use.typical, fresh + output / 4)
    output = max(round(beside) - fresh, 0)
    return Usage(
        input=use.input_tokens + use.history_tokens,
        tool_use=found,
        output=output,
        total=use.input_tokens + fresh + output,
    )


def _price(use: PlannedUse, used: Usage, today: date) -> float:
    known = model_catalog.price(use.model, used, today)
    if known is not None:
        return known
    kind = "image" if "image" in use.extra else "text"
    prices = [row.price(today) for row in model_catalog.known() if row.kind == kind]
    return max(price.of(used) for price in prices if price is not None)
