"""What an ask costs in the things that take time: transactions, and hops to other threads.

The figures themselves are measured by `make bench`; these are their causes.
"""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import anyio.to_thread
import pytest

from gemini_interactions.store.databases.transaction_thread import TransactionThread
from gemini_interactions.store.databases.transactions import Transactions
from tests.support.app_harness import AppHarness

TRANSACTIONS = 6
"""Of a first ask over stdio: look for an identical call, write the turn down, prove the lease,
keep Google's id, finish, remember the session's conversation."""


class CallCounter:
    """Counts calls of functions, made in the thread of the test."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._patch = monkeypatch
        self._thread = threading.get_ident()
        self.calls: Counter[str] = Counter()

    def watch(self, owner: Any, name: str) -> None:
        original: Callable[..., Any] = getattr(owner, name)

        def counted(*args: Any, **named: Any) -> Any:
            if threading.get_ident() == self._thread:
                self.calls[name] += 1
            return original(*args, **named)

        self._patch.setattr(owner, name, counted)


@pytest.fixture
def counter(monkeypatch: pytest.MonkeyPatch) -> CallCounter:
    return CallCounter(monkeypatch)


async def test_an_ask_is_six_transactions(harness: AppHarness, counter: CallCounter) -> None:
    client = await harness.connect()
    await client.call("gemini_ask", prompt="Hello.")
    counter.watch(Transactions, "_run")

    await client.call("gemini_ask", prompt="Hello again.")

    assert counter.calls["_run"] == TRANSACTIONS


async def test_only_transactions_leave_the_event_loop(
    harness: AppHarness, counter: CallCounter
) -> None:
    client = await harness.connect()
    await client.call("gemini_ask", prompt="Hello.")
    counter.watch(TransactionThread, "_put")
    counter.watch(anyio.to_thread, "run_sync")
    counter.watch(asyncio, "to_thread")

    await client.call("gemini_ask", prompt="Hello again.")

    assert counter.calls == {"_put": TRANSACTIONS}
