"""The command `gemini-interactions-mcp emulator`: the emulator as a process of its own."""

import argparse
import json
import signal
import sys
import textwrap
import threading
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import FrameType
from typing import Any

from .background_server import Emulator
from .control import EmulatorControl
from .http import control_api
from .request_log import Request
from .scripting.fault_injection import FAULTS, Fault
from .scripting.research_scenarios import FATES, ResearchScenario


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = "Run a Gemini Interactions API on this machine, for tests and demos."
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = f"fates of a research:\n{_listed(FATES)}\n\nfaults:\n{_listed(FAULTS)}"
    parser.add_argument("--port", type=_port, default=0, help="the port (default: any free one)")
    parser.add_argument(
        "--delay", type=float, default=0.0, metavar="SECONDS", help="how long every answer takes"
    )
    parser.add_argument(
        "--background-seconds",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="how long background runs take",
    )
    parser.add_argument(
        "--research-seconds",
        type=float,
        default=3.0,
        metavar="SECONDS",
        help="how long Deep Research takes, a plan a tenth of it (default: 3)",
    )
    parser.add_argument(
        "--research",
        type=_fate,
        action="append",
        default=[],
        metavar="FATE",
        help="what becomes of the next research, as listed below; repeat for the one after it",
    )
    parser.add_argument(
        "--fault",
        type=_fault,
        action="append",
        default=[],
        metavar="NAME[:AFTER]",
        help="what goes wrong with the next response, as listed below, at once or after so many "
        "events; repeat for the one after it",
    )
    parser.add_argument("--answer", metavar="TEXT", help="what every prompt is answered with")
    parser.add_argument(
        "--script",
        type=Path,
        metavar="FILE.json",
        help='a list of orders such as {"do": "answer_next", "args": {"answer": "Hi"}}',
    )
    parser.add_argument(
        "--log", type=Path, metavar="FILE.jsonl", help="append a line for every request"
    )


def _listed(names: Mapping[str, str]) -> str:
    """One name a line, each with what it does."""
    margin = " " * 28
    return "\n".join(
        textwrap.fill(f"{words}.", 96, initial_indent=f"  {name:24}  ", subsequent_indent=margin)
        for name, words in names.items()
    )


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text[:6]) <= 65_535):
        raise argparse.ArgumentTypeError("must be a whole number from 0 to 65,535")
    return int(text)


def _fault(text: str) -> Fault:
    name, _, after = text.partition(":")
    if after and not (after.isascii() and after.isdigit()):
        raise argparse.ArgumentTypeError("AFTER must be a number of events")
    try:
        return Fault(name, int(after) if after else None)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _fate(text: str) -> ResearchScenario:
    try:
        return ResearchScenario(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def run(arguments: argparse.Namespace) -> int:
    """Serve until SIGINT or SIGTERM."""
    # Real time: who steers from another process expects background runs to end by themselves.
    control = EmulatorControl(clock=time.time)
    stopped = threading.Event()

    def stop(number: int, frame: FrameType | None) -> None:
        stopped.set()

    with ExitStack() as stack:
        try:
            _prepare(control, arguments)
            if arguments.log:
                stack.enter_context(_Lines(control, arguments.log))
            emulator = stack.enter_context(Emulator(control, arguments.port))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            print(f"The emulator cannot start: {error}", file=sys.stderr)
            return 1
        before = {number: signal.signal(number, stop) for number in _SIGNALS}
        print(f"Gemini emulator on {emulator.url}", flush=True)
        while not stopped.wait(1.0):
            pass
        for number, handler in before.items():
            signal.signal(number, handler)
    return 0


_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def _prepare(control: EmulatorControl, arguments: argparse.Namespace) -> None:
    control.background_seconds = arguments.background_seconds
    control.research_seconds = arguments.research_seconds
    for fate in arguments.research:
        control.research_next(fate)
    if arguments.delay:
        control.delay(arguments.delay)
    for fault in arguments.fault:
        control.fault_next(fault)
    if arguments.answer is not None:
        control.answer_when("", arguments.answer)
    if arguments.script:
        control_api.run_script(control, json.loads(arguments.script.read_text(encoding="utf-8")))


class _Lines:
    """The log file: one JSON line for every request that has ended."""

    def __init__(self, control: EmulatorControl, path: Path) -> None:
        self._control = control
        self._file = path.open("a", encoding="utf-8")

    def __enter__(self) -> None:
        self._control.on_ended = self._write

    def __exit__(self, *_: Any) -> None:
        self._control.on_ended = None
        self._file.close()

    def _write(self, request: Request) -> None:
        print(json.dumps(request.public(), ensure_ascii=False), file=self._file, flush=True)
