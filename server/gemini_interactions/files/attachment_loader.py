"""Attachment loader: opens what a caller attaches, and measures it before anything is sent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from io import BufferedIOBase
from pathlib import Path
from typing import Any

from gemini_interactions.domain.errors import Refused

from ..domain.file_errors import NotTaken
from . import embedded_media, environment_files, interaction_content
from .environment_files import EnvironmentFiles
from .glob_expansion import gather
from .interaction_content import Attachment
from .path_sandbox.allowed_dirs import Folders, Opened
from .remote_urls import Address, address_of
from .stable_file import UnchangedFileReader
from .text_decoding import decoded

GIT = "git:"
"""How entries begin that name a change of a repository, never a file (`./git:…` does)."""
FILES = 500
"""How many files one call may attach."""


@dataclass(slots=True)
class LoadedAttachment:
    """One thing to attach: an address, a file that goes inline, or an open one to upload."""

    label: str
    address: Address | None = None
    attachment: Attachment | None = None
    inline: dict[str, Any] | None = None
    reader: UnchangedFileReader | None = None

    @property
    def file(self) -> BufferedIOBase | None:
        """What is to be uploaded: a file that stays as it was weighed, or says that it did not."""
        return self.reader

    @property
    def name(self) -> str:
        return self.attachment.name if self.attachment else self.label

    @property
    def google_name(self) -> str:
        """The `files/…` name of something already at Google, "" for anything else."""
        return self.address.file if self.address else ""

    @property
    def mime_type(self) -> str:
        return self.attachment.mime if self.attachment else ""

    @property
    def stamp(self) -> str:
        """Another one for a file to upload once it has been written to."""
        return self.reader.stamp if self.reader else ""

    def hash(self) -> str:
        """SHA-256 of a file that is to be uploaded."""
        return interaction_content.hash_of(self.reader) if self.reader else ""

    def content(self, uri: str = "", mime_type: str = "") -> dict[str, Any]:
        """The Interactions content; a file that is not inline is told where its copy is."""
        if self.address is not None:
            return self.address.content(uri=uri, mime=mime_type)
        if self.attachment is not None and uri:
            return self.attachment.content_at(uri)
        return self.inline or {}

    def close(self) -> None:
        if self.reader is not None:
            self.reader.close()


@dataclass(slots=True)
class LoadedAttachments:
    """Everything one call attaches; `notes` say what a folder or pattern stood for."""

    pieces: list[LoadedAttachment] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def close(self) -> None:
        for piece in self.pieces:
            piece.close()


Open = Callable[[], Opened]


class AttachmentLoader:
    """Opens what callers name, inside the allowed folders; `google` holds Google's own bases."""

    def __init__(
        self,
        folders: Folders,
        made_here: Folders,
        google: Sequence[str],
        *,
        most_of_change: int = 4 * 2**20,
    ) -> None:
        self._most_of_change = most_of_change
        self._folders = folders
        self._made_here = made_here
        self._google = [base for base in google if base]

    def take(self, given: Sequence[str], ours: dict[str, str]) -> LoadedAttachments:
        """Open and weigh everything; `ours` gives the paths of images made here, by id.

        Blocking: call it in a thread. Raises a refusal that names the rule and the setting.
        """
        loaded = LoadedAttachments()
        files: list[tuple[LoadedAttachment, Open]] = []
        for each in given:
            files += self._weighed(each, ours, loaded)
            if len(loaded.pieces) > FILES:
                raise NotTaken(
                    each, f"makes this more than {FILES} files in one call", "Name fewer of them."
                )
        try:
            # Which of them are small enough to go along is known once all are weighed. Only
            # those to upload stay open: a folder has more files than a process may hold.
            small = interaction_content.go_inline([p.attachment for p, _ in files if p.attachment])
            for (piece, open_it), is_small in zip(files, small, strict=True):
                _load(piece, open_it(), is_small)
        except BaseException:
            loaded.close()
            raise
        return loaded

    def plain(self, given: Sequence[str], ours: dict[str, str]) -> EnvironmentFiles:
        """Local files as they are, for a sandbox at Google, by the same rules as attachments.

        Blocking: call it in a thread.
        """
        return environment_files.read(self._folders, self._made_here, given, ours)

    def _weighed(
        self, given: str, ours: dict[str, str], loaded: LoadedAttachments
    ) -> list[tuple[LoadedAttachment, Open]]:
        """The files this stands for, each with how to open it again."""
        if given in ours:
            return _weigh(partial(self._made_here.open_inside, ours[given]), loaded)
        if given.startswith(GIT):
            self._add_change(given, loaded)
            return []
        address = address_of(given, self._google) if self._google else address_of(given)
        if address is not None:
            loaded.pieces.append(
                LoadedAttachment(interaction_content.describe(address), address=address)
            )
            return []
        gathered = gather(self._folders, given)
        files: list[tuple[LoadedAttachment, Open]] = []
        lost: list[Path] = []
        for path in gathered.paths:
            try:
                files += _weigh(partial(self._folders.open_inside, str(path)), loaded)
            except Refused:
                if not files and path == gathered.paths[-1]:  # nothing is left; or it was named
                    raise
                lost.append(path)
        listing = (gathered.without(lost) if lost else gathered).listing()
        if listing:
            loaded.notes.append(listing)
        return files

    def _add_change(self, given: str, loaded: LoadedAttachments) -> None:
        from .git import changes  # what runs git is for those who ask for it

        change = changes.read(self._folders, given, self._most_of_change)
        content = {"type": "text", "text": change.text}
        loaded.pieces.append(LoadedAttachment(change.label, inline=content))
        loaded.notes += change.notes

    def check_target(self, target: str) -> None:
        """Refuse a place outside the allowed folders, or one that cannot be written to."""
        self._folders.check_new(target)

    def save(self, path: str, target: str, name: str) -> tuple[str, str]:
        """Copy a file made here to where the caller wants it; nothing is overwritten.

        The path it got, and what it is called to those who do not see this machine's paths.
        """
        with (
            self._made_here.open_inside(path) as source,
            self._folders.create_inside(target, name) as new,
        ):
            while piece := source.file.read(1024 * 1024):
                new.file.write(piece)
            saved = str(new.keep(Path(path).suffix))
        return saved, self._folders.name_of(saved)


def _weigh(open_it: Open, loaded: LoadedAttachments) -> list[tuple[LoadedAttachment, Open]]:
    """What is still to be loaded of a file; nothing where it is ready already."""
    with open_it() as opened:
        attachment = interaction_content.attach(opened)
        if attachment.note:
            loaded.notes.append(attachment.note)
        if _reduce(attachment, opened, loaded):
            return []
    piece = LoadedAttachment(interaction_content.describe(attachment), attachment=attachment)
    loaded.pieces.append(piece)
    return [(piece, open_it)]


def _reduce(
    attachment: interaction_content.Attachment, opened: Opened, loaded: LoadedAttachments
) -> bool:
    """Take a notebook, a HAR file or a drawing without the base64 in it; False where none is."""
    if attachment.kind.type != "text" or opened.size > embedded_media.LARGEST:
        return False
    if not embedded_media.is_candidate(attachment.name):
        return False
    opened.file.seek(0)
    text = decoded(opened.file.read(opened.size), attachment.kind.encoding)
    found = embedded_media.reduced(attachment.name, text)
    if found is None or len(found.text) > interaction_content.INLINE_TEXT:
        return False
    label = interaction_content.describe(attachment)
    content = interaction_content.text_content(attachment, found.text)
    loaded.pieces.append(LoadedAttachment(label, inline=content))
    for number, (kind, data) in enumerate(found.pictures, 1):
        picture = {"type": "image", "data": data, "mime_type": kind}
        name = f"{attachment.name}, picture {number}"
        loaded.pieces.append(LoadedAttachment(name, inline=picture))
    if found.left_out:
        pictures = f"; {len(found.pictures)} of its pictures go along" if found.pictures else ""
        left = interaction_content.size_of(found.left_out)
        loaded.notes.append(
            f"{attachment.name} was sent without {left} of embedded data{pictures}."
        )
    return True


def _load(piece: LoadedAttachment, opened: Opened, is_small: bool) -> None:
    """Read a small file, which is then closed; keep a large one open, or one that has grown."""
    weighed = piece.attachment.size if piece.attachment else 0
    try:
        piece.attachment = interaction_content.attach(opened)  # it may be another by now
        if is_small and piece.attachment.size <= weighed:
            piece.inline = interaction_content.inline(piece.attachment, opened)
            opened.file.close()
        else:
            piece.reader = UnchangedFileReader(opened)
    except BaseException:
        opened.file.close()
        raise
