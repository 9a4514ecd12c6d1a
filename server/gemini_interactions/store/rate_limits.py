"""How often owners called within the last minute, where several processes count together."""

from __future__ import annotations

from .databases.database import Transaction

MINUTE = 60.0


def count_call(t: Transaction, owner: str, most: int, now: float) -> float:
    """Counts a call; seconds until there is room again where there were `most` already."""
    now = t.clock(now)
    # The owner's row first: whoever else counts for them waits for our commit.
    t.change(
        "INSERT INTO call_counts (owner, n) VALUES (%s, 1) "
        "ON CONFLICT (owner) DO UPDATE SET n = call_counts.n + 1",
        (owner,),
    )
    # A call from the future was made before a clock was set back: forget it too.
    t.change(
        "DELETE FROM calls_made WHERE owner = %s AND (at <= %s OR at > %s)",
        (owner, now - MINUTE, now),
    )
    (made,) = t.execute(
        "SELECT COUNT(*) AS made, MIN(at) AS first FROM calls_made WHERE owner = %s", (owner,)
    )
    if int(made["made"]) >= most:
        return max(float(made["first"]) + MINUTE - now, 1.0)
    t.change(
        "INSERT INTO calls_made (owner, n, at) "
        "SELECT owner, n, %s FROM call_counts WHERE owner = %s",
        (now, owner),
    )
    return 0.0
