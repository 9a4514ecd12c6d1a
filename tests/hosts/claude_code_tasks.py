"""What Claude Code makes of our tasks: interactive, in a pseudo-terminal, with a scripted model.

    .venv/bin/python -m tests.hosts.claude_code_tasks [CASE …]

Needs `make node-tools` with `@anthropic-ai/claude-code` installed (or `CLAUDE` naming its
program). Nothing leaves this machine: the model and Google are scripted on loopback, the key is
a dummy, the host's home is a temporary folder. Each case prints what the model was sent.
"""

from __future__ import annotations

import argparse
import json
import os
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from fcntl import ioctl
from pathlib import Path
from typing import Any

from gemini_emulator import Emulator, EmulatorControl
from tests.hosts.scripted_model import Block, Json, ScriptedModel, say, use, words

ROOT = Path(__file__).parents[2]
PROGRAM = os.environ.get("CLAUDE") or str(ROOT / ".tools/node_modules/.bin/claude")
ESCAPES = re.compile(r"\x1b\[[0-9;?<>=]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[@-_]")
TOOL = "mcp__gemini__"


Script = Callable[["Session", Json], list[Block]]


class Terminal:
    """One interactive session: what it shows, and keys to type."""

    def __init__(self, command: list[str], environ: dict[str, str], folder: Path) -> None:
        self.shown = ""
        self.pid, self._wire = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            os.execvpe(command[0], command, environ)
        ioctl(self._wire, termios.TIOCSWINSZ, struct.pack("HHHH", 60, 160, 0, 0))
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        with suppress(OSError):
            while True:
                select.select([self._wire], [], [])
                data = os.read(self._wire, 65_536)
                if not data:
                    return
                self.shown += ESCAPES.sub(" ", data.decode("utf-8", "replace"))

    def type(self, keys: str) -> None:
        os.write(self._wire, keys.encode())

    def until(self, text: str, seconds: float = 40.0) -> bool:
        return wait(lambda: without_blanks(text) in without_blanks(self.shown), seconds)

    def end(self) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGTERM)
        with suppress(ChildProcessError):
            os.waitpid(self.pid, 0)


def without_blanks(text: str) -> str:
    """Without blanks: the screen is drawn in pieces."""
    return re.sub(r"\s+", "", text)


def wait(true: Callable[[], Any], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if true():
            return True
        time.sleep(0.1)
    return False


class Session:
    """Claude Code with our server, an emulated Google and a scripted model."""

    def __init__(self, script: Script, **settings: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="claude-code-"))
        self.google = EmulatorControl(clock=time.time)
        self._emulator = Emulator(control=self.google).__enter__()
        self.model = ScriptedModel(lambda body: script(self, body))
        home, work = self.folder / "home", self.folder / "work"
        for each in (home, work):
            each.mkdir()
        trusted = {
            str(work): {"hasTrustDialogAccepted": True, "hasCompletedProjectOnboarding": True}
        }
        config = {
            "hasCompletedOnboarding": True,
            "theme": "dark",
            "numStartups": 5,
            "bypassPermissionsModeAccepted": True,
            "customApiKeyResponses": {"approved": ["dummy-key-of-nobody"[-20:]], "rejected": []},
            "projects": trusted,
        }
        (home / ".claude.json").write_text(json.dumps(config))
        self.wire = self.folder / "wire.jsonl"
        server = {
            "type": "stdio",
            "command": sys.executable,
            "args": ["-m", "tests.hosts.wire_tap", str(self.wire)],
            "env": {
                "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "server")]),
                "GEMINI_API_KEY": "test-key",
                "GOOGLE_GEMINI_BASE_URL": self._emulator.url,
                "GEMINI_MCP_DATA_DIR": str(self.folder / "data"),
                "GEMINI_MCP_RESOLVE_REDIRECTS": "off",
                "GEMINI_MCP_RESEARCH_POLL_SECONDS": "1",
                **settings,
            },
        }
        (self.folder / "mcp.json").write_text(json.dumps({"mcpServers": {"gemini": server}}))
        environ = {
            "PATH": os.environ.get("PATH", ""),
            "HOME": str(home),
            "TERM": "xterm-256color",
            "ANTHROPIC_BASE_URL": self.model.url,
            "ANTHROPIC_API_KEY": "dummy-key-of-nobody",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "DISABLE_AUTOUPDATER": "1",
            "ENABLE_TOOL_SEARCH": "false",
            "IS_SANDBOX": "1",
        }
        command = [PROGRAM, "--mcp-config", str(self.folder / "mcp.json"), "--strict-mcp-config"]
        command += ["--dangerously-skip-permissions", "--model", "claude-sonnet-4-5"]
        self.terminal = Terminal(command, environ, work)

    def started(self) -> bool:
        """Once it takes keys and has our tools."""
        if not self.terminal.until("? for shortcuts", 40) and not self.terminal.until("bypass", 5):
            return False
        return wait(lambda: '"tools/list"' in self.said, 30)

    @property
    def said(self) -> str:
        """What went over the wire of our server."""
        return self.wire.read_text("utf-8") if self.wire.exists() else ""

    def prompt(self, text: str) -> None:
        self.terminal.type(text)
        time.sleep(0.7)
        self.terminal.type("\r")

    def seen(self, text: str, seconds: float = 60.0) -> bool:
        """Whether a request to the model came to hold this text."""
        return wait(
            lambda: any(text in json.dumps(each) for each in list(self.model.requests)), seconds
        )

    def close(self) -> None:
        self.terminal.end()
        self.google.let_go()
        self._emulator.__exit__(None, None, None)


def of_tasks(session: Session) -> list[str]:
    """The frames that were about tasks, in order and shortened."""
    lines = []
    for line in session.said.splitlines():
        frame = json.loads(line)
        text = json.dumps(frame["message"])
        if "tasks/" in text or '"resultType": "task"' in text or "inputRequests" in text:
            frame["message"].pop("id", None)
            params = frame["message"].get("params", {})
            if isinstance(params, dict) and frame["message"].get("method") == "tasks/get":
                params.pop("_meta", None)
            line = f"{frame['from']}: {json.dumps(frame['message'])[:700]}"
            if line not in lines:
                lines.append(line)
    return lines


def print_end(session: Session, *, last: int = 4) -> None:
    """Prints what the model was sent last, and the frames about tasks."""
    for body in session.model.requests[-last:]:
        for message in body.get("messages", [])[-2:]:
            text = words(message)
            print(f"  [{message['role']}] {text[-1500:]}")
        print("  --")
    print("  on the wire:")
    for line in of_tasks(session)[:14]:
        print(f"    {line}")


# -- cases ------------------------------------------------------------------------------


def last_user(body: Json) -> str:
    return words(body["messages"][-1])


def calling(begin: str, *calls: Callable[[Json], Block]) -> Script:
    """A script that makes these calls, one after the other, each for the first request whose last
    message holds its word (`begin`, then `begin-2`, …); everything else it acknowledges."""
    left = {f"{begin}-{number}": call for number, call in enumerate(calls, 1)}

    def script(session: Session, body: Json) -> list[Block]:
        if not body.get("tools"):
            return [say("A title")]
        text = last_user(body)
        for word in list(left):
            if word in text:
                return [left.pop(word)(body)]
        return [say("Noted.")]

    return script


def run(
    script: Script,
    prompt: str,
    awaited: str,
    prepare: Callable[[EmulatorControl], None],
    act: Callable[[Session], None] = lambda _: None,
    **settings: str,
) -> bool:
    """Whether `awaited` came to the model by itself after this prompt."""
    session = Session(script, **settings)
    prepare(session.google)
    try:
        if not session.started():
            print(session.terminal.shown[-3000:])
            return False
        session.prompt(prompt)
        act(session)
        came_back = session.seen(awaited, 60)
        time.sleep(2)
        print_end(session)
        if not came_back:
            print(session.terminal.shown[-4000:])
        return came_back
    finally:
        session.close()


def research() -> bool:
    def prepare(google: EmulatorControl) -> None:
        google.research_seconds = 8.0
        google.answer_when("How do storks fly?", "REPORT-OF-STORKS: they soar.")

    begin = lambda _: use(f"{TOOL}start_deep_research", question="How do storks fly?")  # noqa: E731
    return run(calling("RESEARCH", begin), "RESEARCH-1 please", "REPORT-OF-STORKS", prepare)


def picture() -> bool:
    begin = lambda _: use(f"{TOOL}gemini_generate_image", prompt="A stork.")  # noqa: E731
    return run(
        calling("PICTURE", begin),
        "PICTURE-1 please",
        '"type": "image"',
        lambda google: google.delay(6),
        GEMINI_MCP_TASK_AFTER_SECONDS="2",
    )


def functions() -> bool:
    weather = {"type": "function", "name": "weather", "parameters": {"type": "object"}}
    asks = {
        "steps": [
            {
                "type": "function_call",
                "id": "a",
                "name": "weather",
                "arguments": {"city": "ULM-CITY"},
            }
        ],
        "status": "requires_action",
    }

    def prepare(google: EmulatorControl) -> None:
        google.answer_next(asks)
        google.delay(6)

    begin = lambda _: use(f"{TOOL}gemini_ask", prompt="How is it in Ulm?", tools=[weather])  # noqa: E731
    return run(
        calling("FUNCTIONS", begin),
        "FUNCTIONS-1 please",
        "ULM-CITY",
        prepare,
        GEMINI_MCP_TASK_AFTER_SECONDS="2",
    )


def plan() -> bool:
    """The plan is asked about in a form; the same task brings the report once it is approved."""

    def prepare(google: EmulatorControl) -> None:
        google.research_seconds = 10.0
        google.answer_when("The plan is approved", "REPORT-OF-STORKS: they soar.")

    def approve(session: Session) -> None:
        wait(lambda: "inputRequests" in session.said, 40)
        time.sleep(4)
        asked = session.terminal.shown.rpartition("requests your input")[2]
        print(f"  the form: {asked[:1200]}")
        for keys in ("\x1b[C", "\r", "\x1b[B", "\r"):  # open, approve, down to Accept, press it
            session.terminal.type(keys)
            time.sleep(1.5)

    def begin(_: Json) -> Block:
        return use(f"{TOOL}start_deep_research", question="How do storks fly?", plan_first=True)

    return run(calling("PLAN", begin), "PLAN-1 please", "REPORT-OF-STORKS", prepare, approve)


def plan_by_tool() -> bool:
    """Declined, the plan comes back as the result, and the report once the model approves it."""

    def prepare(google: EmulatorControl) -> None:
        google.research_seconds = 10.0
        google.answer_when("The plan is approved", "REPORT-OF-STORKS: they soar.")

    def decline(session: Session) -> None:
        wait(lambda: "inputRequests" in session.said, 40)
        time.sleep(4)
        for keys in ("\x1b[B", "\x1b[B", "\x1b[B", "\r"):  # down to Decline
            session.terminal.type(keys)
            time.sleep(1.5)

    def begin(_: Json) -> Block:
        return use(f"{TOOL}start_deep_research", question="PLAN-2: How?", plan_first=True)

    def approve(body: Json) -> Block:
        found = re.search(r"r_[0-9a-z]{10}", last_user(body))
        return use(f"{TOOL}approve_research_plan", research_id=found[0] if found else "")

    script = calling("PLAN", begin, approve)
    return run(script, "PLAN-1 please", "REPORT-OF-STORKS", prepare, decline)


def subagent() -> bool:
    def prepare(google: EmulatorControl) -> None:
        google.research_seconds = 8.0
        google.answer_when("How do storks fly?", "REPORT-OF-STORKS: they soar.")

    def delegate(body: Json) -> Block:
        names = {each.get("name") for each in body["tools"]}
        name = next(each for each in ("Agent", "Task") if each in names)
        return use(
            name,
            description="Research storks",
            prompt="DELEGATED-1",
            subagent_type="general-purpose",
        )

    begin = lambda _: use(f"{TOOL}start_deep_research", question="How do storks fly?")  # noqa: E731
    outer, inner = calling("SUB", delegate), calling("DELEGATED", begin)

    def script(session: Session, body: Json) -> list[Block]:
        is_inner = "DELEGATED-1" in words(body["messages"][0]) if body.get("messages") else False
        return (inner if is_inner else outer)(session, body)

    # Its calls do not declare tasks (2.1.330): it is told "running" in words.
    return run(script, "SUB-1 please", "REPORT-OF-STORKS", prepare)


CASES: dict[str, Callable[[], bool]] = {
    "research": research,
    "picture": picture,
    "functions": functions,
    "plan": plan,
    "plan_by_tool": plan_by_tool,
    "subagent": subagent,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", choices=[*CASES, []])
    chosen = parser.parse_args().cases or list(CASES)
    if shutil.which(PROGRAM) is None:
        print(f"{PROGRAM} is not there: npm install @anthropic-ai/claude-code")
        return 2
    version = subprocess.run([PROGRAM, "--version"], capture_output=True, text=True, check=False)
    print(f"Claude Code {version.stdout.strip()}")
    failed = 0
    for name in chosen:
        print(f"\n== {name}")
        worked = CASES[name]()
        print(f"== {name}: {'came back by itself' if worked else 'did not come back'}")
        failed += not worked
    return failed


if __name__ == "__main__":
    sys.exit(main())
