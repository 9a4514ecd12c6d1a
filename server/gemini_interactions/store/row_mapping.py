"""Row mapping: from rows to data classes of the domain, and back."""

# ruff: noqa: S608 - only our own tables and conditions are put into SQL; values travel beside it.

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any, TypeVar

from ..domain.types import Conversation, Turn, TurnSettings, Usage
from ..interactions.json_values import size_of
from .databases.database import Row, Transaction, Value, clean

T = TypeVar("T")

TURN = """conversation_id, n, owner, kind, status, parent, chained, interaction_id, created, sent,
    finished, lease_holder, lease_until, session, fingerprint, delivery, owed, model, usage, error,
    settings, notes, extra, prompt, input, text, steps, task"""
TURN_COLUMNS = tuple(TURN.replace("\n", " ").replace(" ", "").split(","))


EVERYTHING = 2**62
"""For counts: a number that nothing reaches."""


def count(t: Transaction, what: str, values: Sequence[Value], most: int) -> int:
    """How many rows there are of `what`, a table with its condition; stops at `most`, for all
    entries of an index are looked at to count them."""
    found = t.execute(
        f"SELECT COUNT(*) AS found FROM (SELECT 1 AS one FROM {what} LIMIT %s) few",
        (*values, most),
    )
    return int(found[0]["found"])


def folded(text: str) -> str:
    """As it is searched for; databases disagree about upper case beyond ASCII, Python does not."""
    return "".join(piece.casefold() for piece in _pieces(clean(text)))


LARGE = 1_000_000
"""Characters that are worked on at once: meanwhile no other thread runs, the event loop's
included."""


def _pieces(text: str) -> Iterator[str]:
    if len(text) <= LARGE:
        yield text
    else:
        yield from (text[at : at + LARGE] for at in range(0, len(text), LARGE))


def to_json(value: object) -> str:
    if size_of(value) > LARGE:
        return clean("".join(_large_json(value)))
    return clean(_dumps(value))


def _dumps(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _large_json(value: object) -> Iterator[str]:
    """The same JSON, with long texts in pieces."""
    if isinstance(value, str):
        yield '"'
        yield from (_dumps(piece)[1:-1] for piece in _pieces(value))
        yield '"'
    elif isinstance(value, Mapping):
        for number, (name, item) in enumerate(value.items()):
            # Names that are no texts become texts, as in all JSON.
            yield f"{',' if number else '{'}{_dumps({name: 0})[1:-2]}"
            yield from _large_json(item)
        yield "}" if value else "{}"
    elif isinstance(value, list | tuple):
        for number, item in enumerate(value):
            yield "," if number else "["
            yield from _large_json(item)
        yield "]" if value else "[]"
    else:
        yield _dumps(value)


def maybe_json(value: object) -> str | None:
    return None if value is None else to_json(value)


def settings_json(settings: TurnSettings) -> str:
    return to_json(asdict(settings))


def usage_json(usage: Usage | None) -> str | None:
    return None if usage is None else to_json(asdict(usage))


def columns(row: Mapping[str, Value]) -> str:
    return ", ".join(row)


def places(values: Iterable[object]) -> str:
    return ", ".join("%s" for _ in values)


def turn(row: Row) -> Turn:
    return Turn(
        **{
            **row,
            "settings": _settings(row["settings"]),
            "steps": tuple(json.loads(row["steps"])),
            "notes": tuple(json.loads(row["notes"])),
            "usage": _maybe(Usage, row["usage"]),
            "input": _loaded(row["input"]),
            "error": _loaded(row["error"]),
            "extra": json.loads(row["extra"]),
            "task": json.loads(row["task"]) if row["task"] else {},
        }
    )


def conversation(row: Row) -> Conversation:
    return Conversation(**{**row, "stored": bool(row["stored"])})


def _settings(text: str) -> TurnSettings:
    known = _known(TurnSettings, json.loads(text))
    return TurnSettings(**{**known, "tools": tuple(known.get("tools", ()))})


def _loaded(text: str | None) -> Any:
    return None if text is None else json.loads(text)


def _maybe(kind: type[T], text: str | None) -> T | None:
    return None if text is None else kind(**_known(kind, json.loads(text)))


def _known(kind: Any, values: dict[str, Any]) -> dict[str, Any]:
    """Another version of this program may have written a field this one has not heard of."""
    names = {field.name for field in fields(kind)}
    return {name: value for name, value in values.items() if name in names}
