"""The sandboxes agents work in: their files, what a snapshot shows of them, when they are gone."""

import base64
import binascii
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any, Protocol

from ..api_errors import ApiError, invalid
from ..ids import Mint
from ..json_types import Json, timestamp

KEPT_FOR = timedelta(days=7)
"""How long an environment that nobody uses is kept."""
_TYPES = {".md": "text/markdown", ".txt": "text/plain", ".csv": "text/csv", ".py": "text/x-python"}


class Run(Protocol):
    """An interaction that works in an environment."""

    @property
    def is_running(self) -> bool: ...
    @property
    def rested(self) -> datetime: ...


@dataclass(eq=False)
class Environment:
    """One sandbox. `files` is what it holds, by path; clients see the `snapshot`."""

    id: str
    created: datetime
    network: Any = None
    sources: list[Json] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    snapshot: dict[str, bytes] | None = None
    runs: list[Run] = field(default_factory=list)
    accessed: datetime | None = None
    is_gone: bool = False

    def may_reach(self, host: str) -> bool:
        """Whether its network rules let it talk to this host; no rules let it talk to all."""
        if self.network is None:
            return True
        allowed = self.network.get("allowlist") if isinstance(self.network, dict) else None
        if not isinstance(allowed, list):
            return False
        return any(fnmatchcase(host, str(entry.get("domain"))) for entry in allowed)

    def shown(self, now: datetime, wait: timedelta) -> dict[str, bytes] | None:
        """The newest snapshot: one is made when its runs have rested for so long; None before."""
        if not any(run.is_running for run in self.runs):
            rested = max((run.rested for run in self.runs), default=self.created)
            if rested + wait <= now:
                self.snapshot = dict(self.files)
        return self.snapshot

    def public(self, now: datetime) -> Json:
        body: Json = {
            "id": self.id,
            "created": timestamp(self.created),
            "updated": timestamp(self.accessed or self.created),
            "last_accessed": timestamp(self.accessed or self.created),
            "file_count": str(len(self.snapshot or {})),
            "size_bytes": str(sum(map(len, (self.snapshot or {}).values()))),
            "status": "active" if not self.has_expired(now) else "expired",
        }
        if self.network is not None:
            body["network"] = self.network
        if self.sources:
            body["sources"] = [{k: v for k, v in s.items() if k != "content"} for s in self.sources]
        return body

    def has_expired(self, now: datetime) -> bool:
        return (self.accessed or self.created) + KEPT_FOR <= now


class Environments:
    """All environments of the service."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._mint = Mint("environments")
        self._now = now
        self.all: dict[str, Environment] = {}
        self.snapshot_seconds = 0.0

    def prepare(self, wanted: Any) -> Environment:
        """The environment a request asks for: "remote", a bare id, or an object; made anew, or
        as it is with what the object adds. An unknown id with `env_` before it is a new one."""
        if wanted in (None, "remote"):
            return self._new()
        if isinstance(wanted, str):
            return self._new() if wanted.startswith("env_") else self.use(wanted)
        if not isinstance(wanted, dict) or wanted.get("type") != "remote":
            raise invalid("Invalid value at 'environment.type'.")
        for name in wanted:
            if name not in ("type", "env", "environment_id", "network", "sources"):
                raise ApiError(400, f"Unknown parameter 'environment.{name}'.", "parameter_unknown")
        network, sources = wanted.get("network"), wanted.get("sources") or []
        _check_network(network)
        files = _files_of(sources)
        known = wanted.get("environment_id")
        environment = self.use(str(known)) if known else self._new()
        if "network" in wanted:
            environment.network = network
        environment.sources += sources
        environment.files |= files
        return environment

    def use(self, id: str) -> Environment:
        environment = self.look(id)
        if environment.has_expired(self._now()):
            raise ApiError(404, f"The environment '{id}' was not found.", "not_found")
        environment.accessed = self._now()
        return environment

    def look(self, id: str) -> Environment:
        environment = self.all.get(id.removeprefix("environments/"))
        if environment is None or environment.is_gone:
            raise ApiError(404, f"The environment '{id}' was not found.", "not_found")
        return environment

    def delete(self, id: str) -> None:
        self.look(id).is_gone = True

    def everything(self) -> list[Json]:
        return [each.public(self._now()) for each in self.all.values() if not each.is_gone]

    def snapshot(self, id: str) -> dict[str, bytes]:
        """The files clients may see; 404 as long as there is no snapshot."""
        environment = self.use(id)
        shown = environment.shown(self._now(), timedelta(seconds=self.snapshot_seconds))
        if shown is None:
            raise ApiError(404)
        return shown

    def listed(self, id: str, path: str, *, recursive: bool) -> list[Json]:
        """The entries of a folder, or the one file a path names."""
        files, path = self.snapshot(id), path.strip("/")
        if path in files:
            return [self._entry(path, files[path])]
        below = f"{path}/" if path and path != "." else ""
        inside = sorted(name for name in files if name.startswith(below))
        if below and not inside:
            raise ApiError(404)
        if recursive:
            return [self._entry(name, files[name]) for name in inside]
        found: dict[str, Json] = {}
        for name in inside:
            head, slash, _ = name.removeprefix(below).partition("/")
            whole = f"{below}{head}"
            found.setdefault(
                whole, self._folder(whole) if slash else self._entry(name, files[name])
            )
        return list(found.values())

    def content(self, id: str, path: str) -> tuple[bytes, str]:
        """The bytes of one file, and its type."""
        files = self.snapshot(id)
        if path not in files:
            raise ApiError(404)
        return files[path], _type(path)

    def _entry(self, path: str, data: bytes) -> Json:
        name = path.rsplit("/", 1)[-1]
        entry = {"name": name, "path": path, "size_bytes": str(len(data)), "type": "file"}
        return {**entry, "mime_type": _type(path), "modified": timestamp(self._now())}

    def _folder(self, path: str) -> Json:
        return {"name": path.rsplit("/", 1)[-1], "path": path, "type": "directory"}

    def _new(self) -> Environment:
        id = str(uuid.UUID(bytes=self._mint.digest("environment")[:16], version=4))
        environment = self.all[id] = Environment(id, self._now())
        return environment


def _check_network(network: Any) -> None:
    allowed = network.get("allowlist") if isinstance(network, dict) else network
    if allowed is None or allowed == "disabled":
        return
    is_list = isinstance(network, dict) and isinstance(allowed, list)
    if not is_list or not all(isinstance(e, dict) and e.get("domain") for e in allowed):
        raise invalid("Invalid value at 'environment.network'.")


def _files_of(sources: Any) -> dict[str, bytes]:
    """What the sources of an environment put into it."""
    files: dict[str, bytes] = {}
    for i, source in enumerate(sources):
        kind = source.get("type") if isinstance(source, dict) else None
        target = str(source.get("target") or "").strip("/") if kind else ""
        if kind == "inline" and target and isinstance(source.get("content"), str):
            files[target] = _decoded(source, i)
        elif kind in ("repository", "gcs", "skill_registry") and source.get("source"):
            files[f"{target or 'source'}/README.md"] = f"From {source['source']}.\n".encode()
        else:
            raise invalid(f"Invalid value at 'environment.sources[{i}]'.")
    return files


def _decoded(source: Json, place: int) -> bytes:
    if source.get("encoding") != "base64":
        return str(source["content"]).encode()
    try:
        return base64.b64decode(source["content"], validate=True)
    except (binascii.Error, ValueError):
        raise invalid(f"Invalid value at 'environment.sources[{place}].content'.") from None


def _type(path: str) -> str:
    return next(
        (kind for end, kind in _TYPES.items() if path.endswith(end)), "application/octet-stream"
    )
