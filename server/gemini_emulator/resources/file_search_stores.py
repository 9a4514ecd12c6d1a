"""File search stores: the documents clients have put into them, and what a search finds there."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ..api_errors import ApiError
from ..ids import Mint
from ..json_types import Json, timestamp

MOST_TEXT = 1024 * 1024
"""Bytes of a document that are kept for searching."""
_WORD = re.compile(r"\w{4,}")


@dataclass(eq=False)
class Document:
    """One document of a store: what it is called, and the text that is searched."""

    name: str
    display_name: str
    mime_type: str
    created: datetime
    size: int = 0
    data: bytes = b""
    metadata: list[Json] = field(default_factory=list)
    pending_looks: int = 0
    has_failed: bool = False

    @property
    def state(self) -> str:
        if self.pending_looks > 0:
            return "STATE_PENDING"
        return "STATE_FAILED" if self.has_failed else "STATE_ACTIVE"

    def add(self, piece: bytes) -> None:
        self.size += len(piece)
        self.data += piece[: max(0, MOST_TEXT - len(self.data))]

    def public(self) -> Json:
        body: Json = {
            "name": self.name,
            "displayName": self.display_name,
            "mimeType": self.mime_type,
            "sizeBytes": str(self.size),
            "createTime": timestamp(self.created, "microseconds"),
            "updateTime": timestamp(self.created, "microseconds"),
            "state": self.state,
        }
        return {**body, "customMetadata": self.metadata} if self.metadata else body


@dataclass(eq=False)
class Store:
    """One store, by its resource name."""

    name: str
    display_name: str
    created: datetime
    documents: dict[str, Document] = field(default_factory=dict)

    def public(self) -> Json:
        states = [document.state for document in self.documents.values()]
        return {
            "name": self.name,
            "displayName": self.display_name,
            "createTime": timestamp(self.created, "microseconds"),
            "updateTime": timestamp(self.created, "microseconds"),
            "activeDocumentsCount": str(states.count("STATE_ACTIVE")),
            "pendingDocumentsCount": str(states.count("STATE_PENDING")),
            "failedDocumentsCount": str(states.count("STATE_FAILED")),
            "sizeBytes": str(sum(each.size for each in self.documents.values())),
        }


class FileSearchStores:
    """All stores. Operations are done when they are made, unless documents are slow."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._mint = Mint("stores")
        self._now = now
        self.all: dict[str, Store] = {}
        self.deleted: set[str] = set()
        self.operations: dict[str, Document] = {}
        self.pending_looks = 0
        self.failing: list[bool] = []

    def create(self, body: Any) -> Json:
        given = body.get("displayName") if isinstance(body, dict) else None
        title = given if isinstance(given, str) else ""
        name = f"fileSearchStores/{self._named(title)}"
        self.all[name] = Store(name, title, self._now())
        return self.all[name].public()

    def look(self, name: str) -> Store:
        if name not in self.all:
            raise ApiError(403, shape="google")
        return self.all[name]

    def delete(self, name: str, *, force: bool) -> None:
        if self.look(name).documents and not force:
            message = "Cannot delete a non-empty FileSearchStore without force."
            raise ApiError(400, message, "failed_precondition", shape="google")
        del self.all[name]
        self.deleted.add(name)

    def start(self, store: str, body: Any, mime_type: str, title: str) -> Document:
        """A document on its way into a store; it counts once `finish` is called."""
        self.look(store)
        wanted = body if isinstance(body, dict) else {}
        title = str(wanted.get("displayName") or title or "")
        name = f"{store}/documents/{self._named(title)}"
        metadata = wanted.get("customMetadata") or []
        return Document(name, title, mime_type, self._now(), metadata=list(metadata))

    def finish(self, document: Document) -> Json:
        """All of a document is here: the operation that takes it in."""
        store = document.name.partition("/documents/")[0]
        document.pending_looks = self.pending_looks
        document.has_failed = self.failing.pop(0) if self.failing else False
        self.look(store).documents[document.name] = document
        operation = f"{store}/upload/operations/{self._mint.file()}"
        self.operations[operation] = document
        return self.operation(operation)

    def operation(self, name: str) -> Json:
        document = self.operations.get(name)
        if document is None:
            raise ApiError(404, shape="google")
        if document.state == "STATE_PENDING":
            document.pending_looks -= 1
            return {"name": name}
        if document.has_failed:
            return {"name": name, "done": True, "error": {"code": 3, "message": "Failed to parse."}}
        store = document.name.partition("/documents/")[0]
        return {
            "name": name,
            "done": True,
            "response": {"parent": store, "documentName": document.name},
        }

    def document(self, name: str) -> Document:
        documents = self.look(name.partition("/documents/")[0]).documents
        if name not in documents:
            raise ApiError(404, shape="google")
        return documents[name]

    def delete_document(self, name: str, *, force: bool) -> None:
        self.document(name)
        if not force:
            message = "Cannot delete a non-empty Document without force."
            raise ApiError(400, message, "failed_precondition", shape="google")
        del self.look(name.partition("/documents/")[0]).documents[name]

    def check(self, names: Sequence[str]) -> None:
        """Refuse a search in a store that was deleted."""
        for name in names:
            if name in self.deleted:
                raise ApiError(403)

    def search(self, names: Sequence[str], query: str) -> tuple[Document, str] | None:
        """The document that shares most words with the query, and its line that does."""
        wanted = {word.lower() for word in _WORD.findall(query)}
        best: tuple[int, Document, str] | None = None
        for name in names:
            for document in self.all[name].documents.values() if name in self.all else ():
                for line in document.data.decode("utf-8", "replace").splitlines():
                    shared = len(wanted & {word.lower() for word in _WORD.findall(line)})
                    if shared and (best is None or shared > best[0]):
                        best = shared, document, line.strip()
        return best[1:] if best else None

    def _named(self, title: str) -> str:
        plain = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:27]
        return f"{plain}-{self._mint.file()}" if plain else self._mint.file()
