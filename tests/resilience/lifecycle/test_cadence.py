"""The rhythm of progress: a word at least every 5 s, at most 4 a second, and an end in time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from itertools import pairwise

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemini_interactions.bridge.requests import Progress
from gemini_interactions.bridge.turns.execution.running_turns import RunningTurn
from gemini_interactions.domain.types import Turn
from gemini_interactions.mcp_server.progress_notifications import reporting
from tests.support.virtual_time_loop import run_in_virtual_time

TURN = Turn("c_0000000000", 1, "local", "ask", "running", sent=1.0)

Words = list[tuple[float, str]]


def listen(
    wait: float, happenings: Sequence[float] = (), end: float | None = None
) -> tuple[Words, float]:
    """What a waiting client hears and when it is let go; things happen after so many seconds."""
    words: Words = []
    left = 0.0

    async def main() -> None:
        nonlocal left
        work = RunningTurn(TURN)

        async def happen() -> None:
            for number, pause in enumerate(happenings):
                await anyio.sleep(pause)
                delta = {"type": "text", "text": f"word {number} "}
                work.draft.add({"event_type": "step.delta", "index": 0, "delta": delta})
                work.changed()

        async def finish(after: float) -> None:
            await anyio.sleep(after)
            work.finished(TURN)

        async def hear(seconds: float, doing: str) -> None:
            assert seconds == pytest.approx(anyio.current_time())
            words.append((seconds, doing))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(happen)
            if end is not None:
                tasks.start_soon(finish, end)
            await work.wait(wait, hear)
            left = anyio.current_time()
            tasks.cancel_scope.cancel()

    run_in_virtual_time(main)
    return words, left


def gaps(words: Words, until: float) -> list[float]:
    return [later - earlier for earlier, later in pairwise([0.0, *(at for at, _ in words), until])]


def test_somebody_who_waits_for_silence_hears_that_we_are_there() -> None:
    words, left = listen(600)

    assert left == pytest.approx(600)
    assert max(gaps(words, left)) <= 5
    assert {doing for _, doing in words} == {"Waiting for Gemini"}


def test_the_first_word_comes_at_once() -> None:
    words, _ = listen(1)

    assert words[0][0] == 0


def test_much_that_happens_is_told_four_times_a_second_at_most() -> None:
    words, left = listen(20, [0.01] * 2000)

    assert left == pytest.approx(20)
    assert all(
        sum(start <= at < start + 1 for at, _ in words) <= 4 for start in (at for at, _ in words)
    )
    assert len(words) > 40


def test_news_is_told_at_once_after_silence() -> None:
    words, _ = listen(60, [10.0])

    assert next(at for at, word in words if word == "Writing: word 0") == pytest.approx(10.0)


def test_who_waits_is_let_go_the_moment_the_work_is_done() -> None:
    for end in (0.0, 0.1, 0.25, 3.9, 4.0, 4.1, 44.999):
        words, left = listen(45, end=end)

        assert left == pytest.approx(end)
        assert max(gaps(words, left)) <= 5


@pytest.mark.parametrize("wait", [-1.0, 0.0, 0.01, 0.25, 4.0, 45.0])
def test_who_waits_is_let_go_when_the_time_is_up(wait: float) -> None:
    _, left = listen(wait, [0.03] * 3000)

    assert left == pytest.approx(max(wait, 0.0))


# ------------------------------------------------------------------------ whatever is waited for


def kept_company(wait: float, work: Callable[[Progress], Awaitable[None]] | None = None) -> Words:
    """What a client hears of a call that takes so long, in which work may speak for itself."""
    words: Words = []

    async def say(seconds: float, total: float | None, doing: str | None) -> None:
        assert seconds == pytest.approx(anyio.current_time(), abs=0.001)
        assert total is None
        words.append((anyio.current_time(), doing or ""))

    async def main() -> None:
        async with reporting(say) as company:
            if work is not None:
                await work(company.tell)
            await anyio.sleep_until(wait)

    run_in_virtual_time(main)
    return words


def test_a_client_hears_of_us_where_no_work_speaks() -> None:
    words = kept_company(44)

    assert max(gaps(words, 44)) <= 5
    assert len(words) < 44 / 4


def test_where_work_speaks_nothing_is_filled_in() -> None:
    async def work(progress: Progress) -> None:
        await RunningTurn(TURN).wait(40, progress)

    words = kept_company(40, work)

    assert {doing for _, doing in words} == {"Waiting for Gemini"}
    assert max(gaps(words, 40)) <= 5


@given(st.floats(0, 12), st.lists(st.floats(0, 6), max_size=30))
@settings(max_examples=60, deadline=None)
def test_work_and_what_is_filled_in_keep_the_rhythm_together(
    silence: float, happenings: list[float]
) -> None:
    async def work(progress: Progress) -> None:
        await anyio.sleep(silence)
        work = RunningTurn(TURN)

        async def happen() -> None:
            for number, pause in enumerate(happenings):
                await anyio.sleep(pause)
                work.tell(f"news {number}")

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(happen)
            await work.wait(40, progress)
            tasks.cancel_scope.cancel()

    words = kept_company(52, work)

    assert max(gaps(words, 52)) <= 5
    assert min((later - earlier for (earlier, _), (later, _) in pairwise(words))) >= 0.25 - 1e-9


@settings(max_examples=60, deadline=None)
@given(
    st.floats(0, 120),
    st.lists(st.floats(0, 30), max_size=50),
    st.none() | st.floats(0, 120),
)
def test_the_rhythm_holds_whatever_happens(
    wait: float, happenings: list[float], end: float | None
) -> None:
    words, left = listen(wait, happenings, end)

    assert left == pytest.approx(min(wait, wait if end is None else end))
    assert max(gaps(words, left), default=0) <= 5
    assert min((later - earlier for (earlier, _), (later, _) in pairwise(words)), default=1) >= (
        0.25 - 1e-9
    )
