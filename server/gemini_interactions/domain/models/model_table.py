"""The table of models: which there are, what they cost, and what follows those that are gone.

Each row, and each price, says who says so: "notes" are this project's notes on the Interactions
API, which read Google's pages; "third party" is a price list or report somebody else published,
and an estimate. Prices are US dollars for a million tokens in the standard tier.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import Literal

from gemini_interactions.domain.types import Usage

TEXT = "gemini-3.8-flash"
IMAGE = "gemini-nano-banana-2.1"
SPEECH = "gemini-3.8-flash-tts"
MUSIC = "lyria-3.5"
VIDEO = "gemini-omni-1.2-flash"

Output = Literal["text", "image", "speech", "music", "video"]
Kind = Output | Literal["agent"]
Depth = Literal["fast", "max"]

# From a day on: alias → id. Notes, 2026-11-22: the default for each task. From 2027-01-01
# 3.8 Flash costs what Hydrogen does, Google's successor of it (notes, 2026-11-30).
ALIASES: dict[str, tuple[tuple[date, str], ...]] = {
    "fast": ((date.min, TEXT), (date(2027, 1, 1), "gemini-4-hydrogen")),
    "pro": ((date.min, "gemini-4-argon"),),
    "lite": ((date.min, "gemini-3.5-flash-lite"),),
    "image": ((date.min, IMAGE),),
    "image-pro": ((date.min, "gemini-3-pro-image"),),
}
# Whoever draws with "pro" means the pro model that draws.
_WHEN_DRAWING: dict[str, str] = {
    "fast": IMAGE,
    "pro": "gemini-3-pro-image",
    "lite": "gemini-3.1-flash-lite-image",
}

DEFAULTS: dict[Output, str] = {
    "text": TEXT,
    "image": IMAGE,
    "speech": SPEECH,
    "music": MUSIC,
    "video": VIDEO,
}
# What the aliases for texts mean to whoever makes something else with them.
WHEN_MAKING: dict[Output, dict[str, str]] = {
    "image": _WHEN_DRAWING,
    "speech": {"fast": SPEECH, "pro": SPEECH, "lite": "gemini-3.8-flash-lite-tts"},
    "music": dict.fromkeys(("fast", "pro", "lite"), MUSIC),
    "video": dict.fromkeys(("fast", "pro", "lite"), VIDEO),
}

# Notes, 2026-11-22: Deep Research, documented 2026-09-18.
AGENTS: dict[Depth, str] = {
    "fast": "deep-research-preview-04-2026",
    "max": "deep-research-max-preview-04-2026",
}

# Notes: documented 2026-09-29.
SANDBOX_AGENT = "antigravity-preview-09-2026"

NOTES = "notes of 2026-11-22"
GUIDE = "Google's pages, read 2026-11-30"
RELEASES = "Google's release notes of its SDKs, read 2026-11-30"
THIRD_PARTY = "third party, read 2026-11-30"
SDK = "ids in google-genai 3.4.0, read 2026-11-22"
BETA_ONLY = "served by v1beta only"

LEVELS = ("minimal", "low", "medium", "high", "xhigh")

TIERS: dict[str, float] = {"standard": 1.0, "flex": 0.5, "priority": 1.8}
"""What a tier costs, by the standard one (third party, read 2026-11-30)."""


def aliases(today: date) -> dict[str, str]:
    """What each alias stands for today."""
    return {
        alias: [model for since, model in rows if since <= today][-1]
        for alias, rows in ALIASES.items()
    }


@dataclass(frozen=True, slots=True)
class Price:
    """What a million tokens cost from a day on.

    `thought` is 0 where thoughts cost what output does, `text` where the text that a model of
    images writes does, and `cached` where no price of its own is known: cached input then counts
    as input. `long` holds for input above 200,000 tokens. `piece` and `second` are the price of a
    file that was made, and of each second it plays. `source` says who says so, and when.
    """

    since: date
    input: float
    output: float
    thought: float = 0.0
    long: tuple[float, float] | None = None
    piece: float = 0.0
    second: float = 0.0
    cached: float = 0.0
    text: float = 0.0
    source: str = ""

    def __str__(self) -> str:
        """What goes in and what comes out, or what a file or a second of it costs."""
        if self.piece:
            return f"{self.piece:g} a piece"
        if self.second:
            return f"{self.second:g} a second"
        return f"{self.input:g} / {self.output:g}"

    def of(self, usage: Usage) -> float:
        """What this usage costs in the standard tier."""
        fresh, output = self.input, self.output
        if self.long and usage.input > 200_000:
            fresh, output = self.long
        kept = self.cached * fresh / self.input if self.cached and self.input else fresh
        cached = min(usage.cached, usage.input)
        # Where nobody says which of the output is pictures, all of it counts as them.
        words = max(usage.output - usage.image, 0) if self.text and usage.image else 0
        return (
            (
                (usage.input - cached + usage.tool_use) * fresh
                + cached * kept
                + (usage.output - words) * output
                + words * self.text
                + usage.thought * (self.thought or output)
            )
            / 1_000_000
            + self.piece * usage.pieces
            + self.second * usage.seconds
        )


@dataclass(frozen=True, slots=True)
class Model:
    """One row: a model or agent, the thinking levels it has, its prices, and its end if known.

    No `levels` means nobody wrote them down: any level is passed on. From the day `ends`, a
    request for it goes to `successor`. A video has at most `longest` seconds.
    """

    id: str
    title: str
    kind: Kind = "text"
    levels: tuple[str, ...] = ()
    prices: tuple[Price, ...] = ()
    ends: date | None = None
    successor: str = ""
    longest: int = 0
    note: str = ""
    """What else is worth knowing of it, in a few words."""
    source: str = ""

    def aliases(self, today: date) -> tuple[str, ...]:
        return tuple(alias for alias, model in aliases(today).items() if model == self.id)

    def price(self, today: date) -> Price | None:
        """The price that holds today; before the first known day, the first one."""
        started = [price for price in self.prices if price.since <= today]
        return started[-1] if started else next(iter(self.prices), None)


_LOW_TO_HIGH = ("low", "medium", "high")
_MINIMAL_UP = ("minimal", "low", "medium", "high")
_DRAWING = ("minimal", "medium", "high")


def _cost(
    since: str,
    input: float,
    output: float,
    *,
    thought: float = 0.0,
    long: tuple[float, float] | None = None,
    piece: float = 0.0,
    second: float = 0.0,
    cached: float = 0.0,
    text: float = 0.0,
    source: str = NOTES,
) -> Price:
    day = date.fromisoformat(since)
    return Price(day, input, output, thought, long, piece, second, cached, text, source)


TABLE: tuple[Model, ...] = (
    Model(
        TEXT,
        "Gemini 3.8 Flash: the default",
        levels=_LOW_TO_HIGH,
        prices=(
            _cost("2026-09-01", 0.75, 3.75, cached=0.075),
            _cost("2027-01-01", 1.5, 7.5, cached=0.075),
        ),
        source=f"{NOTES}; cached input: {THIRD_PARTY}",
    ),
    Model(
        "gemini-4-hydrogen",
        "Gemini 4 Hydrogen: the successor of 3.8 Flash",
        levels=(*_LOW_TO_HIGH, "xhigh"),
        prices=(_cost("2026-11-12", 1.5, 7.5, cached=0.075, source=GUIDE),),
        note="thinks at high by default",
        source=f"{GUIDE}, GA 2026-11-12; cached input: {THIRD_PARTY}",
    ),
    Model(
        "gemini-4-argon",
        "Gemini 4 Argon: the hardest problems",
        levels=_LOW_TO_HIGH,
        prices=(
            _cost("2026-10-13", 2, 10, cached=0.1),
            _cost("2026-12-01", 4, 20, cached=0.2, source=GUIDE),
        ),
        note="paid keys only",
        source=f"{GUIDE}, GA 2026-10-13; cached input, 5 %: {THIRD_PARTY}",
    ),
    Model(
        "gemini-4-carbon",
        "Gemini 4 Carbon: long agentic work",
        levels=_LOW_TO_HIGH,
        prices=(
            _cost("2026-11-10", 2, 10, cached=0.1),
            _cost("2026-12-01", 4, 20, cached=0.2),
        ),
        note="paid keys only",
        source=f"{NOTES}, GA 2026-11-10; cached input, 5 %: {THIRD_PARTY}",
    ),
    Model(
        "gemini-4-neon",
        "Gemini 4 Neon",
        levels=(*_LOW_TO_HIGH, "xhigh"),
        prices=(_cost("2026-11-18", 3, 15, cached=0.15, source=THIRD_PARTY),),
        note="paid keys only; thinks at high by default",
        source=f"{GUIDE} (enterprise release notes), GA 2026-11-18; prices: {THIRD_PARTY}",
    ),
    Model(
        "gemini-3.6-flash",
        "Gemini 3.6 Flash",
        levels=_MINIMAL_UP,
        prices=(_cost("2026-11-22", 1.5, 7.5, cached=0.15),),
        source=f"{NOTES}; levels and cached input: {THIRD_PARTY}",
    ),
    Model(
        "gemini-3.5-flash-lite",
        "Gemini 3.5 Flash-Lite: cheap and quick",
        levels=_MINIMAL_UP,
        prices=(_cost("2026-11-22", 0.3, 2.5, cached=0.03),),
        source=f"{NOTES}; levels and cached input: {THIRD_PARTY}",
    ),
    Model(
        "gemini-3.7-flash",
        "Gemini 3.7 Flash",
        ends=date(2026, 10, 8),
        successor=TEXT,
        source=f"{GUIDE}: routed to its successor since 2026-10-08",
    ),
    Model(
        "gemini-3.5-flash",
        "Gemini 3.5 Flash",
        ends=date(2026, 10, 8),
        successor="gemini-3.6-flash",
        source=f"{GUIDE}: routed to its successor since 2026-10-08",
    ),
    # Notes 2026-11-22: $2/$12, above 200k $4/$18.
    Model(
        "gemini-3.1-pro-preview",
        "Gemini 3.1 Pro (preview)",
        prices=(_cost("2026-11-22", 2, 12, long=(4, 18)),),
        source=NOTES,
    ),
    # Notes 2026-11-22: priced as 3.1 Pro.
    Model(
        "gemini-3.1-pro-preview-customtools",
        "Gemini 3.1 Pro for custom tools (preview)",
        prices=(_cost("2026-11-22", 2, 12, long=(4, 18)),),
        source=NOTES,
    ),
    Model(
        "gemini-3.1-flash-lite",
        "Gemini 3.1 Flash-Lite",
        prices=(_cost("2026-11-22", 0.25, 1.5, source=THIRD_PARTY),),
        source=THIRD_PARTY,
    ),
    Model(
        "gemini-3-flash-preview",
        "Gemini 3 Flash (preview)",
        prices=(_cost("2026-11-22", 0.5, 3, source=THIRD_PARTY),),
        source=THIRD_PARTY,
    ),
    Model("gemini-flash-latest", "Latest Gemini Flash", note=BETA_ONLY, source=RELEASES),
    Model("gemini-flash-lite-latest", "Latest Gemini Flash-Lite", note=BETA_ONLY, source=RELEASES),
    Model("gemini-pro-latest", "Latest Gemini Pro", note=BETA_ONLY, source=RELEASES),
    # Notes 2026-11-22 (third-party reading of Google's page of 2026-11-10): both end on
    # 2026-12-01 and are routed to 3.8 Flash and 3.5 Flash-Lite at their prices.
    Model(
        "gemini-2.5-pro",
        "Gemini 2.5 Pro",
        prices=(_cost("2026-11-22", 1.25, 10, source=THIRD_PARTY),),
        source=NOTES,
        ends=date(2026, 12, 1),
        successor=TEXT,
    ),
    Model(
        "gemini-2.5-flash",
        "Gemini 2.5 Flash",
        prices=(_cost("2026-11-22", 0.3, 2.5, source=THIRD_PARTY),),
        source=NOTES,
        ends=date(2026, 12, 1),
        successor="gemini-3.5-flash-lite",
    ),
    Model(
        "gemini-2.5-flash-lite",
        "Gemini 2.5 Flash-Lite",
        prices=(_cost("2026-11-22", 0.1, 0.4, source=THIRD_PARTY),),
        source=f"{NOTES}: it stays; price: {THIRD_PARTY}",
    ),
    # Notes 2026-11-22: free.
    Model("gemma-4-26b-a4b-it", "Gemma 4 26B", prices=(_cost("2026-11-22", 0, 0),), source=NOTES),
    Model("gemma-4-31b-it", "Gemma 4 31B", prices=(_cost("2026-11-22", 0, 0),), source=NOTES),
    # About $0.034 for a 1K image of 1,120 tokens, which is $30 a million.
    Model(
        IMAGE,
        "Nano Banana 2.1: the default for images",
        "image",
        _DRAWING,
        (_cost("2026-10-06", 1.5, 30, thought=7.5, text=7.5, source=THIRD_PARTY),),
        source=f"{NOTES}; prices: {THIRD_PARTY}",
    ),
    # Notes 2026-11-22: $0.134 for 1K and 2K (1,120 tokens), $0.24 for 4K (2,000): $120 a
    # million. Its text, in and thought, is priced as 3.1 Pro's: $2/$12.
    Model(
        "gemini-3-pro-image",
        "Gemini 3 Pro Image: the finest images",
        "image",
        _DRAWING,
        (_cost("2026-11-22", 2, 120, thought=12, text=12),),
        source=NOTES,
    ),
    # SDK 3.4.0 literal, 2026-11-22: "Gemini 3 Pro Image Preview".
    Model(
        "nano-banana-pro-preview",
        "Gemini 3 Pro Image (preview)",
        "image",
        _DRAWING,
        (_cost("2026-11-22", 2, 120, thought=12, text=12),),
        source=SDK,
    ),
    Model(
        "gemini-3.1-flash-image",
        "Gemini 3.1 Flash Image",
        "image",
        _DRAWING,
        ends=date(2026, 10, 29),
        successor=IMAGE,
        source=f"{GUIDE}: deprecated 2026-10-06; shut down: {THIRD_PARTY}",
    ),
    # Notes 2026-11-22: 1K only; no price found.
    Model(
        "gemini-3.1-flash-lite-image",
        "Gemini 3.1 Flash-Lite Image",
        "image",
        _DRAWING,
        source=NOTES,
    ),
    # No source for its price at hand.
    Model("gemini-2.5-flash-image", "Gemini 2.5 Flash Image", "image", source=SDK),
    # Third party, November 2026: $6 a million audio tokens for Lite, which is a third less than
    # Flash; text from $0.50. v1beta alone serves speech models (Google, release notes of SDKs).
    Model(
        SPEECH,
        "Gemini 3.8 Flash TTS: the default for speech",
        "speech",
        prices=(_cost("2026-11-22", 0.75, 9, source=THIRD_PARTY),),
        source=f"{SDK}; prices: {THIRD_PARTY}",
    ),
    Model(
        "gemini-3.8-flash-lite-tts",
        "Gemini 3.8 Flash-Lite TTS: cheap and quick",
        "speech",
        prices=(_cost("2026-11-22", 0.5, 6, source=THIRD_PARTY),),
        source=f"{SDK}; prices: {THIRD_PARTY}",
    ),
    # SDK 3.4.0 literal; 3.8 Flash-Lite TTS is its direct replacement. No price found.
    Model("gemini-3.1-flash-tts-preview", "Gemini 3.1 Flash TTS (preview)", "speech", source=SDK),
    # Notes 2026-11-22: $0.08 a song.
    Model(
        MUSIC,
        "Lyria 3.5: the default for music",
        "music",
        prices=(_cost("2026-11-22", 0, 0, piece=0.08),),
        source=NOTES,
    ),
    # SDK 3.4.0 literals, 2026-11-22; no prices found.
    Model("lyria-3-pro-preview", "Lyria 3 Pro (preview)", "music", source=SDK),
    Model("lyria-3-clip-preview", "Lyria 3 Clip (preview)", "music", source=SDK),
    # Notes 2026-11-22: $0.10-0.15 a second for 1.1 Flash; the dearer end for both, and no source
    # for 1.2 at hand. Up to 15 and 10 seconds.
    Model(
        VIDEO,
        "Gemini Omni 1.2 Flash: the default for videos",
        "video",
        prices=(_cost("2026-11-22", 0, 0, second=0.15),),
        longest=15,
        source=NOTES,
    ),
    Model(
        "gemini-omni-1.1-flash",
        "Gemini Omni 1.1 Flash",
        "video",
        prices=(_cost("2026-11-22", 0, 0, second=0.15),),
        longest=10,
        source=NOTES,
    ),
    # SDK 3.4.0 literal, 2026-11-22; no price found.
    Model(
        "gemini-omni-flash-preview", "Gemini Omni Flash (preview)", "video", longest=10, source=SDK
    ),
    # Notes 2026-11-22, documented 2026-09-18: $1-3 for 250k in and 60k out, $3-7 for 900k and
    # 80k, searches included. $4/$18 (3.1 Pro above 200k) gives the middle of both: 2.1 and 5.0.
    Model(
        AGENTS["fast"], "Deep Research", "agent", prices=(_cost("2026-09-18", 4, 18),), source=NOTES
    ),
    Model(
        AGENTS["max"],
        "Deep Research Max",
        "agent",
        prices=(_cost("2026-09-18", 4, 18),),
        source=NOTES,
    ),
    # Notes 2026-11-22: $0.25-3.25 a task; what a token costs depends on the model inside.
    Model(
        SANDBOX_AGENT,
        "Antigravity: a sandbox agent",
        "agent",
        note="typically $0.25-3.25 a run; no price of its tokens is known",
        source=NOTES,
    ),
)
ROWS = {row.id: row for row in TABLE}

# (pattern of the whole id, successor; "" keeps the kind's default). The first match holds.
GONE: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), successor)
    for pattern, successor in (
        # Notes 2026-11-22: dead since 2026-03-09.
        (r"gemini-3-pro-preview", "gemini-3.1-pro-preview"),
        # SDK 3.4.0 lists only the released name, 2026-11-22.
        (r"gemini-3\.1-flash-lite-preview", "gemini-3.1-flash-lite"),
        # Notes 2026-11-22: `*-image-preview` dead since 2026-06-25, the released names stay.
        (r"gemini-3-pro-image-preview", "gemini-3-pro-image"),
        (r"gemini-3\.1-flash-image-preview", "gemini-3.1-flash-image"),
        (r"gemini-3\.1-flash-lite-image-preview", "gemini-3.1-flash-lite-image"),
        (r"gemini-2\.5-flash-image-preview", "gemini-2.5-flash-image"),
        # Dated previews of 2.5 went when the models were released, 2025.
        (r"gemini-2\.5-pro-(?:preview|exp)(?:-\d\d-\d+)?", "gemini-2.5-pro"),
        (r"gemini-2\.5-flash-(?:preview|exp)(?:-\d\d-\d+)?", "gemini-2.5-flash"),
        (r"gemini-2\.5-flash-lite-(?:preview|exp)(?:-\d\d-\d+)?", "gemini-2.5-flash-lite"),
        # Experiments of 2024, which came before 2.0.
        (r"gemini-exp-\d{4}", "gemini-3.1-pro-preview"),
        # Notes 2026-11-22: 1.5 and 2.0 dead. The nearest of the same weight stands in.
        (r"gemini-2\.0-.*image.*", IMAGE),
        (r"gemini-(?:1(?:\.\d)?|2\.0)-(?:flash-lite|flash-8b).*", "gemini-3.5-flash-lite"),
        (r"gemini-(?:1(?:\.\d)?|2\.0)-(?:pro|ultra).*", "gemini-3.1-pro-preview"),
        (r"gemini-(?:1|2)\.0(?:-.*)?|gemini-1(?:\.\d)?(?:-.*)?", TEXT),
        (r"gemini-(?:pro|ultra)(?:-vision)?", "gemini-3.1-pro-preview"),
        # Notes: shut down 2026-10-23; the antigravity of May ended about 2026-10-05.
        (r"deep-research-pro-preview-12-2025", AGENTS["fast"]),
        (r"antigravity-preview-05-2026", "antigravity-preview-09-2026"),
    )
)
