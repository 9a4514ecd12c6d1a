"""Why a file is not read or not written, one class per thing the caller can do about it.

    Refused
    ├── NotAllowed   it is outside the folders somebody opened: a setting decides
    ├── Protected    it may hold credentials: never read, whatever the setting
    ├── BadPath      what was given cannot be the path of a file
    ├── NoSuchFile   nothing is there, or it may not be read
    ├── NotTaken     it is there, but Gemini cannot take it
    ├── BadAddress   Google cannot fetch this
    ├── CannotSave   the image cannot be written there
    ├── CannotKeep   nor in our own folder
    └── NotFetched   it is in an agent's sandbox, and stays there

The message is the rule, then the way out. A path is quoted only as the caller gave it; the
allowed folders are named, since a caller cannot guess them; nothing outside them ever is.
"""

from __future__ import annotations

import errno
from collections.abc import Sequence

from gemini_interactions.domain.errors import NotKept, Refused

SETTING = "GEMINI_MCP_ALLOWED_DIRS (--allowed-dirs)"


def shown(given: str) -> str:
    """What the caller gave, fit to be repeated: one printable line, of a long one the end."""
    line = printable(given)
    return f"'{line}'" if len(line) <= 80 else f"'…{line[-79:]}'"


def printable(name: str) -> str:
    """A name in one line; on disk it may hold line ends and whatever else."""
    return "".join(each if each.isprintable() else "?" for each in name)


class NotAllowed(Refused):
    """It is outside the allowed folders."""

    @classmethod
    def nothing(cls, why: str) -> NotAllowed:
        return cls(
            f"No local file can be read or written: {why}. Set {SETTING} to the folders that may "
            "be used and restart the server. URLs and files/… names work without it."
        )

    @classmethod
    def outside(cls, given: str, folders: Sequence[str]) -> NotAllowed:
        return cls(
            f"{shown(given)} is outside the allowed folders ({_listed(folders)}). Use a file "
            f"inside them, or have its folder added to {SETTING} and the server restarted."
        )

    @classmethod
    def leads_out(cls, given: str) -> NotAllowed:
        return cls(
            f"{shown(given)} leads out of the allowed folders through a link. Use a file that is "
            f"inside them, or have its folder added to {SETTING} and the server restarted."
        )

    @classmethod
    def restless(cls, given: str) -> NotAllowed:
        return cls(
            f"{shown(given)} goes through a link that leads nowhere, or was moved while it was "
            f"being opened, so it could not be held to the folders of {SETTING}. Use the path of "
            "the file itself."
        )


class Protected(Refused):
    """It holds credentials, or has the name of something that does."""

    @classmethod
    def by_name(cls, given: str, rule: str) -> Protected:
        return cls(
            f"{shown(given)} is protected by its name: '{rule}' may hold credentials and is never "
            f"read or written, even inside the folders of {SETTING}. Leave it out."
        )

    @classmethod
    def by_content(cls, given: str) -> Protected:
        return cls(
            f"{shown(given)} contains a private key and is never sent, even from inside the "
            f"folders of {SETTING}. Leave it out, or send a copy without the key."
        )

    @classmethod
    def ours(cls, given: str) -> Protected:
        return cls(
            f"{shown(given)} is in this server's own data folder, which is never read or written "
            f"as files, even inside the folders of {SETTING}. Name a generated image by its id."
        )


class BadPath(Refused):
    """This cannot be the path of a file here."""

    def __init__(self, given: str, why: str) -> None:
        super().__init__(
            f"{shown(given)} cannot be used as a path: {why}. "
            f"Give a plain path inside the folders of {SETTING}."
        )


class NoSuchFile(Refused):
    """Nothing is there, or it may not be read."""

    def __init__(self, given: str, start: str) -> None:
        super().__init__(
            f"There is no file {shown(given)}. Check the path; a relative one starts at {start}."
        )


class NotTaken(Refused):
    """It is there, but not something Gemini can be given."""

    def __init__(self, given: str, what: str, way_out: str) -> None:
        super().__init__(f"{shown(given)} {what}. {way_out}")


class BadAddress(Refused):
    """Google cannot fetch this."""

    def __init__(self, given: str, why: str, way_out: str) -> None:
        super().__init__(f"{shown(given)} cannot be attached: {why}. {way_out}")


class CannotSave(Refused):
    """The image cannot be written there."""

    def __init__(self, given: str, why: str) -> None:
        super().__init__(
            f"Nothing can be saved at {shown(given)}: {why}. Choose another file or folder inside "
            f"the folders of {SETTING}, or leave `save_to` out."
        )

    @classmethod
    def because(cls, given: str, error: OSError) -> CannotSave:
        return cls(given, _reason(error))


class CannotKeep(NotKept):
    """Our own folder for images cannot be written to."""

    noun = "image"
    setting = "GEMINI_MCP_IMAGES_DIR (--images-dir)"

    def __init__(self, error: OSError) -> None:
        super().__init__(
            f"The {self.noun} cannot be kept in this server's own folder: {_reason(error)}. Have "
            f"that mended, or {self.setting} set to a folder that can be written to and the "
            "server restarted."
        )


class NotFetched(Refused):
    """It is in an agent's sandbox, and stays there."""

    @classmethod
    def too_large(cls, given: str, most: int) -> NotFetched:
        return cls(
            f"{shown(given)} is larger than {most // 2**20} MB and was not fetched. Have the agent "
            "split or compress it."
        )

    @classmethod
    def full(cls, most: int) -> NotFetched:
        return cls(
            f"Files of agents take up {most // 2**20} MB here, which is the most. Delete "
            "conversations that are no longer needed, then fetch it again."
        )


class CannotKeepMedia(CannotKeep):
    """Our own folder for audio and videos cannot be written to."""

    noun = "file"
    setting = "GEMINI_MCP_DATA_DIR (--data-dir)"


_REASONS = {
    errno.EROFS: "the file system is read-only",
    errno.EACCES: "this user may not write there",
    errno.EPERM: "this user may not write there",
    errno.ENOSPC: "the disk is full",
    errno.ENOTDIR: "a part of it that should be a folder is a file",
    errno.ENOENT: "its folder has just been removed",
    errno.EEXIST: "there are too many files of that name already",
    errno.ENAMETOOLONG: "its name is too long",
}


def _reason(error: OSError) -> str:
    return _REASONS.get(error.errno or 0, "the system refuses it")


def _listed(folders: Sequence[str]) -> str:
    named = ", ".join(folders[:3])
    return named if len(folders) <= 3 else f"{named} and {len(folders) - 3} more"
