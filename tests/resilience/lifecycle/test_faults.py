"""Every fault through the whole product: what is sent, what the model reads, what is kept.

The table is a page of the reference, `docs/reference/faults.md`; UPDATE_GOLDEN=1 writes it anew.
"""

from __future__ import annotations

import os
import re
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio.lowlevel
import pytest

from docs.generator.tables import joined, sentence, table
from gemini_emulator.scripting.fault_injection import FAULTS
from tests.resilience.lifecycle import fault_cases
from tests.resilience.lifecycle.fault_cases import Called, Fault
from tests.support import db_inspection
from tests.support.app_harness import AppHarness, ToolResult, mask_ids
from tests.support.jsonrpc_client import InProcessClient

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "faults.md"
# One sentence a line.
# ruff: noqa: E501
INTRODUCTION = """
# Faults

<!-- Made by `UPDATE_GOLDEN=1 pytest tests/resilience/lifecycle/test_faults.py`: change the code, not this page. -->

What happens when something goes wrong at Google or on the way there.
Every line was produced by the whole server against the emulator, which was told to fail in that way.

*Requests* counts what reached Google to create the turn; what is read again there costs nothing.
*Stored* is how the turn stands in the database afterwards: its status, the kind of error, whether Google's id of it is known, and whether text of the answer is kept.
Where `ask` and `continue` behave alike, one line tells both.
"""
TO_TRY = """
## To try them

`gemini-interactions-mcp emulator --fault NAME[:AFTER]` lets the next response go wrong, AFTER so many events where that makes sense.
"""


@dataclass(frozen=True)
class Outcome:
    """What one fault did to one call."""

    posts: int
    status: str
    text: str
    stored: str

    @property
    def cells(self) -> list[str]:
        return [str(self.posts), self.status, self.text, self.stored]


OUTCOMES: dict[tuple[str, Called], Outcome] = {}
PARAMS = [
    pytest.param(fault, id=f"{section}: {fault.what}")
    for section, told in fault_cases.ALL.items()
    for fault in told
]


async def call_with_fault(
    harness: AppHarness, fault: Fault, call: Called
) -> tuple[Outcome, ToolResult]:
    """Let the fault happen to one call."""

    async def sleep(seconds: float) -> None:
        harness.clock.advance(seconds)
        await anyio.lowlevel.checkpoint()

    place = {}
    if call == "continue":
        well = await InProcessClient.connect(harness, "modern")
        said = await well.call("gemini_ask", prompt="My name is Ada.")
        place = {"conversation_id": said.conversation}
        harness.clock.advance(fault.goes_on)
    posts = len(harness.control.posts)
    before = {row["id"] for row in db_inspection.turns(harness.folder)}
    harness.set(GEMINI_API_KEY=fault.key)
    wire = await InProcessClient.connect(harness, "modern", sleep=sleep, **fault.settings)
    harness.control.answer_next(fault.answer)
    fault.arrange(harness.control)
    said = await wire.call(f"gemini_{call}", prompt="Go on.", **place)
    harness.set(GEMINI_API_KEY="test-key")
    row = next(
        (row for row in db_inspection.turns(harness.folder) if row["id"] not in before), None
    )
    sent = len(harness.control.posts) - posts
    return Outcome(sent, said.status or "refused", text_of(said), stored_state(row)), said


def text_of(said: ToolResult) -> str:
    """What the model reads, without the footer."""
    text = re.sub(r"\n?conversation c_\w+ · turn [^\n]*$", "", said.text)
    # Where the data folder of a test is says nothing.
    text = re.sub(r"the key file \S+/key", "the key file ~/.local/share/…/key", text)
    return " ⏎ ".join(line for line in mask_ids(text).splitlines() if line and line != "---")


def stored_state(row: db_inspection.Row | None) -> str:
    if row is None:
        return "nothing"
    kind = f" ({row['error']['kind']})" if row["error"] else ""
    named = "id known" if row["interaction_id"] else "no id"
    return f"{row['status']}{kind}, {named}{', text' if row['text'] else ''}"


@pytest.fixture(autouse=True)
def no_name_is_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    look_up = socket.getaddrinfo

    def known(host: Any, *more: Any, **named: Any) -> Any:
        if str(host).endswith(".invalid"):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return look_up(host, *more, **named)

    monkeypatch.setattr(socket, "getaddrinfo", known)


@pytest.mark.parametrize("fault", PARAMS)
async def test_a_fault_costs_no_second_request_and_is_told_in_words(
    harness: AppHarness, fault: Fault
) -> None:
    for call in fault.calls:
        line, said = await call_with_fault(harness, fault, call)
        OUTCOMES[fault.what, call] = line
        mine = harness.control.posts[-line.posts :] if line.posts else []
        harness.control.reset()

        # Only what surely made nothing is sent again: what is left may have been paid for.
        assert len([post for post in mine if post.status in (None, 200, 201)]) <= 1
        assert line.text
        assert not re.search(r"Traceback|Error code|httpx|genai|AIza", said.text)
        assert said.is_error == (line.status in ("failed", "refused"))
        assert line.stored.startswith(line.status) or (line.posts, line.stored) == (0, "nothing")


def page() -> str:
    parts = [INTRODUCTION]
    for section, told in fault_cases.ALL.items():
        rows = []
        for fault in told:
            lines = {call: OUTCOMES[fault.what, call] for call in fault.calls}
            alike = len(set(lines.values())) == 1 and len(lines) == 2
            for call, line in lines.items():
                if alike and call == "continue":
                    continue
                rows.append([fault.what, "both" if alike else call, *line.cells])
        head = ["what goes wrong", "call", "requests", "status", "the model reads", "stored"]
        parts += [f"## {section}", table(head, rows)]
    names = [[f"`{name}`", sentence(words)] for name, words in FAULTS.items()]
    return joined([*parts, TO_TRY, table(["name", "what it does"], names)])


def test_the_page_of_faults_is_what_happens() -> None:
    """Runs after the others here, and needs all of them."""
    if len(OUTCOMES) < sum(len(fault.calls) for told in fault_cases.ALL.values() for fault in told):
        pytest.skip("not every fault was tried in this run")
    text = page()
    if os.environ.get("UPDATE_GOLDEN") == "1":
        PAGE.write_text(text, "utf-8")

    assert text == PAGE.read_text("utf-8"), "UPDATE_GOLDEN=1 writes it anew"
