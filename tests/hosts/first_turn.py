"""Whether a real host has our tools in its first turn although our server starts slowly.

    .venv/bin/python -m tests.hosts.first_turn HOST [--seconds 5] [--program FILE] [--wire FILE]

The import of the MCP SDK takes so many seconds longer, as on a laptop that is busy starting. The
model and Google are scripted on loopback, the key is a dummy, the host's home is a temporary
folder. Prints which of our tools the first request to the model held; `--wire` keeps what the
host wrote to our server. Needs the host's program, from npm; `ai-sdk` needs the folder that its
packages were installed to.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gemini_emulator import Emulator
from tests.hosts.claude_code_tasks import Terminal, wait
from tests.hosts.scripted_model import Json, ScriptedModel, say

ROOT = Path(__file__).parents[2]
SLOW_IMPORT = """
import sys, time

class Slow:
    def find_spec(self, name, path=None, target=None):
        if name == "mcp":
            sys.meta_path.remove(self)
            time.sleep({seconds})

sys.meta_path.insert(0, Slow())
"""
AI_SDK = """
import { createMCPClient } from "@ai-sdk/mcp";
import { Experimental_StdioMCPTransport } from "@ai-sdk/mcp/mcp-stdio";

const [command, ...args] = JSON.parse(process.env.SERVER);
const transport = new Experimental_StdioMCPTransport({ command, args, env: process.env });
const client = await createMCPClient({ transport });
const tools = await client.tools();
const ask = await tools.gemini_ask.execute(
  { prompt: "Hello." }, { toolCallId: "1", messages: [] });
console.log(JSON.stringify({ tools: Object.keys(tools), text: ask.content[0].text }));
await client.close();
"""


class Stage:
    """A temporary home, a scripted model, an emulated Google, and how to start our server."""

    def __init__(self, seconds: float, wire: Path | None) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="first-turn-"))
        self.home, self.work, slow = (self.folder / each for each in ("home", "work", "slow"))
        for each in (self.home, self.work, slow):
            each.mkdir()
        (slow / "sitecustomize.py").write_text(SLOW_IMPORT.format(seconds=seconds))
        self.model = ScriptedModel(lambda _body: [say("Hello.")])
        self._google = Emulator()
        google = self._google.__enter__()
        self.wire = wire or self.folder / "wire.jsonl"
        self.server = [sys.executable, "-m", "tests.hosts.wire_tap", str(self.wire)]
        self.server_environ = {
            "PYTHONPATH": os.pathsep.join([str(slow), str(ROOT), str(ROOT / "server")]),
            "GEMINI_API_KEY": "test-key",
            "GOOGLE_GEMINI_BASE_URL": google.url,
            "GEMINI_MCP_DATA_DIR": str(self.folder / "data"),
        }
        self.environ = {
            "PATH": os.environ.get("PATH", ""),
            "HOME": str(self.home),
            "TERM": "xterm-256color",
            "NO_COLOR": "1",
        }

    @property
    def mcp_servers(self) -> Json:
        command, *arguments = self.server
        server = {"command": command, "args": arguments, "env": self.server_environ}
        return {"mcpServers": {"gemini": {"type": "stdio", "tools": ["*"], **server}}}

    def run(self, command: list[str], **environ: str) -> str:
        """What a program printed; it is ended after two minutes."""
        done = subprocess.run(
            command,
            env=self.environ | environ,
            cwd=self.work,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return done.stdout + done.stderr

    def close(self) -> None:
        self._google.__exit__(None, None, None)


def claude_code(stage: Stage, program: str) -> None:
    trusted = {"hasTrustDialogAccepted": True, "hasCompletedProjectOnboarding": True}
    config = {
        "hasCompletedOnboarding": True,
        "theme": "dark",
        "numStartups": 5,
        "bypassPermissionsModeAccepted": True,
        "customApiKeyResponses": {"approved": ["dummy-key-of-nobody"[-20:]], "rejected": []},
        "projects": {str(stage.work): trusted},
    }
    (stage.home / ".claude.json").write_text(json.dumps(config))
    servers = stage.folder / "mcp.json"
    servers.write_text(json.dumps(stage.mcp_servers))
    environ = stage.environ | {
        "ANTHROPIC_BASE_URL": stage.model.url,
        "ANTHROPIC_API_KEY": "dummy-key-of-nobody",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "DISABLE_AUTOUPDATER": "1",
        "ENABLE_TOOL_SEARCH": "false",
        "IS_SANDBOX": "1",
    }
    command = [program, "--mcp-config", str(servers), "--strict-mcp-config"]
    command += ["--dangerously-skip-permissions", "--model", "claude-sonnet-4-5"]
    terminal = Terminal(command, environ, stage.work)
    terminal.until("? for shortcuts", 30) or terminal.until("bypass", 5)
    terminal.type("Say hello.")
    time.sleep(0.5)
    terminal.type("\r")
    wait(lambda: asked(stage), 60)
    terminal.end()


def codex(stage: Stage, program: str) -> None:
    folder = stage.home / ".codex"
    folder.mkdir()
    command, *arguments = stage.server
    variables = ", ".join(f"{name} = {json.dumps(v)}" for name, v in stage.server_environ.items())
    (folder / "config.toml").write_text(
        f"""
model = "gpt-5.4"
model_provider = "scripted"

[model_providers.scripted]
name = "scripted"
base_url = "{stage.model.url}/v1"
wire_api = "responses"
env_key = "SCRIPTED_KEY"

[mcp_servers.gemini]
command = {json.dumps(command)}
args = {json.dumps(arguments)}
env = {{ {variables} }}
"""
    )
    print(stage.run([program, "exec", "--skip-git-repo-check", "Say hello."], SCRIPTED_KEY="key"))


def copilot(stage: Stage, program: str) -> None:
    servers = stage.folder / "mcp.json"
    servers.write_text(json.dumps(stage.mcp_servers))
    command = [program, "--prompt", "Say hello.", "--allow-all-tools", "--disable-builtin-mcps"]
    command += ["--additional-mcp-config", f"@{servers}"]
    said = stage.run(
        command,
        COPILOT_PROVIDER_BASE_URL=stage.model.url,
        COPILOT_PROVIDER_TYPE="anthropic",
        COPILOT_PROVIDER_API_KEY="key",
        COPILOT_MODEL="claude-sonnet-4.5",
        COPILOT_OFFLINE="true",
    )
    print(said)


def ai_sdk(stage: Stage, folder: str) -> None:
    script = Path(folder) / "first_turn.mjs"
    script.write_text(AI_SDK)
    server = json.dumps(stage.server)
    print(stage.run(["node", str(script)], SERVER=server, **stage.server_environ))


HOSTS: dict[str, Callable[[Stage, str], None]] = {
    "claude-code": claude_code,
    "codex": codex,
    "copilot": copilot,
    "ai-sdk": ai_sdk,
}
PROGRAMS = {"claude-code": "claude"}


def asked(stage: Stage) -> list[Json]:
    """Requests to the model in which it may use tools; titles and the like are asked without."""
    return [each for each in list(stage.model.requests) if each.get("tools")]


def names(tools: list[Any]) -> list[str]:
    """Of all tools offered to a model, in any of the wire formats; Codex groups them."""
    found = []
    for each in tools:
        found.append(str(each.get("name") or each.get("function", {}).get("name")))
        found += [f"{found[-1]}.{inner}" for inner in names(each.get("tools") or [])]
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("host", choices=HOSTS)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--program")
    parser.add_argument("--wire", type=Path)
    chosen = parser.parse_args()
    program = chosen.program or shutil.which(PROGRAMS.get(chosen.host, chosen.host))
    if not program:
        print(f"{chosen.host} is not there: install it from npm, or name it with --program")
        return 2
    stage = Stage(chosen.seconds, chosen.wire)
    try:
        HOSTS[chosen.host](stage, program)
        requests = asked(stage)
        ours = (
            [each for each in names(requests[0]["tools"]) if "gemini" in each] if requests else []
        )
        print(f"{chosen.host}: {len(requests)} requests, tools of ours in the first: {ours}")
    finally:
        stage.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
