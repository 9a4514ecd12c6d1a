"""Luggage: what a caller wants to attach, opened and weighed before anything is sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from io import BufferedIOBase
from pathlib import Path
from typing import Any

from . import attachments
from .addresses import Address, address_of
from .attachments import Attachment
from .folders import Folders, Opened
from .gathering import gather

FILES = 500
"""How many files one call may attach."""


@dataclass(slots=True)
class Piece:
    """One thing to attach: an address, or an opened file that goes inline or is uploaded."""

    label: str
    address: Address | None = None
    opened: Opened | None = None
    attachment: Attachment | None = None
    is_inline: bool = True

    @property
    def file(self) -> BufferedIOBase | None:
        return self.opened.file if self.opened else None

    @property
    def google_name(self) -> str:
        """The `files/…` name of something already at Google, "" for anything else."""
        return self.address.file if self.address else ""

    @property
    def mime_type(self) -> str:
        return self.attachment.mime if self.attachment else ""

    def hash(self) -> str:
        """SHA-256 of an opened file."""
        return attachments.hash_of(self.opened.file) if self.opened else ""

    def content(self, uri: str = "", mime_type: str = "") -> dict[str, Any]:
        """The Interactions content; a file that is not inline is told where its copy is."""
        if self.address is not None:
            return self.address.content(uri=uri, mime=mime_type)
        if self.opened is None or self.attachment is None:
            return {}
        if uri:
            return self.attachment.content_at(uri)
        return attachments.inline(self.attachment, self.opened)

    def close(self) -> None:
        if self.opened is not None:
            self.opened.file.close()


@dataclass(slots=True)
class Luggage:
    """Everything one call attaches; `notes` say what a folder or pattern stood for."""

    pieces: list[Piece] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def close(self) -> None:
        for piece in self.pieces:
            piece.close()


class Porter:
    """Opens what callers name, inside the allowed folders; `google` holds Google's own bases."""

    def __init__(self, folders: Folders, made_here: Folders, google: Sequence[str]) -> None:
        self._folders = folders
        self._made_here = made_here
        self._google = [base for base in google if base]

    def take(self, given: Sequence[str], ours: dict[str, str]) -> Luggage:
        """Open and weigh everything; `ours` gives the paths of images made here, by id.

        Blocking: call it in a thread. Raises a refusal that names the rule and the setting.
        """
        luggage = Luggage()
        try:
            for each in given:
                self._take(each, ours, luggage)
            files = [piece for piece in luggage.pieces if piece.attachment is not None]
            inline = attachments.go_inline([p.attachment for p in files if p.attachment])
            for piece, goes_inline in zip(files, inline, strict=True):
                piece.is_inline = goes_inline
        except BaseException:
            luggage.close()
            raise
        return luggage

    def _take(self, given: str, ours: dict[str, str], luggage: Luggage) -> None:
        if given in ours:
            self._add(self._made_here.open_inside(ours[given]), luggage)
            return
        address = address_of(given, self._google) if self._google else address_of(given)
        if address is not None:
            luggage.pieces.append(Piece(attachments.describe(address), address=address))
            return
        gathered = gather(self._folders, given)
        listing = gathered.listing()
        if listing:
            luggage.notes.append(listing)
        for path in gathered.paths:
            self._add(self._folders.open_inside(str(path)), luggage)

    def _add(self, opened: Opened, luggage: Luggage) -> None:
        try:
            attachment = attachments.attach(opened)
        except BaseException:
            opened.file.close()
            raise
        label = attachments.describe(attachment)
        luggage.pieces.append(Piece(label, opened=opened, attachment=attachment))

    def check_target(self, target: str) -> None:
        """Refuse a place outside the allowed folders, or one that is protected."""
        self._folders.find(target)

    def save(self, path: str, target: str, name: str) -> str:
        """Copy a file made here to where the caller wants it; nothing is overwritten."""
        with (
            self._made_here.open_inside(path) as source,
            self._folders.create_inside(target, name) as new,
        ):
            while piece := source.file.read(1024 * 1024):
                new.file.write(piece)
            return str(new.keep(Path(path).suffix))
