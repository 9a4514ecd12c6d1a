"""The handshake, answered before the SDK is imported: from answers recorded from the SDK itself.

Hosts give a server about a second to show its tools; importing `mcp` takes most of that. So a
thread imports it while this module answers what every host asks first. Everything else is kept
in order and handed over, with the handshake, once the import is done. Only the standard library
may be imported here. `handshake_recorder` makes the recordings; the SDK stays the authority: what
is not recorded to the letter waits for it.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn, Protocol

MODERN = "2026-07-28"
LEGACY = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
VERSION_KEY = "io.modelcontextprotocol/protocolVersion"
CAPABILITIES_KEY = "io.modelcontextprotocol/clientCapabilities"
CLIENT_KEY = "io.modelcontextprotocol/clientInfo"
APPS = "io.modelcontextprotocol/ui"
APPS_TYPE = "text/html;profile=mcp-app"
TASKS = "io.modelcontextprotocol/tasks"
LISTS = {
    "tools/list": "tools",
    "prompts/list": "prompts",
    "resources/list": "resources",
    "resources/templates/list": "resourceTemplates",
}
"""Each list, and the name that its items have in the answer."""
REPLAYED_ID = "recorded-handshake"
"""The id of what is replayed into the SDK; its answer goes to nobody."""

PLAIN_LISTS = frozenset({"@langchain/mcp-adapters"})
"""Clients that take no list of texts or objects: the rows of `domain.client_profiles` that say so,
which takes longer to import than the rest of this."""

Json = dict[str, Any]


def variant(capabilities: object, client: object = None) -> str:
    """The recording for a client: what it is and declares that changes answers."""
    name = client.get("name") if isinstance(client, Mapping) else None
    is_plain = isinstance(name, str) and name.strip().lower() in PLAIN_LISTS
    extensions = capabilities.get("extensions") if isinstance(capabilities, Mapping) else None
    if not isinstance(extensions, Mapping):
        extensions = {}
    apps = extensions.get(APPS)
    mime_types = apps.get("mimeTypes") if isinstance(apps, Mapping) else None
    has_apps = isinstance(mime_types, list) and APPS_TYPE in mime_types
    has_tasks = isinstance(extensions.get(TASKS), Mapping)
    parts = {"plain": is_plain, "apps": has_apps, "tasks": has_tasks}
    return "+".join(part for part, has in parts.items() if has)


class Settings(Protocol):
    """What of the settings changes an answer, and where the data folder is."""

    @property
    def toolsets(self) -> Iterable[str]: ...
    @property
    def structured(self) -> bool: ...
    @property
    def data_dir(self) -> object: ...


def recorded_folder(data_dir: str) -> str:
    """Where answers of another SDK than the package's are recorded."""
    return os.path.join(data_dir, "handshake")


def _is_installed(name: str) -> bool:
    """Whether this very version (``mcp-2.3.0``) is what an import would find: asking
    importlib.metadata costs more than all the rest."""
    for folder in sys.path:
        if os.path.isdir(os.path.join(folder, "mcp")):
            return os.path.isdir(os.path.join(folder, f"{name}.dist-info"))
    return False


class Recordings:
    """Recorded answers for one choice of toolsets, read from a file when they are needed."""

    def __init__(self, folder: str, toolsets: Iterable[str], *, is_structured: bool) -> None:
        self._folder = folder
        self._toolsets = frozenset(toolsets)
        self._kind = "structured" if is_structured else "plain"
        self._read: dict[str, Json] = {}

    @classmethod
    def find(cls, settings: Settings, version: str) -> Recordings | None:
        """Those of the installed SDK: the package's, else what an earlier start has recorded."""
        package = os.path.join(os.path.dirname(__file__), "recordings")
        for folder in (package, recorded_folder(str(settings.data_dir))):
            found = cls(folder, settings.toolsets, is_structured=settings.structured)
            made_by = found._recording(MODERN).get("sdk", "")
            own, _, sdk = made_by.partition("+")
            if own == version and sdk and _is_installed(sdk):
                return found
        return None

    def result(self, version: str, method: str, variant: str) -> Json | None:
        """The recorded result; None where there is none."""
        recording = self._recording(version)
        answers = recording.get("variants", {}).get(variant)
        if answers is None or method not in answers:
            return None
        result: Json = dict(answers[method])
        if method == "initialize":
            result["protocolVersion"] = version  # all that differs between the legacy ones
        if method in LISTS:
            result[LISTS[method]] = [
                recording["items"][number]
                for number, toolsets in result[LISTS[method]]
                if not toolsets or self._toolsets & set(toolsets)
            ]
        return result

    def _recording(self, version: str) -> Json:
        era = "modern" if version == MODERN else "legacy"
        if era not in self._read:
            try:
                path = os.path.join(self._folder, f"{era}-{self._kind}.json")
                with open(path, encoding="utf-8") as file:
                    self._read[era] = json.load(file)
            except (OSError, ValueError):
                self._read[era] = {}
        return self._read[era]


@dataclass
class Handover:
    """What the SDK gets once it is there: the wires, the handshake to replay, what waits."""

    stdin: int
    stdout: int
    replay: list[str] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)
    """Lines that nobody has answered, in order."""
    rest: bytes = b""
    """The beginning of a line that has not come whole."""
    was_recorded: bool = False
    """Whether there are recordings of the SDK that is installed."""
    was_listed: bool = False
    """Whether the client has our tools already."""
    has_ended: bool = False
    """Whether standard input has ended."""


class RecordedHandshake:
    """Answers what is recorded and keeps everything else; knows what was said, not how."""

    def __init__(self, recordings: Recordings, handover: Handover) -> None:
        self._recordings = recordings
        self._handover = handover
        self._version = ""
        self._variant = ""
        self._is_ready = False

    def take(self, line: str) -> str | None:
        """The answer to a line as the line to write; None where it has none here."""
        answer = self._answer(line)
        if answer is None:
            self._handover.waiting.append(line)
        return answer or None

    def _answer(self, line: str) -> str | None:
        """The answer, "" for what needs none; None for what waits for the SDK."""
        try:
            message = json.loads(line)
        except (ValueError, RecursionError):
            return None
        if not isinstance(message, dict) or message.get("jsonrpc") != "2.0":
            return None
        method, params = message.get("method"), message.get("params", {})
        if not isinstance(method, str) or not isinstance(params, dict):
            return None
        if "id" not in message:
            return self._notified(line, method)
        id = message["id"]
        if not isinstance(id, str) and (not isinstance(id, int) or isinstance(id, bool)):
            return None
        if message.keys() - {"jsonrpc", "id", "method", "params"}:
            return None
        result = self._result(message, method, params)
        if result is None:
            return None
        answer = {"jsonrpc": "2.0", "id": id, "result": result}
        return json.dumps(answer, ensure_ascii=False, separators=(",", ":"))

    def _notified(self, line: str, method: str) -> str | None:
        if method != "notifications/initialized" or self._handover.waiting:
            return None
        if self._version not in LEGACY or self._is_ready:
            return None
        self._is_ready = True
        self._handover.replay.append(line)
        return ""

    def _result(self, message: Json, method: str, params: Json) -> Json | None:
        if method == "initialize":
            return self._initialized(message, params)
        meta = params.get("_meta", {})
        if not isinstance(meta, dict) or not _is_plain_token(meta.get("progressToken", "")):
            return None
        if VERSION_KEY in meta:
            return self._modern(message, method, params, meta)
        if self._version not in LEGACY or (method != "ping" and not self._is_ready):
            return None
        return self._listed(method, params)

    def _initialized(self, message: Json, params: Json) -> Json | None:
        # Also after a discover that nobody followed up: a host had given up waiting for it.
        version, client = params.get("protocolVersion"), params.get("clientInfo")
        if self._version or version not in LEGACY or self._handover.waiting:
            return None
        capabilities = params.get("capabilities")
        if not isinstance(capabilities, dict) or not _is_client(client):
            return None
        if not _is_plain(capabilities) or params.keys() - {
            "protocolVersion",
            "capabilities",
            "clientInfo",
            "_meta",
        }:
            return None
        declared = variant(capabilities, client)
        result = self._recordings.result(version, "initialize", declared)
        if result is not None:
            self._version, self._variant = version, declared
            self._replay(message)
        return result

    def _modern(self, message: Json, method: str, params: Json, meta: Json) -> Json | None:
        capabilities = meta.get(CAPABILITIES_KEY)
        if self._version in LEGACY or meta[VERSION_KEY] != MODERN:
            return None
        if not isinstance(capabilities, dict) or not _is_client(meta.get(CLIENT_KEY)):
            return None
        if not _is_plain(capabilities):
            return None
        if method == "server/discover":
            if params.keys() - {"_meta"}:
                return None
            declared = variant(capabilities, meta[CLIENT_KEY])
            return self._recordings.result(MODERN, method, declared)
        if method == "ping":
            return None  # not in this era
        self._variant = variant(capabilities, meta[CLIENT_KEY])
        listed = self._listed(method, params, MODERN)
        if listed is not None and not self._version:
            self._version = MODERN
            self._replay(message)  # which tells the SDK the era
        return listed

    def _listed(self, method: str, params: Json, version: str = "") -> Json | None:
        if method == "ping" and not params.keys() - {"_meta"}:
            return self._recordings.result(self._version, method, self._variant)
        if method not in LISTS or params.keys() - {"_meta", "cursor"} or params.get("cursor"):
            return None
        if "cursor" in params and params["cursor"] is not None:
            return None
        result = self._recordings.result(version or self._version, method, self._variant)
        if method == "tools/list" and result is not None:
            self._handover.was_listed = True
        return result

    def _replay(self, message: Json) -> None:
        self._handover.replay.append(json.dumps({**message, "id": REPLAYED_ID}))


def _is_plain_token(token: object) -> bool:
    return isinstance(token, str) or (isinstance(token, int) and not isinstance(token, bool))


def _is_client(client: object) -> bool:
    return (
        isinstance(client, dict)
        and isinstance(client.get("name"), str)
        and isinstance(client.get("version"), str)
        and all(isinstance(client.get(key, ""), str) for key in ("title", "description"))
        and not client.keys() - {"name", "version", "title", "description", "websiteUrl", "icons"}
    )


def _is_plain(capabilities: Json) -> bool:
    """Whether every capability is an object, as the protocol says."""
    extensions = capabilities.get("extensions", {})
    return all(isinstance(each, dict) for each in capabilities.values()) and all(
        isinstance(each, dict) for each in extensions.values()
    )


# -- the wires ------------------------------------------------------------------------------


def answer_while(
    import_server: Callable[[], object], settings: Settings, version: str
) -> Handover | None:
    """Answer what is recorded while `import_server` runs in a thread of its own; None where
    nothing is recorded for the SDK that is installed, or this system cannot wait for a pipe."""
    recordings = Recordings.find(settings, version)
    if recordings is None or sys.platform == "win32":
        return None
    handover = Handover(*claimed_wires(), was_recorded=True)
    handshake = RecordedHandshake(recordings, handover)
    done, tell_done = os.pipe()

    def work() -> None:
        try:
            import_server()
        finally:
            os.close(tell_done)

    # A signal ends the process as it will later: nothing is in hand yet that could be lost.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: _leave())
    interval = sys.getswitchinterval()
    # Importing holds the interpreter: handed over more often, an answer waits for less.
    sys.setswitchinterval(0.0005)
    _drain(handshake, handover)  # whoever has asked already is answered before anything else
    threading.Thread(target=work, name="import-mcp", daemon=True).start()
    is_done = False
    while not is_done:
        wires = [done] if handover.has_ended else [done, handover.stdin]
        ready, _, _ = select.select(wires, [], [])
        is_done = done in ready
        if handover.stdin in ready and not is_done:
            _read(handshake, handover)
        if handover.has_ended and not handover.waiting:
            _leave()  # the client has gone, and nobody waits for anything
    os.close(done)
    sys.setswitchinterval(interval)
    return handover


def _drain(handshake: RecordedHandshake, handover: Handover) -> None:
    while not handover.has_ended and select.select([handover.stdin], [], [], 0)[0]:
        _read(handshake, handover)


def _read(handshake: RecordedHandshake, handover: Handover) -> None:
    chunk = os.read(handover.stdin, 65_536)
    if not chunk:
        handover.has_ended = True
        if handover.rest:
            handover.waiting.append(handover.rest.decode("utf-8", "replace"))
            handover.rest = b""
        return
    *lines, handover.rest = (handover.rest + chunk).split(b"\n")
    for line in lines:
        text = line.decode("utf-8", "replace")
        if not text.strip():
            continue
        answer = handshake.take(text)
        if answer:
            _write(handover.stdout, answer.encode("utf-8", "replace") + b"\n")


def _write(wire: int, data: bytes) -> None:
    try:
        while data:
            data = data[os.write(wire, data) :]
    except OSError:
        _leave()  # nobody reads what we say


def claimed_wires() -> tuple[int, int]:
    """The wires, under numbers of their own: what anybody prints goes to stderr, and a child
    process that reads stdin finds it empty."""
    stdin, stdout = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    try:
        os.dup2(2, 1)
    except OSError:  # a host may have closed stderr
        os.dup2(nothing, 1)
    os.close(nothing)
    return stdin, stdout


def _leave() -> NoReturn:
    os._exit(0)
