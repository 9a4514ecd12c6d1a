"""The emulated Antigravity agent: it writes, reads and fetches files in its sandbox."""

import re
from typing import Any
from urllib.parse import urlsplit

from ..api_errors import ApiError, invalid
from ..interaction import STEP_TOKENS
from ..json_types import Json
from ..resources.environments import Environment
from . import agent_requests
from .scripted_answer import Answer, Moment, Turn, text_step

NAME = "antigravity-preview-09-2026"
TOOLS = ("google_search", "url_context", "code_execution", "mcp_server", "function")
REFUSED = ("response_format", "response_mime_type", "response_modalities")
_FILE = r"[\"“']?(?P<name>[\w][\w./-]*\.\w+)[\"”']?"
_WRITE = re.compile(
    rf"\b(?:write|create|make|save)\b[^.\n]*?{_FILE}"
    r"(?:[^\n]*?\b(?:with|saying|containing)\b (?P<text>[^\n]+))?",
    re.IGNORECASE,
)
_READ = re.compile(rf"\b(?:read|open|show)\b[^.\n]*?{_FILE}", re.IGNORECASE)
_URL = re.compile(r"https?://[^\s\"'<>)]+")
_MCP_NAME = re.compile(r"[a-z0-9]+")


class Antigravity:
    """Answers an agent's turn; `definition` is that of a custom agent based on it."""

    def __init__(self, definition: Json | None = None) -> None:
        self.definition = definition or {}

    def check(self, body: Json) -> None:
        agent_requests.check_fields(body, REFUSED)
        _check_config(body.get("agent_config") or {})
        for i, tool in agent_requests.tools(body, TOOLS):
            if tool["type"] == "mcp_server" and not _MCP_NAME.fullmatch(str(tool.get("name"))):
                raise invalid(f"Invalid value at 'tools[{i}].name': [a-z0-9]+ is required.")

    def answer(self, turn: Turn) -> Answer:
        work, said = self._work(turn, turn.environment) if turn.environment else ([], [])
        thought: Json = {"type": "thought", "signature": ""}
        thought["summary"] = [
            {"type": "text", "text": "**Working in the sandbox**\n\nStep by step."}
        ]
        steps = [thought, *work]
        most = int((turn.body.get("agent_config") or {}).get("max_total_tokens") or 0)
        spent = STEP_TOKENS * (len(steps) + 1)
        if most and spent > most:
            kept = steps[: max(1, most // STEP_TOKENS)]
            return Answer(steps=[], progress=_told(kept), status="incomplete", usage=_usage(most))
        text = " ".join(said) if said else f'Done: "{turn.prompt[:200]}".'
        if self.definition.get("system_instruction"):
            text = f"[{self.definition['system_instruction'][:80]}] {text}"
        return Answer(steps=[text_step(text)], progress=_told(steps), usage=_usage(spent))

    def _work(self, turn: Turn, environment: Environment) -> tuple[list[Json], list[str]]:
        """What it does in the sandbox, as steps, and a sentence about each."""
        steps: list[Json] = []
        said: list[str] = []
        prompt = turn.prompt
        files = ", ".join(sorted(environment.files)) or "no files"
        steps += _code(turn, "ls", f"{files}\n")
        for found in _WRITE.finditer(prompt):
            name = found["name"].strip("/")
            text = (found["text"] or f"Written for: {prompt[:80]}").strip(" .\"“”'")
            environment.files[name] = f"{text}\n".encode()
            steps += _call(turn, "write_file", {"path": name, "content": text}, "ok")
            said.append(f"I wrote {name}.")
        for address in _URL.findall(prompt):
            host = urlsplit(address).hostname or ""
            if environment.may_reach(host):
                environment.files["page.html"] = f"<title>{host}</title>\n".encode()
                steps += _code(turn, f"curl -o page.html {address}", "saved page.html\n")
                said.append(f"I fetched {address} into page.html.")
            else:
                steps += _code(turn, f"curl {address}", "Could not resolve host\n", is_error=True)
                said.append(f"I could not reach {host}: the network is closed.")
        for found in _READ.finditer(prompt):
            name = found["name"].strip("/")
            data = environment.files.get(name)
            result = data.decode("utf-8", "replace") if data is not None else "no such file"
            steps += _call(turn, "read_file", {"path": name}, result, is_error=data is None)
            said.append(f"{name} says: {result.strip()[:200]}")
        return steps, said


def _call(
    turn: Turn, name: str, arguments: Json, result: str, *, is_error: bool = False
) -> list[Json]:
    id = turn.call_id()
    given: Json = {"type": "function_result", "call_id": id, "name": name}
    given["result"] = [{"type": "text", "text": result}]
    if is_error:
        given["is_error"] = True
    return [{"type": "function_call", "id": id, "name": name, "arguments": arguments}, given]


def _code(turn: Turn, code: str, result: str, *, is_error: bool = False) -> list[Json]:
    id = turn.call_id()
    arguments = {"code": code, "language": "bash"}
    given: Json = {"type": "code_execution_result", "call_id": id, "result": result}
    return [
        {"type": "code_execution_call", "id": id, "arguments": arguments},
        {**given, "is_error": is_error},
    ]


def _told(steps: list[Json]) -> list[Moment]:
    return [Moment(0.1 + 0.8 * i / max(1, len(steps)), step=step) for i, step in enumerate(steps)]


def _usage(total: int) -> Json:
    said = total // 20
    return {
        "total_tokens": total,
        "total_input_tokens": total - said,
        "total_cached_tokens": 0,
        "total_output_tokens": said,
        "total_tool_use_tokens": 0,
        "total_thought_tokens": 0,
    }


def _check_config(config: Json) -> None:
    for name, value in config.items():
        if name not in ("type", "max_total_tokens", "model"):
            raise ApiError(400, f"Unknown parameter 'agent_config.{name}'.", "parameter_unknown")
        if name == "type" and value != "antigravity":
            raise invalid(f"The value '{value}' is not supported for 'agent_config.type'.")
        if name == "max_total_tokens" and not _is_count(value):
            raise invalid("Invalid value at 'agent_config.max_total_tokens'.")


def _is_count(value: Any) -> bool:
    # Whole numbers travel as text, too, as protobuf's JSON has it.
    return isinstance(value, int | str) and str(value).isdigit() and int(value) > 0
