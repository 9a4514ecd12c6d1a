"""Documents for a file search store: local files by the rules of attachments, but many of them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from io import BufferedIOBase
from pathlib import Path

from ..domain.errors import Refused
from . import interaction_content
from .glob_expansion import Limits, gather
from .path_sandbox.allowed_dirs import Folders
from .stable_file import UnchangedFileReader

LIMITS = Limits(
    files=10_000,
    bytes=2 * 2**30,
    bytes_of_one=100 * 2**20,
    bytes_of_media=2 * 2**30,
    seen=200_000,
    takes_media=True,
)
_TYPES = ("text", "document")


@dataclass(frozen=True, slots=True)
class Document:
    """A local file to put into a store, weighed: its name from the allowed folder on."""

    path: Path
    name: str
    size: int
    hash: str
    mime_type: str


@dataclass(frozen=True, slots=True)
class Documents:
    """What was found, and what was left out and why."""

    found: tuple[Document, ...]
    left_out: tuple[tuple[str, str], ...]


class DocumentFinder:
    """Finds and opens documents inside the allowed folders; blocking."""

    def __init__(self, folders: Folders) -> None:
        self._folders = folders

    def find(self, given: Sequence[str]) -> Documents:
        return find(self._folders, given)

    def open(self, path: Path) -> BufferedIOBase:
        """The file again, which stays as it was weighed, or says that it did not."""
        return UnchangedFileReader(self._folders.open_inside(str(path)))


def find(folders: Folders, given: Sequence[str]) -> Documents:
    """Every document these paths, folders and patterns stand for, read once for its hash.

    Blocking. Raises a refusal where one of them stands for nothing.
    """
    found: dict[str, Document] = {}
    left_out: list[tuple[str, str]] = []
    for each in given:
        gathered = gather(folders, each, LIMITS)
        left_out += gathered.left_out
        is_alone = len(gathered.paths) == 1 and not gathered.names
        for path in gathered.paths:
            try:
                document = _weighed(folders, path)
            except Refused as refusal:
                if is_alone:
                    raise
                left_out.append((path.name, str(refusal).split(". ")[0]))
                continue
            if isinstance(document, str):
                left_out.append((path.name, document))
            else:
                found[document.name] = document
    return Documents(tuple(found.values()), tuple(left_out))


def _weighed(folders: Folders, path: Path) -> Document | str:
    with folders.open_inside(str(path)) as opened:
        attachment = interaction_content.attach(opened)  # which refuses keys
        if attachment.kind.type not in _TYPES:
            return f"{attachment.kind.called}, which cannot be searched"
        opened.file.seek(0)
        digest = hashlib.file_digest(opened.file, "sha256").hexdigest()
        return Document(
            Path(opened.path), opened.name, opened.size, digest, attachment.mime or "text/plain"
        )
