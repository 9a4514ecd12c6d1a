"""Model list: which models there are today, by our table and by Google's live list."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime

import anyio

from ..config.settings import Config
from ..domain.errors import Refused, UpstreamError
from ..domain.models import model_catalog, model_table
from ..domain.models.voices import VOICES
from .history import when
from .ports import Gemini, Offered

HOUR = 3600.0
MOST_VOICES = 100
"""How many voices of a key's own are named."""
PAUSE = 30.0
"""Seconds after a failure in which Google is not asked again."""
PATIENCE = 10.0
"""Seconds to wait for the live list; the table is there without it."""

log = logging.getLogger(__name__)


class ModelList:
    """Our dated table merged with what Google offers to this key, looked up at most once an hour.

    `now` is the wall clock, in epoch seconds.
    """

    def __init__(self, gemini: Gemini, now: Callable[[], float], config: Config) -> None:
        self._gemini = gemini
        self._now = now
        self._config = config
        self._voices: Sequence[str] = ()
        self._live: Sequence[Offered] = ()
        self._as_of = 0.0
        self._failure = ("", 0.0)
        self._looking = anyio.Lock()

    async def as_text(self) -> str:
        """All models as Markdown; without key or network the table alone, and why."""
        trouble = await self._look()
        today = self._today()
        model = model_catalog.choose(self._config.model, today=today).model
        image_model = model_catalog.choose(
            self._config.image_model, kind="image", today=today
        ).model
        rows = [row for row in model_catalog.known() if not _is_over(row, today)]
        offered = {each.id: each for each in self._live}
        lines = [
            "# Gemini models",
            "",
            f"Default {model}, for images {image_model}. "
            "Any id passes through; retired ones are replaced by their successor.",
            trouble or f"Live list of {when(self._as_of)}: ✓ is offered to this server's key.",
            "Prices are estimates in the standard tier; `service_tier` flex costs half of them, "
            "priority 1.8 times as much.",
            *_changes(today),
            "",
            "| model | what | alias | thinking | $ in / cached in / out (1M tokens) | live |",
            "|---|---|---|---|---|---|",
            *(_row(row, today, _mark(row, offered)) for row in rows),
        ]
        others = [each for id, each in offered.items() if id not in {row.id for row in rows}]
        if others:
            lines += ["", "Also offered, without a row in the table:", ""]
            lines += [_other(each) for each in others]
        if "media" in self._config.toolsets:
            lines += self._spoken()
        return "\n".join(lines)

    def _spoken(self) -> list[str]:
        """The voices: those of the table, and what else Google lists for this key."""
        own = [voice for voice in self._voices if voice not in VOICES]
        told = [f"{voice} ({manner})" for voice, manner in VOICES.items()]
        lines = ["", "Voices of speech models: " + ", ".join(told) + "."]
        if own:
            lines.append(f"Also for this key: {', '.join(own[:MOST_VOICES])}.")
        return lines

    def names(self, kind: model_catalog.Kind) -> list[str]:
        """Aliases and ids of a kind, for completion; no call is made for it."""
        today = self._today()
        rows = [
            row for row in model_catalog.known() if row.kind == kind and not _is_over(row, today)
        ]
        aliases = [alias for row in rows for alias in row.aliases(today)]
        return [*aliases, *(row.id for row in rows)]

    def _today(self) -> date:
        return datetime.fromtimestamp(self._now(), UTC).date()

    async def _look(self) -> str:
        """Bring the live list up to date; why that failed, in a sentence."""
        async with self._looking:
            if self._live and 0 <= self._now() - self._as_of < HOUR:
                return ""
            why, since = self._failure
            if not why or not 0 <= self._now() - since < PAUSE:
                why = await self._ask()
            before = f", {when(self._as_of)} is the last known" if self._live else ""
            return f"No live list from Google{before}: {why}" if why else ""

    async def _ask_voices(self) -> None:
        """The voices of this key; the table is there without them."""
        try:
            self._voices = await self._gemini.voices()
        except (Refused, UpstreamError):
            log.info("Google did not list its voices", exc_info=True)

    async def _ask(self) -> str:
        """Google's answer becomes the live list; "" or why there is none."""
        why = "it did not answer in time."
        try:
            with anyio.move_on_after(PATIENCE):
                if "media" in self._config.toolsets:
                    await self._ask_voices()
                self._live, self._as_of = await self._gemini.models(), self._now()
                why = ""
        except Refused as refusal:
            return str(refusal)  # costs nobody anything, and a key may be there the next time
        except UpstreamError as problem:
            why = problem.message
        self._failure = (why, self._now())
        return why


def _is_over(row: model_catalog.Model, today: date) -> bool:
    return row.ends is not None and today >= row.ends


def _mark(row: model_catalog.Model, offered: dict[str, Offered]) -> str:
    return "✓" if row.id in offered else "no" if offered and row.kind != "agent" else ""


def _row(row: model_catalog.Model, today: date, mark: str) -> str:
    cost = row.price(today)
    price = _shown(cost) if cost else ""
    following = next((each for each in row.prices if each.since > today), None)
    if following and cost:
        price += f" (from {following.since}: {_shown(following)})"
    end = f"until {row.ends}, then {row.successor}" if row.ends else ""
    what = "; ".join(each for each in (row.title, row.note, end) if each)
    cells = (row.id, what, ", ".join(row.aliases(today)), ", ".join(row.levels), price, mark)
    return f"| {' | '.join(cells)} |"


def _shown(cost: model_catalog.Price) -> str:
    text = f" ({cost.text:g} for text)" if cost.text else ""
    if not cost.cached:
        return f"{cost}{text}"
    return f"{cost.input:g} / {cost.cached:g} / {cost.output:g}"


def _changes(today: date) -> list[str]:
    """What the aliases will stand for, from which day on."""
    return [
        f"From {since} on `{alias}` stands for {model}."
        for alias, rows in model_table.ALIASES.items()
        for since, model in rows
        if since > today
    ]


def _other(offered: Offered) -> str:
    name = " ".join(offered.display_name.split())
    limits = f", {offered.input_tokens:,} tokens in" if offered.input_tokens else ""
    limits += f", {offered.output_tokens:,} out" if offered.output_tokens else ""
    return f"- {offered.id}{f' ({name})' if name and name != offered.id else ''}{limits}"
