"""Environment files: local files as they are, for an agent's sandbox, which takes any kind.

The rules are those of attachments: inside the allowed folders, no credentials, no private keys,
folders and patterns without what is ignored.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ..domain.agent_environments import SourceFile
from ..domain.errors import BadArgument
from ..domain.file_errors import NotTaken, Protected
from .glob_expansion import gather
from .interaction_content import holds_key, size_of
from .mime_sniffing import kind_of
from .path_sandbox.allowed_dirs import Folders, Opened
from .remote_urls import address_of

MOST_FILES = 500
MOST_BYTES = 20 * 2**20
"""Of all files of one call: they travel inside the request."""
FOLDER = "input"
"""Where they are put in the sandbox."""


@dataclass(frozen=True, slots=True)
class EnvironmentFiles:
    """The files, and what folders and patterns stood for."""

    files: tuple[SourceFile, ...] = ()
    notes: tuple[str, ...] = ()


def read(
    folders: Folders, made_here: Folders, given: Sequence[str], ours: dict[str, str]
) -> EnvironmentFiles:
    """Every file these stand for; `ours` gives the paths of files made here, by id."""
    files: dict[str, SourceFile] = {}
    notes: list[str] = []
    total = 0
    for each in given:
        for opened in _opened(folders, made_here, each, ours, notes):
            with opened:
                total += opened.size
                if total > MOST_BYTES or len(files) >= MOST_FILES:
                    raise NotTaken(
                        each,
                        f"makes this more than {size_of(MOST_BYTES)} or {MOST_FILES} files",
                        "Name fewer or smaller files.",
                    )
                target = _free(f"{FOLDER}/{_name(opened)}", files)
                files[target] = SourceFile(target, data(opened))
    return EnvironmentFiles(tuple(files.values()), tuple(notes))


def data(opened: Opened) -> bytes:
    """The bytes of an open file that holds no private key."""
    if holds_key(opened.file, kind_of(opened.file)):
        raise Protected.by_content(opened.name)
    opened.file.seek(0)
    return opened.file.read(opened.size)


def _opened(
    folders: Folders, made_here: Folders, given: str, ours: dict[str, str], notes: list[str]
) -> Iterator[Opened]:
    if given in ours:
        yield made_here.open_inside(ours[given])
        return
    if given.startswith("git:") or address_of(given) is not None:
        raise BadArgument(
            f"`files`: '{given[:60]}' is no local file, and only those go into a sandbox. Name "
            "addresses in the prompt: the agent fetches them itself where its network is open."
        )
    gathered = gather(folders, given)
    if listing := gathered.listing():
        notes.append(listing)
    yield from map(partial(_open, folders), gathered.paths)


def _open(folders: Folders, path: Path) -> Opened:
    return folders.open_inside(str(path))


def _name(opened: Opened) -> str:
    """Its name from the allowed folder on, without what leads elsewhere."""
    parts = [part for part in opened.name.split("/") if part not in ("", ".", "..")]
    return "/".join(parts) or "file"


def _free(target: str, taken: dict[str, SourceFile]) -> str:
    number, name = 1, target
    while name in taken:
        number += 1
        name = f"{target}-{number}"
    return name
