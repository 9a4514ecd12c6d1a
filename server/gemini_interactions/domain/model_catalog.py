"""Which models there are, what they cost, and what stands in for those that are gone.

One dated table. Each row says where it comes from: "notes" are this project's notes on the
Interactions API of 2026-11-22, which read Google's pages; "third party" is a price list or
report somebody else published. Prices are US dollars for a million tokens.
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

# Notes, 2026-11-22: the default for each task.
ALIASES: dict[str, str] = {
    "fast": TEXT,
    "pro": "gemini-4-argon",
    "lite": "gemini-3.5-flash-lite",
    "image": IMAGE,
    "image-pro": "gemini-3-pro-image",
}
# Whoever draws with "pro" means the pro model that draws.
_WHEN_DRAWING: dict[str, str] = {
    "fast": IMAGE,
    "pro": "gemini-3-pro-image",
    "lite": "gemini-3.1-flash-lite-image",
}

_DEFAULTS: dict[Output, str] = {
    "text": TEXT,
    "image": IMAGE,
    "speech": SPEECH,
    "music": MUSIC,
    "video": VIDEO,
}
# What the aliases for texts mean to whoever makes something else with them.
_WHEN_MAKING: dict[Output, dict[str, str]] = {
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

LEVELS = ("minimal", "low", "medium", "high", "xhigh")


@dataclass(frozen=True, slots=True)
class Price:
    """What a million tokens cost from a day on.

    `thought` is 0 where thoughts cost what output does. Cached input counts as input, since no
    price of its own is known. `long` holds for input above 200,000 tokens. `piece` and `second`
    are the price of a file that was made, and of each second it plays.
    """

    since: date
    input: float
    output: float
    thought: float = 0.0
    long: tuple[float, float] | None = None
    piece: float = 0.0
    second: float = 0.0

    def __str__(self) -> str:
        """What goes in and what comes out, or what a file or a second of it costs."""
        if self.piece:
            return f"{self.piece:g} a piece"
        if self.second:
            return f"{self.second:g} a second"
        return f"{self.input:g} / {self.output:g}"

    def of(self, usage: Usage) -> float:
        """What this usage costs."""
        fresh, output = self.input, self.output
        if self.long and usage.input > 200_000:
            fresh, output = self.long
        return (
            (
                (usage.input + usage.tool_use) * fresh
                + usage.output * output
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

    @property
    def aliases(self) -> tuple[str, ...]:
        return tuple(alias for alias, model in ALIASES.items() if model == self.id)

    def price(self, today: date) -> Price | None:
        """The price that holds today; before the first known day, the first one."""
        started = [price for price in self.prices if price.since <= today]
        return started[-1] if started else next(iter(self.prices), None)


_LOW_TO_HIGH = ("low", "medium", "high")
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
) -> Price:
    return Price(date.fromisoformat(since), input, output, thought, long, piece, second)


_TABLE: tuple[Model, ...] = (
    # Notes 2026-11-22: $0.75/$3.75 until 2026-12-31, then $1.50/$7.50; no `minimal`.
    Model(
        TEXT,
        "Gemini 3.8 Flash: the default",
        levels=_LOW_TO_HIGH,
        prices=(_cost("2026-09-01", 0.75, 3.75), _cost("2027-01-01", 1.5, 7.5)),
    ),
    # Notes 2026-11-22: $2/$10 until 2026-11-30, then $4/$20; launched 2026-09-30, paid keys.
    Model(
        "gemini-4-argon",
        "Gemini 4 Argon: the hardest problems",
        levels=_LOW_TO_HIGH,
        prices=(_cost("2026-09-30", 2, 10), _cost("2026-12-01", 4, 20)),
    ),
    # Notes 2026-11-22: GA 2026-11-10, paid keys only, priced as Argon.
    Model(
        "gemini-4-carbon",
        "Gemini 4 Carbon: long agentic work",
        levels=_LOW_TO_HIGH,
        prices=(_cost("2026-11-10", 2, 10), _cost("2026-12-01", 4, 20)),
    ),
    # Notes 2026-11-22: $1.50/$7.50, adds xhigh; an SDK literal, no page of Google's found.
    Model(
        "gemini-4-hydrogen",
        "Gemini 4 Hydrogen",
        levels=(*_LOW_TO_HIGH, "xhigh"),
        prices=(_cost("2026-11-22", 1.5, 7.5),),
    ),
    # SDK 3.4.0 literal, 2026-11-22; no price found.
    Model("gemini-3.7-flash", "Gemini 3.7 Flash"),
    # Notes 2026-11-22: $1.50/$7.50.
    Model("gemini-3.6-flash", "Gemini 3.6 Flash", prices=(_cost("2026-11-22", 1.5, 7.5),)),
    # Notes 2026-11-22: $1.50/$9.
    Model("gemini-3.5-flash", "Gemini 3.5 Flash", prices=(_cost("2026-11-22", 1.5, 9),)),
    # Notes 2026-11-22: $0.30/$2.50, the cheap default.
    Model(
        "gemini-3.5-flash-lite",
        "Gemini 3.5 Flash-Lite: cheap and quick",
        prices=(_cost("2026-11-22", 0.3, 2.5),),
    ),
    # Notes 2026-11-22: $2/$12, above 200k $4/$18.
    Model(
        "gemini-3.1-pro-preview",
        "Gemini 3.1 Pro (preview)",
        prices=(_cost("2026-11-22", 2, 12, long=(4, 18)),),
    ),
    # Notes 2026-11-22: priced as 3.1 Pro.
    Model(
        "gemini-3.1-pro-preview-customtools",
        "Gemini 3.1 Pro for custom tools (preview)",
        prices=(_cost("2026-11-22", 2, 12, long=(4, 18)),),
    ),
    # SDK 3.4.0 literals, 2026-11-22; no prices found.
    Model("gemini-3.1-flash-lite", "Gemini 3.1 Flash-Lite"),
    Model("gemini-3-flash-preview", "Gemini 3 Flash (preview)"),
    Model("gemini-flash-latest", "Latest Gemini Flash"),
    Model("gemini-flash-lite-latest", "Latest Gemini Flash-Lite"),
    Model("gemini-pro-latest", "Latest Gemini Pro"),
    # Notes 2026-11-22 (third-party reading of Google's page of 2026-11-10): both end on
    # 2026-12-01 and are routed to 3.8 Flash and 3.5 Flash-Lite at their prices.
    # Prices until then: no source at hand.
    Model(
        "gemini-2.5-pro",
        "Gemini 2.5 Pro",
        ends=date(2026, 12, 1),
        successor=TEXT,
    ),
    Model(
        "gemini-2.5-flash",
        "Gemini 2.5 Flash",
        ends=date(2026, 12, 1),
        successor="gemini-3.5-flash-lite",
    ),
    # Notes 2026-11-22: stays; no source for its price at hand.
    Model("gemini-2.5-flash-lite", "Gemini 2.5 Flash-Lite"),
    # Notes 2026-11-22: free.
    Model("gemma-4-26b-a4b-it", "Gemma 4 26B", prices=(_cost("2026-11-22", 0, 0),)),
    Model("gemma-4-31b-it", "Gemma 4 31B", prices=(_cost("2026-11-22", 0, 0),)),
    # Notes 2026-11-22: about $0.034 for a 1K image of 1,120 tokens, which is $30 a million.
    # What its input costs has no source at hand and is left out; thoughts count as output.
    Model(
        IMAGE,
        "Nano Banana 2.1: the default for images",
        "image",
        _DRAWING,
        (_cost("2026-10-06", 0, 30),),
    ),
    # Notes 2026-11-22: $0.134 for 1K and 2K (1,120 tokens), $0.24 for 4K (2,000): $120 a
    # million. Its text, in and thought, is priced as 3.1 Pro's: $2/$12.
    Model(
        "gemini-3-pro-image",
        "Gemini 3 Pro Image: the finest images",
        "image",
        _DRAWING,
        (_cost("2026-11-22", 2, 120, thought=12),),
    ),
    # SDK 3.4.0 literal, 2026-11-22: "Gemini 3 Pro Image Preview".
    Model(
        "nano-banana-pro-preview",
        "Gemini 3 Pro Image (preview)",
        "image",
        _DRAWING,
        (_cost("2026-11-22", 2, 120, thought=12),),
    ),
    # Notes 2026-11-22: a third party says it ends on 2026-10-29, Google announced nothing; no
    # source for its price at hand.
    Model("gemini-3.1-flash-image", "Gemini 3.1 Flash Image", "image", _DRAWING),
    # Notes 2026-11-22: 1K only; no price found.
    Model("gemini-3.1-flash-lite-image", "Gemini 3.1 Flash-Lite Image", "image", _DRAWING),
    # No source for its price at hand.
    Model("gemini-2.5-flash-image", "Gemini 2.5 Flash Image", "image"),
    # Third party, November 2026: $6 a million audio tokens for Lite, which is a third less than
    # Flash; text from $0.50. v1beta alone serves speech models (Google, release notes of SDKs).
    Model(
        SPEECH,
        "Gemini 3.8 Flash TTS: the default for speech",
        "speech",
        prices=(_cost("2026-11-22", 0.75, 9),),
    ),
    Model(
        "gemini-3.8-flash-lite-tts",
        "Gemini 3.8 Flash-Lite TTS: cheap and quick",
        "speech",
        prices=(_cost("2026-11-22", 0.5, 6),),
    ),
    # SDK 3.4.0 literal; 3.8 Flash-Lite TTS is its direct replacement. No price found.
    Model("gemini-3.1-flash-tts-preview", "Gemini 3.1 Flash TTS (preview)", "speech"),
    # Notes 2026-11-22: $0.08 a song.
    Model(
        MUSIC,
        "Lyria 3.5: the default for music",
        "music",
        prices=(_cost("2026-11-22", 0, 0, piece=0.08),),
    ),
    # SDK 3.4.0 literals, 2026-11-22; no prices found.
    Model("lyria-3-pro-preview", "Lyria 3 Pro (preview)", "music"),
    Model("lyria-3-clip-preview", "Lyria 3 Clip (preview)", "music"),
    # Notes 2026-11-22: $0.10-0.15 a second for 1.1 Flash; the dearer end for both, and no source
    # for 1.2 at hand. Up to 15 and 10 seconds.
    Model(
        VIDEO,
        "Gemini Omni 1.2 Flash: the default for videos",
        "video",
        prices=(_cost("2026-11-22", 0, 0, second=0.15),),
        longest=15,
    ),
    Model(
        "gemini-omni-1.1-flash",
        "Gemini Omni 1.1 Flash",
        "video",
        prices=(_cost("2026-11-22", 0, 0, second=0.15),),
        longest=10,
    ),
    # SDK 3.4.0 literal, 2026-11-22; no price found.
    Model("gemini-omni-flash-preview", "Gemini Omni Flash (preview)", "video", longest=10),
    # Notes 2026-11-22, documented 2026-09-18: $1-3 for 250k in and 60k out, $3-7 for 900k and
    # 80k, searches included. $4/$18 (3.1 Pro above 200k) gives the middle of both: 2.1 and 5.0.
    Model(AGENTS["fast"], "Deep Research", "agent", prices=(_cost("2026-09-18", 4, 18),)),
    Model(AGENTS["max"], "Deep Research Max", "agent", prices=(_cost("2026-09-18", 4, 18),)),
    # Notes 2026-11-22: $0.25-3.25 a task; what a token costs depends on the model inside.
    Model("antigravity-preview-09-2026", "Antigravity: a sandbox agent", "agent"),
)
_ROWS = {row.id: row for row in _TABLE}

# (pattern of the whole id, successor; "" keeps the kind's default). The first match holds.
_GONE: tuple[tuple[re.Pattern[str], str], ...] = tuple(
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
        # Notes 2026-11-22: replaced; the antigravity of May ended about 2026-10-05.
        (r"deep-research-pro-preview-12-2025", AGENTS["fast"]),
        (r"antigravity-preview-05-2026", "antigravity-preview-09-2026"),
    )
)


@dataclass(frozen=True, slots=True)
class Choice:
    """The model to send, and what to tell the caller about it."""

    model: str
    note: str = ""


def choose(model: str, *, kind: Output = "text", default: str = "", today: date) -> Choice:
    """The model that serves this wish today: an alias, a successor, or the id untouched.

    An empty wish means `default`, itself an id or an alias; an empty default ours for the kind.
    """
    name = _bare(model) or _bare(default) or _DEFAULTS[kind]
    known = name.lower()
    alias = _WHEN_MAKING.get(kind, {}).get(known) or ALIASES.get(known)
    if alias:
        return Choice(alias)
    successor = _successor(known, today)
    if not successor:
        return Choice(known if known in _ROWS else name)
    if kind != "text" and _ROWS[successor].kind != kind:
        successor = _DEFAULTS[kind]
    what = "Agent" if _ROWS[successor].kind == "agent" else "Model"
    return Choice(successor, f"{what} {known} is retired; {successor} was used instead.")


def _bare(model: str) -> str:
    name = model.strip()
    while name[:7].lower() == "models/":
        name = name[7:].strip()
    return name


def _successor(model: str, today: date) -> str:
    """What stands in for this id today; empty when it lives, or nobody has heard of it."""
    row = _ROWS.get(model)
    if row is not None:
        return row.successor if row.ends and today >= row.ends else ""
    gone = next((then for pattern, then in _GONE if pattern.fullmatch(model)), "")
    # A successor may be gone by now too.
    return gone and (_successor(gone, today) or gone)


def level(model: str, thinking: str) -> tuple[str, str]:
    """The thinking level to send and a note when it is not the one asked for.

    Between two that are equally near the lower one is taken: never more than was asked.
    """
    row = _ROWS.get(_bare(model).lower())
    if row is None or not row.levels or thinking in row.levels or thinking not in LEVELS:
        return thinking, ""
    asked = LEVELS.index(thinking)
    nearest = min(row.levels, key=lambda has: (abs(LEVELS.index(has) - asked), LEVELS.index(has)))
    return nearest, f"{row.id} has no thinking level {thinking}; {nearest} was used instead."


def price(model: str, usage: Usage, today: date) -> float | None:
    """An estimate in US dollars; None when nobody here knows the model's price."""
    if not usage.is_itemized:
        return None
    name = _bare(model).lower()
    row = _ROWS.get(_successor(name, today) or name)
    cost = row.price(today) if row else None
    return cost.of(usage) if cost else None


def kind_of(model: str) -> Kind | None:
    """What a model makes; None where nobody here has heard of it."""
    row = _ROWS.get(_bare(model).lower())
    return row.kind if row else None


def longest(model: str) -> int:
    """Seconds of the longest video a model makes; 0 is unknown."""
    row = _ROWS.get(_bare(model).lower())
    return row.longest if row else 0


def known() -> tuple[Model, ...]:
    """Every row of the table, the ones to prefer first."""
    return _TABLE


def is_agent(model: str) -> bool:
    """Whether this id names an agent, which no model call takes."""
    name = _bare(model).lower()
    return name.startswith(("deep-research-", "antigravity-"))


def agent_of(depth: Depth) -> str:
    """The Deep Research agent for this depth."""
    return AGENTS[depth]
