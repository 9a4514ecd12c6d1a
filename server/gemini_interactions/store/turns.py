"""Turns: found, marked as sent and named, finished; and who runs them (the lease)."""

# ruff: noqa: S608 - only names of our own columns are put into SQL; values travel beside it.

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ..domain.daily_limits import Booking, Reservation
from ..domain.errors import NoPlace
from ..domain.status import CHAINABLE, GIVEN_UP, Status
from ..domain.types import Preparation, Step, Turn, TurnSettings, Usage
from . import reservations, row_mapping
from .databases.database import Row, Transaction, Value, clean

_THIS = "conversation_id = %s AND n = %s AND owner = %s"


def turn(t: Transaction, owner: str, conversation_id: str, n: int) -> Turn | None:
    return _first(
        t.execute(
            f"SELECT {row_mapping.TURN} FROM turns WHERE {_THIS}", (conversation_id, n, owner)
        )
    )


def newest(t: Transaction, owner: str, conversation_id: str) -> Turn | None:
    return _first(
        t.execute(
            f"SELECT {row_mapping.TURN} FROM turns WHERE conversation_id = %s AND owner = %s "
            "ORDER BY n DESC LIMIT 1",
            (conversation_id, owner),
        )
    )


def all_of(t: Transaction, owner: str, conversation_id: str) -> list[Turn]:
    found = t.execute(
        f"SELECT {row_mapping.TURN} FROM turns "
        "WHERE conversation_id = %s AND owner = %s ORDER BY n",
        (conversation_id, owner),
    )
    return [row_mapping.turn(row) for row in found]


def lineage(t: Transaction, owner: str, conversation_id: str, n: int) -> list[Turn]:
    """From that turn back to the first; a parent always has the smaller number."""
    ours = (conversation_id, owner)
    found = t.execute(
        "WITH RECURSIVE line (n, parent) AS ("
        f"SELECT n, parent FROM turns WHERE {_THIS} "
        "UNION ALL SELECT older.n, older.parent FROM turns older "
        "JOIN line ON older.n = line.parent AND older.n < line.n "
        "WHERE older.conversation_id = %s AND older.owner = %s) "
        f"SELECT {row_mapping.TURN} FROM turns WHERE conversation_id = %s AND owner = %s "
        "AND n IN (SELECT n FROM line) ORDER BY n DESC",
        (ours[0], n, ours[1], *ours, *ours),
    )
    return [row_mapping.turn(row) for row in found]


def of_interaction(t: Transaction, owner: str, interaction_id: str) -> Turn | None:
    if not interaction_id:
        return None
    return _first(
        t.execute(
            f"SELECT {row_mapping.TURN} FROM turns WHERE owner = %s AND interaction_id = %s "
            "ORDER BY created DESC, n DESC LIMIT 1",
            (owner, interaction_id),
        )
    )


def prepare(
    t: Transaction,
    turn: Turn,
    *,
    holder: str,
    chained: int | None,
    settings: TurnSettings | None,
    notes: Sequence[str] | None,
    input: list[dict[str, Any]] | None,
) -> bool:
    values = _prepared(Preparation(chained, settings, notes, input))
    return _set(t, turn, values, "status = 'running' AND lease_holder = %s", holder)


def _prepared(preparation: Preparation) -> dict[str, Value]:
    values: dict[str, Value] = {"chained": preparation.chained}
    if preparation.settings is not None:
        values["settings"] = row_mapping.settings_json(preparation.settings)
    if preparation.notes is not None:
        values["notes"] = row_mapping.to_json(list(preparation.notes))
    if preparation.input is not None:
        values["input"] = row_mapping.to_json(preparation.input)
    return values


def claim_send(
    t: Transaction,
    turn: Turn,
    *,
    holder: str,
    now: float,
    lease_until: float,
    reservation: Reservation | None,
    preparation: Preparation | None = None,
    places: int = 0,
) -> bool:
    # The lease is compared and set before the budget is looked at: nobody waits in a circle.
    held = _set(
        t,
        turn,
        {
            "sent": turn.sent or now,
            "lease_until": t.clock(now) + lease_until - now,
            **(_prepared(preparation) if preparation is not None else {}),
        },
        "status = 'running' AND lease_holder = %s",
        holder,
    )
    if held and places:
        _take_place(t, turn, places, t.clock(now))
    if held and reservation is not None:
        reservations.confirm(t, turn, reservation, now=now)
    return held


def _take_place(t: Transaction, turn: Turn, places: int, now: float) -> None:
    """NoPlace where so many other turns of the owner are at Google, and their calls wait there."""
    reservations.lock(t, turn.owner)
    # SQLite would otherwise go through all turns of the owner, instead of those that run.
    (others,) = t.execute(
        "SELECT COUNT(*) AS n FROM turns WHERE owner || '' = %s AND status = 'running' "
        "AND sent IS NOT NULL AND lease_until > %s AND kind NOT IN ('research', 'video', 'agent') "
        "AND REPLACE(extra, %s, '') = extra AND NOT (conversation_id = %s AND n = %s)",
        (turn.owner, now, '"background":true', turn.conversation_id, turn.n),
    )
    if int(others["n"]) >= places:
        raise NoPlace()


def named(t: Transaction, turn: Turn, interaction_id: str, *, holder: str) -> bool:
    # Somebody may have given the turn up meanwhile: its id is kept, so that it can be found.
    values = {"interaction_id": interaction_id}
    open_to = "((status = 'running' AND lease_holder = %s) "
    open_to += "OR (status = 'interrupted' AND interaction_id = ''))"
    return _set(t, turn, values, open_to, holder)


def finish_and_read(
    t: Transaction,
    turn: Turn,
    *,
    status: Status,
    now: float,
    steps: Sequence[Step],
    usage: Usage | None,
    model: str,
    text: str,
    notes: Sequence[str],
    error: Mapping[str, str] | None,
    interaction_id: str | None,
    extra: Mapping[str, Any] | None,
    booking: Booking | None,
    books_estimate: bool,
    is_read: bool = False,
) -> tuple[bool, Turn | None]:
    """How the turn ended; whether it took, and the turn as it now stands (None: it is gone)."""
    # Conversation before turn, as everywhere: nobody waits in a circle.
    t.change(
        "UPDATE conversations SET updated = %s WHERE id = %s AND owner = %s AND updated < %s",
        (now, turn.conversation_id, turn.owner, now),
    )
    before = t.execute(f"SELECT notes, extra FROM turns WHERE {_THIS}", _key(turn))
    if not before:
        return False, None
    said: list[str] = json.loads(before[0]["notes"])
    remarks: dict[str, Any] = {**json.loads(before[0]["extra"]), **(extra or {})}
    values: dict[str, Value] = {
        "status": status,
        "finished": now,
        "lease_holder": "",
        "lease_until": 0.0,
        "steps": row_mapping.to_json(list(steps)),
        "usage": row_mapping.usage_json(usage),
        "model": model,
        "text": clean(text),
        "notes": row_mapping.to_json([*said, *(note for note in notes if note not in said)]),
        "error": row_mapping.maybe_json(None if error is None else dict(error)),
        "extra": row_mapping.to_json(remarks),
    }
    if interaction_id is not None:
        values["interaction_id"] = interaction_id
    if is_read:
        values |= {"delivery": "delivered", "owed": None}
    # A real outcome beats "interrupted"; among two of a kind the first stays.
    open_to = ("running",) if status in GIVEN_UP else ("running", *GIVEN_UP)
    took = _set(t, turn, values, f"status IN {_listed(open_to)}")
    if took:
        unsettled = dict(remarks)
        reservations.settle(t, turn, booking, remarks, books_estimate=books_estimate)
        if remarks != unsettled:
            _set(t, turn, {"extra": row_mapping.to_json(remarks)})
        t.change(
            f"UPDATE words SET answer = %s WHERE {_THIS}", (row_mapping.folded(text), *_key(turn))
        )
    # What was written just now, and may be megabytes, is not read.
    known = {name: values[name] for name in ("text", "steps")} if took else {}
    columns = [name for name in row_mapping.TURN_COLUMNS if name not in known]
    found = t.execute(f"SELECT {', '.join(columns)} FROM turns WHERE {_THIS}", _key(turn))
    return took, row_mapping.turn({**found[0], **known}) if found else None


def remark(t: Transaction, turn: Turn, facts: Mapping[str, Any], *, holder: str) -> bool:
    """Add to what is known of a running turn, such as what it is doing."""
    before = t.execute(f"SELECT extra FROM turns WHERE {_THIS}", _key(turn))
    if not before:
        return False
    values = {"extra": row_mapping.to_json({**json.loads(before[0]["extra"]), **facts})}
    return _set(t, turn, values, "status = 'running' AND lease_holder = %s", holder)


def mark_task(t: Transaction, turn: Turn, facts: Mapping[str, Any]) -> dict[str, Any]:
    while before := t.execute(f"SELECT task FROM turns WHERE {_THIS}", _key(turn)):
        text = before[0]["task"]
        known: dict[str, Any] = json.loads(text) if text else {}
        marked = {**facts, **known} if "answer" in known else {**known, **facts}
        if _set(t, turn, {"task": row_mapping.to_json(marked)}, "task = %s", text):
            return marked
        # Somebody else has marked it between the two.
    return {}


def with_cancelled_task(t: Transaction, holder: str) -> list[str]:
    found = t.execute(
        "SELECT conversation_id, n FROM turns WHERE status = 'running' AND lease_holder = %s "
        "AND task LIKE %s",
        (holder, '%"cancel":true%'),
    )
    return [f"{row['conversation_id']}/{row['n']}" for row in found]


def renew(t: Transaction, holder: str, until: float, now: float | None) -> int:
    until = until if now is None else t.clock(now) + until - now
    return t.change(
        "UPDATE turns SET lease_until = %s WHERE status = 'running' AND lease_holder = %s",
        (until, holder),
    )


def release(t: Transaction, holder: str) -> int:
    return renew(t, holder, 0.0, None)


def let_go(t: Transaction, turn: Turn, *, holder: str) -> bool:
    return _set(t, turn, {"lease_holder": ""}, "status = 'running' AND lease_holder = %s", holder)


SLACK = 5.0
"""How much further in the future than its whole length a lease may end, in seconds: clocks are
corrected by small steps all the time."""

_OVER = "(lease_until < %s OR (lease_seconds > 0 AND lease_until > %s + lease_seconds))"


def expired(t: Transaction, now: float, limit: int) -> list[Turn]:
    """Those whose lease has ended, or ends later than it can: a clock was set back since."""
    now = t.clock(now)
    found = t.execute(
        f"SELECT {row_mapping.TURN} FROM turns WHERE status = 'running' AND {_OVER} "
        "ORDER BY lease_until LIMIT %s",
        (now, now + SLACK, limit),
    )
    return [row_mapping.turn(row) for row in found]


def is_expired(t: Transaction, turn: Turn, now: float) -> bool:
    now = t.clock(now)
    return bool(
        t.execute(
            f"SELECT 1 AS found FROM turns WHERE {_THIS} AND status = 'running' AND {_OVER}",
            (*_key(turn), now, now + SLACK),
        )
    )


def take_over(t: Transaction, turn: Turn, holder: str, until: float, now: float | None) -> bool:
    seconds = 0.0 if now is None else until - now
    until = until if now is None else t.clock(now) + seconds
    # PostgreSQL evaluates the condition again after waiting for the row, so two replicas
    # never hold one turn. Whoever waited for it did so in the process that died: the same
    # call may join it now.
    return bool(
        t.change(
            "UPDATE turns SET lease_holder = %s, lease_until = %s, lease_seconds = %s, "
            "owed = CASE WHEN delivery = 'waiting' THEN lease_until ELSE owed END, "
            "delivery = CASE WHEN delivery = 'waiting' THEN 'owed' ELSE delivery END "
            f"WHERE {_THIS} AND status = 'running' AND lease_holder = %s AND lease_until = %s",
            (holder, until, seconds, *_key(turn), turn.lease_holder, turn.lease_until),
        )
    )


def waits(t: Transaction, turn: Turn, delivery: str, *, now: float) -> bool:
    values: dict[str, Value] = {"delivery": delivery, "owed": now if delivery == "owed" else None}
    return _set(t, turn, values)


def joinable(
    t: Transaction, owner: str, session: str, fingerprint: str, *, since: float
) -> Turn | None:
    if not fingerprint:
        return None
    of_session, values = ("AND session = %s", (session,)) if session else ("", ())
    return _first(
        t.execute(
            f"SELECT {row_mapping.TURN} FROM turns "
            f"WHERE owner = %s AND fingerprint = %s {of_session} "
            "AND delivery = 'owed' AND owed >= %s "
            f"AND status IN {_listed(('running', *CHAINABLE))} "
            "ORDER BY created DESC, n DESC LIMIT 1",
            (owner, fingerprint, *values, since),
        )
    )


def waited_for(
    t: Transaction, owner: str, session: str, fingerprint: str, *, before: float
) -> Turn | None:
    of_session, values = ("AND session = %s", (session,)) if session else ("", ())
    found = t.execute(
        f"SELECT {row_mapping.TURN} FROM turns "
        f"WHERE owner = %s AND fingerprint = %s {of_session} "
        "AND delivery = 'waiting' AND status = 'running' ORDER BY created LIMIT 2",
        (owner, fingerprint, *values),
    )
    turn = _first(found) if len(found) == 1 else None
    return turn if turn is not None and turn.created <= before else None


def waiting_for_results(t: Transaction, owner: str, limit: int) -> list[Turn]:
    found = t.execute(
        f"SELECT {row_mapping.TURN} FROM turns WHERE owner = %s AND status = 'requires_action' "
        "AND NOT EXISTS (SELECT 1 FROM turns later WHERE "
        "later.conversation_id = turns.conversation_id AND later.n > turns.n "
        "AND (later.parent = turns.n OR later.chained = turns.n) "
        "AND later.status NOT IN ('failed', 'cancelled', 'interrupted')) "
        "ORDER BY created DESC LIMIT %s",
        (owner, limit),
    )
    return [row_mapping.turn(row) for row in found]


def claim_join(t: Transaction, turn: Turn) -> bool:
    return _set(t, turn, {"delivery": "waiting", "owed": None}, "delivery = 'owed'")


def _set(
    t: Transaction, turn: Turn, values: Mapping[str, Value], only_if: str = "", *seen: Value
) -> bool:
    """Compare and set; whether it took."""
    changes = ", ".join(f"{name} = %s" for name in values)
    condition = f"{_THIS} AND {only_if}" if only_if else _THIS
    return bool(
        t.change(
            f"UPDATE turns SET {changes} WHERE {condition}",
            (*values.values(), *_key(turn), *seen),
        )
    )


def _key(turn: Turn) -> tuple[str, int, str]:
    return turn.conversation_id, turn.n, turn.owner


def _first(found: list[Row]) -> Turn | None:
    return row_mapping.turn(found[0]) if found else None


def _listed(statuses: Sequence[str]) -> str:
    """Words of our own for `IN`."""
    quoted = [f"'{each}'" for each in statuses]
    return f"({', '.join(quoted)})"
