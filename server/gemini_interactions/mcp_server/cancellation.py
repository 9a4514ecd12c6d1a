"""Calls in flight, and what a host's cancel means for them.

Hosts send `notifications/cancelled` for their own time-outs too, and some after every
finished call. Only a reason that says somebody aborted stops work; any other detaches:
the work goes on and gemini_result has it. The SDK cancels the handler first and shows the
reason only afterwards, so a call that was cut off is remembered until its cancel is seen.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from ..domain.types import Turn

_ABORTED = re.compile("abort|user|interrupt", re.IGNORECASE)
REMEMBERED = 1000
"""How many calls that were cut off are remembered at most."""

Key = tuple[str, str]
"""The connection and the request id: ids are the client's choice, and only its own."""


def stops(reason: Any) -> bool:
    """Whether a cancel's reason says that somebody aborted."""
    return isinstance(reason, str) and bool(_ABORTED.search(reason))


class InFlightCall:
    """One request and the turn it makes, once there is one."""

    def __init__(self) -> None:
        self.turn: Turn | None = None
        self.aborted = False
        self.is_joined = False

    def joins(self) -> None:
        """It gets the turn that an earlier call has made."""
        self.is_joined = True

    def made(self, turn: Turn) -> bool:
        """Remember the turn; whether an abort had come before there was one."""
        # Where it is, that is: its words, perhaps megabytes, are not remembered with it.
        self.turn = replace(turn, prompt="", input=None, steps=(), text="")
        return self.aborted


class InFlightCalls:
    """The calls that have not answered: in flight, or cut off a moment ago."""

    def __init__(self) -> None:
        self._open: dict[Key, InFlightCall] = {}
        self._cut_off: OrderedDict[Key, InFlightCall] = OrderedDict()

    @contextmanager
    def opened(self, key: Key | None) -> Iterator[InFlightCall]:
        """A call in flight; without a key no cancel can be meant for it."""
        call = InFlightCall()
        if key is None:
            yield call
            return
        self._open[key] = call
        try:
            yield call
        except BaseException:
            self._cut_off[key] = call
            while len(self._cut_off) > REMEMBERED:
                self._cut_off.popitem(last=False)
            raise
        finally:
            # One that answered is forgotten: a cancel that comes later means nothing.
            if self._open.get(key) is call:
                del self._open[key]

    def cancelled(self, key: Key | None, reason: Any) -> Turn | None:
        """The turn to stop for this cancel, if any."""
        if key is None:
            return None
        call = self._open.get(key) or self._cut_off.pop(key, None)
        if call is None or not stops(reason):
            return None
        call.aborted = True
        return call.turn


def fingerprint(tool: str, arguments: dict[str, Any], sender: str = "") -> str:
    """Equal for identical calls of a tool, whatever order the arguments came in; with a `sender`,
    for those of clients of that name."""
    call = [tool, arguments, sender] if sender else [tool, arguments]
    told = json.dumps(call, sort_keys=True, default=str)
    return hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()
