"""Attachments: what callers name in `files` and `images`, as contents Google takes.

Local files only from the allowed folders, or images made here for this owner; small ones
travel inside the request, large ones through the Files API, once per content and two days.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from io import BufferedIOBase
from typing import Any, Protocol

import anyio

from ..domain.agent_environments import SourceFile
from ..domain.artifact import BY_PREFIX, FILE_KINDS, ArtifactKind
from ..domain.errors import (
    BadArgument,
    ConnectionLost,
    Garbled,
    Gone,
    Refused,
    Rejected,
    TimedOut,
    Unavailable,
    UnknownId,
    Unreachable,
    UpstreamError,
    WrongKey,
)
from ..domain.ids import read_id
from ..domain.quoted_text import quoted
from ..domain.types import CROCKFORD, UploadedFile
from ..interactions import answer_text
from .artifacts.artifact_repository import ArtifactRepository
from .ports import Gemini, Store

KEPT_AT_GOOGLE = 47 * 3600.0
"""How long an upload is used again: Google keeps it for 48 hours."""
TRIES = 3
"""How often an upload is begun."""
_MADE = re.compile(rf"[{''.join(kind.prefix for kind in FILE_KINDS)}]_[{CROCKFORD}]{{10}}")


class LoadedAttachment(Protocol):
    """One thing to attach, weighed; `file` is open where it is to be uploaded."""

    @property
    def label(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def file(self) -> BufferedIOBase | None: ...
    @property
    def google_name(self) -> str: ...
    @property
    def mime_type(self) -> str: ...
    @property
    def stamp(self) -> str: ...
    def hash(self) -> str: ...
    def content(self, uri: str = "", mime_type: str = "") -> dict[str, Any]: ...
    def close(self) -> None: ...


class LoadedAttachments(Protocol):
    """Everything one call attaches."""

    @property
    def pieces(self) -> Sequence[LoadedAttachment]: ...
    @property
    def notes(self) -> Sequence[str]: ...
    def close(self) -> None: ...


class EnvironmentFiles(Protocol):
    """Local files as they are, and what is to be said of them."""

    @property
    def files(self) -> Sequence[SourceFile]: ...
    @property
    def notes(self) -> Sequence[str]: ...


class AttachmentLoader(Protocol):
    """Opens what callers name, inside the allowed folders."""

    def take(self, given: Sequence[str], ours: dict[str, str]) -> LoadedAttachments: ...
    def plain(self, given: Sequence[str], ours: dict[str, str]) -> EnvironmentFiles: ...
    def save(self, path: str, target: str, name: str) -> tuple[str, str]: ...
    def check_target(self, target: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Attached:
    """Contents to send, and a line each about what they are."""

    contents: tuple[dict[str, Any], ...] = ()
    labels: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    waiting: tuple[tuple[int, LoadedAttachment], ...] = ()
    """The large ones, opened, by their place in `contents`: uploaded once the turn is made."""

    def hash(self, salt: str) -> str:
        """SHA-256 of what is attached, and of `salt`; equal only for equal contents.

        Blocking: call it in a thread. A file that is to be uploaded counts by its size and time.
        """
        sha = hashlib.sha256(salt.encode())
        stamps = {at: piece.stamp for at, piece in self.waiting}
        for at, each in enumerate(self.contents):
            sha.update(f"\n{at} {stamps.get(at, '')}".encode())
            for name, value in sorted(each.items()):
                sha.update(f"\n{name} {value}".encode("utf-8", "replace"))
        return sha.hexdigest()

    def kept(self) -> list[dict[str, Any]]:
        """The contents as they are written down: without bytes, each with its name."""
        (step,) = answer_text.strip_media([{"content": list(self.contents)}])
        bare = step["content"]
        return [{**each, "name": name} for each, name in zip(bare, self.labels, strict=True)]


class Attachments:
    """Reads what callers name; `now` is the wall clock, in epoch seconds."""

    def __init__(
        self,
        store: Store,
        gemini: Gemini,
        repository: ArtifactRepository,
        porter: AttachmentLoader,
        now: Callable[[], float],
        *,
        authenticated: bool = False,
        timeout: float = 600.0,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
    ) -> None:
        self._store = store
        self._gemini = gemini
        self._repository = repository
        self._porter = porter
        self._now = now
        self._authenticated = authenticated
        self._timeout = timeout
        self._sleep = sleep

    async def read(self, owner: str, given: Sequence[str], seconds: float) -> Attached:
        """Contents for everything named; nothing is sent where one of them is refused, or where
        Google does not say within so many seconds what it has.

        Large files are only opened here: `sent` uploads them, outside the time of a call.
        """
        deadline = anyio.current_time() + seconds
        if not given:
            return Attached()
        ours = {each: path for each in given if (path := await self._made_here(owner, each))}
        loaded = await anyio.to_thread.run_sync(self._porter.take, given, ours)
        contents: list[dict[str, Any]] = []
        waiting: list[tuple[int, LoadedAttachment]] = []
        try:
            for piece in loaded.pieces:
                if piece.file is not None:
                    waiting.append((len(contents), piece))
                    contents.append({"type": "document", "bytes": 0})
                elif piece.google_name:
                    contents.append(await self._known_there(owner, piece, deadline))
                else:
                    contents.append(piece.content())
        except BaseException:
            loaded.close()
            raise
        labels = tuple(piece.label for piece in loaded.pieces)
        uploaded = [piece.label for _, piece in waiting]
        notes = list(loaded.notes)
        if uploaded:
            notes.append(f"Uploaded for 48 hours: {', '.join(uploaded)}.")
        return Attached(tuple(contents), labels, tuple(notes), tuple(waiting))

    async def sources(self, owner: str, given: Sequence[str]) -> EnvironmentFiles:
        """Local files as they are, for a sandbox; refuses what is none."""
        ours = {each: path for each in given if (path := await self._made_here(owner, each))}
        return await anyio.to_thread.run_sync(self._porter.plain, list(given), ours)

    async def sent(self, owner: str, attached: Attached, tell: Callable[[str], None]) -> Attached:
        """The same with everything at Google; a large file is uploaded once for two days. `tell`
        is told what is uploaded."""
        if not attached.waiting:
            return attached
        contents = list(attached.contents)
        try:
            with anyio.fail_after(self._timeout):
                for at, piece in attached.waiting:
                    tell(f"Uploading {piece.label}")
                    contents[at] = await self._uploaded(owner, piece)
                tell("")
        except TimeoutError:
            raise TimedOut() from None
        finally:
            for _, piece in attached.waiting:
                piece.close()
        return replace(attached, contents=tuple(contents), waiting=())

    async def save(
        self, owner: str, file_id: str, target: str, kind: ArtifactKind = ArtifactKind.IMAGE
    ) -> dict[str, str]:
        """Copy a file made here to where the caller wants it; the path it got, and its name from
        the allowed folder on."""
        made = await self._repository.find(owner, file_id, kind)
        path = str(made.facts["path"])
        # A file of a sandbox is called as it is there, whatever name was free here.
        named = str(made.facts.get("source") or path)
        name = named.replace("\\", "/").rsplit("/", 1)[-1]
        path, name = await anyio.to_thread.run_sync(self._porter.save, path, target, name)
        return {"path": path, "name": name}

    async def check_target(self, target: str) -> None:
        """Refuse a place that could not be written to, before anything is paid for."""
        await anyio.to_thread.run_sync(self._porter.check_target, target)

    async def _made_here(self, owner: str, given: str) -> str:
        """The path of a file that was made here, given by its id or by that path; else ""."""
        kind = _file_kind(given)
        if kind is not None:
            return str((await self._repository.find(owner, given, kind)).facts["path"])
        for id in _MADE.findall(given)[-1:]:  # which stands in the names of our files
            with suppress(UnknownId):
                found = await self._repository.find(owner, id, BY_PREFIX[id[0]])
                return given if found.facts["path"] == given else ""
        return ""

    async def _known_there(
        self, owner: str, piece: LoadedAttachment, deadline: float
    ) -> dict[str, Any]:
        with anyio.move_on_at(deadline):
            return await self._already_there(owner, piece)
        raise Refused(
            f"Google did not say in time whether it has {piece.google_name}; nothing was "
            "sent. Try again in a moment."
        )

    async def _uploaded(self, owner: str, piece: LoadedAttachment) -> dict[str, Any]:
        # Some seconds for a gigabyte: nobody waits for that who wants to stop.
        hash = await anyio.to_thread.run_sync(piece.hash, abandon_on_cancel=True)
        known = await self._store.upload(owner, hash, self._now())
        if known is None or not await self._is_still_there(known):
            known = await self._sent_to_google(piece)
            await self._store.add_upload(owner, hash, known, self._now() + KEPT_AT_GOOGLE)
            await self._store.add_name(owner, "file", known.name, self._now())
        return piece.content(known.uri, known.mime_type)

    async def _is_still_there(self, known: UploadedFile) -> bool:
        """Somebody may have deleted it, and the files of another key cannot be used."""
        try:
            return (await self._gemini.uploaded(known.name)).state == "ACTIVE"
        except (Gone, WrongKey):
            return False
        except UpstreamError:  # nobody says that it is not
            return True

    async def _sent_to_google(self, piece: LoadedAttachment) -> UploadedFile:
        """An upload costs nothing, so one that breaks is begun again; its file may not change."""
        if piece.file is None:
            raise BadArgument(f"{piece.label} is no file that could be uploaded.")
        tries = 0
        while True:
            try:
                return await self._gemini.upload(piece.file, piece.mime_type, piece.name)
            except (ConnectionLost, Garbled, Unreachable, Unavailable) as problem:
                tries += 1
                if tries == TRIES:
                    why = f"the connection broke {tries} times on the way"
                    if isinstance(problem, Garbled):
                        why = f"its answer could not be read, {tries} times"
                    raise Refused(
                        f"{piece.label} could not be sent to Google: {why}. "
                        "Gemini was not asked, and nothing was billed. "
                        "Try again, or send less of it."
                    ) from problem
                await self._sleep(float(tries))
            except Rejected as problem:
                said = quoted(problem.said)
                raise Refused(
                    f"Google did not take {piece.label}"
                    + (f': "{said}" ' if said else ". ")
                    + "Gemini was not asked, and nothing was billed. Check that the file is whole, "
                    "convert it, or leave it out."
                ) from problem

    async def _already_there(self, owner: str, piece: LoadedAttachment) -> dict[str, Any]:
        name = piece.google_name
        if self._authenticated and not await self._store.owns_name(owner, name):
            raise UnknownId(f"There is no uploaded file '{name}' here. Give its path instead.")
        try:
            there = await self._gemini.uploaded(name)
        except (Gone, WrongKey) as problem:
            # Google says "permission denied" of files that are gone, too.
            if problem.status == 401:
                raise
            raise BadArgument(
                f"Google has no file '{name}' (any more): uploads are kept for 48 hours. "
                "Give its path or an https address instead."
            ) from None
        return piece.content(there.uri, there.mime_type)


def _file_kind(given: str) -> ArtifactKind | None:
    """The kind of file this is an id of; None where it is none."""
    try:
        kind = read_id(given).kind
    except BadArgument:
        return None
    return kind if isinstance(kind, ArtifactKind) and kind.is_file else None
