"""Reservations: what turns in flight may still use of their owner's daily limits.

A reservation is written in the transaction that admits its turn, and deleted in the one that
ends it, which books the real use instead. So no process, alive or not, can lose or double one.
"""

# ruff: noqa: S608 - only names of our own columns are put into SQL; values travel beside it.

from __future__ import annotations

from typing import Any

from ..domain.daily_limits import Booking, BudgetState, Reservation, has_room, refusal
from ..domain.errors import OverLimit
from ..domain.types import Turn, Usage
from . import usage
from .databases.database import Row, Transaction

_THIS = "conversation_id = %s AND n = %s AND owner = %s"

ESTIMATED = "booked_estimate"
"""Where a turn's `extra` keeps the estimate that was booked for want of its real use."""


def add(t: Transaction, key: tuple[str, int, str], reservation: Reservation, *, now: float) -> None:
    """Reserve for a new turn; OverLimit where that does not fit beside all that is reserved."""
    conversation_id, n, owner = key
    if reservation.limits:
        lock(t, owner)
        _check(state(t, owner, reservation.day), reservation, now)
    t.change(
        "INSERT INTO reservations (conversation_id, n, owner, day, model, tokens, usd, sent) "
        "VALUES (%s, %s, %s, %s, %s, %s, %s, 0)",
        (
            conversation_id,
            n,
            owner,
            reservation.day,
            reservation.model,
            reservation.tokens,
            reservation.usd,
        ),
    )


def confirm(t: Transaction, turn: Turn, reservation: Reservation, *, now: float) -> None:
    """Renew the estimate of a turn that is about to be sent; OverLimit where it no longer fits
    beside what has been sent before it. What waits behind it does not count."""
    found = t.execute(f"SELECT day FROM reservations WHERE {_THIS}", _key(turn))
    if not found:  # written by an older version, which reserved nothing
        return
    day = str(found[0]["day"])
    if reservation.limits:
        lock(t, turn.owner)
        t.change(f"UPDATE reservations SET sent = 0 WHERE {_THIS}", _key(turn))
        _check(state(t, turn.owner, day, only_sent=True), reservation, now)
    t.change(
        f"UPDATE reservations SET model = %s, tokens = %s, usd = %s, sent = 1 WHERE {_THIS}",
        (reservation.model, reservation.tokens, reservation.usd, *_key(turn)),
    )


def settle(
    t: Transaction,
    turn: Turn,
    booking: Booking | None,
    extra: dict[str, Any],
    *,
    books_estimate: bool,
) -> None:
    """Delete the reservation of a turn that ends, and book what it used instead.

    Without a `booking` its estimate is booked, if it `books_estimate` and was sent; `extra` then
    says so, and a later booking takes the place of the estimate.
    """
    found = t.execute(
        f"SELECT day, model, tokens, usd, sent FROM reservations WHERE {_THIS}", _key(turn)
    )
    reserved = found[0] if found else None
    if reserved is not None:
        t.change(f"DELETE FROM reservations WHERE {_THIS}", _key(turn))
    estimate: Row | None = extra.get(ESTIMATED)
    if booking is not None:
        if estimate:
            _book_estimate(t, turn.owner, estimate, -1)
            extra.pop(ESTIMATED)
        day = (reserved or estimate or {}).get("day") or usage.day_of(turn.created)
        usage.add_usage(t, turn.owner, day, booking.model, booking.usage, booking.usd)
    elif books_estimate and reserved is not None and reserved["sent"]:
        estimate = {name: reserved[name] for name in ("day", "model", "tokens", "usd")}
        _book_estimate(t, turn.owner, estimate, 1)
        extra[ESTIMATED] = estimate


def forget(t: Transaction, conversation: tuple[str, str]) -> None:
    """Of a conversation (id, owner) that is deleted, what runs at Google is booked as estimated."""
    # With the number SQLite goes by the conversation, not through all that the owner runs.
    ours = "conversation_id = %s AND n > 0 AND owner = %s"
    sent = t.execute(
        f"SELECT day, model, tokens, usd FROM reservations WHERE {ours} AND sent = 1", conversation
    )
    for each in sent:
        _book_estimate(t, conversation[1], each, 1)
    t.change(f"DELETE FROM reservations WHERE {ours}", conversation)


def state(t: Transaction, owner: str, day: str, *, only_sent: bool = False) -> BudgetState:
    """What is booked and reserved on a day, seen at one moment: a turn that ends between two
    looks would be missing in both."""
    ours = (owner, day)
    sent = " AND sent = 1" if only_sent else ""
    reserved = f"FROM reservations WHERE owner = %s AND day = %s{sent}"
    booked = "FROM usage WHERE owner = %s AND day = %s"
    (found,) = t.execute(
        f"SELECT (SELECT SUM(total) {booked}) AS tokens, (SELECT SUM(usd) {booked}) AS usd, "
        f"(SELECT SUM(tokens) {reserved}) AS held_tokens, (SELECT SUM(usd) {reserved}) AS held_usd",
        ours * 4,
    )
    return BudgetState(
        int(found["tokens"] or 0),
        float(found["usd"] or 0.0),
        int(found["held_tokens"] or 0),
        float(found["held_usd"] or 0.0),
    )


def _check(state: BudgetState, reservation: Reservation, now: float) -> None:
    if not has_room(state, reservation):
        raise OverLimit(refusal(state, reservation, now))


def lock(t: Transaction, owner: str) -> None:
    """Whoever else admits or sends work of this owner commits first. Taken last in every
    transaction, after conversation and turn: nobody waits in a circle."""
    t.change(
        "INSERT INTO budget_locks (owner) VALUES (%s) "
        "ON CONFLICT (owner) DO UPDATE SET owner = excluded.owner",
        (owner,),
    )


def _book_estimate(t: Transaction, owner: str, estimate: Row, sign: int) -> None:
    used = Usage(total=sign * int(estimate["tokens"]))
    usd = sign * float(estimate["usd"])
    usage.add_usage(
        t,
        owner,
        str(estimate["day"]),
        str(estimate["model"]),
        used,
        usd,
        calls=sign,
        estimated=sign,
    )


def _key(turn: Turn) -> tuple[str, int, str]:
    return turn.conversation_id, turn.n, turn.owner
