"""Which folders are open to us, and when none is, why.

Desktop hosts start their servers in the root folder, in the home folder or in their own
installation: nobody meant to open those.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

# With everything in them, but for what is named after them.
_SYSTEM = {
    "win32": ("C:/Windows", "C:/Program Files", "C:/Program Files (x86)", "C:/ProgramData"),
    "darwin": ("/System", "/Library", "/Applications", "/usr", "/bin", "/sbin", "/private/etc"),
}.get(sys.platform, ("/bin", "/boot", "/dev", "/etc", "/lib", "/proc", "/sbin", "/sys", "/usr"))
_NOT_SYSTEM = ("/usr/src", "/usr/local/src")
# Only these themselves.
_SHARED = ("/home", "/media", "/mnt", "/opt", "/private", "/run", "/srv", "/var", "/Volumes")


def roots(
    allowed: Sequence[Path] | None,
    working: Path | None,
    home: Path | None,
    account: Path | None = None,
) -> tuple[tuple[str, ...], str]:
    """The real folders that are open; if there are none, the reason as half a sentence.

    `allowed` is what somebody set: their home folder then, too, but not the whole disk. None
    stands for `working`, the folder we were started in. `account` is the home folder that the
    system knows of, where `home` is only what this process was told.
    """
    home_dir = os.path.realpath(home) if home else ""
    account_home = os.path.realpath(account) if account else home_dir
    if allowed is not None:
        wished = tuple(dict.fromkeys(os.path.realpath(each) for each in allowed))
        fit = tuple(each for each in wished if not _is_too_wide(each, account_home))
        return (
            fit,
            "the folders set are the whole disk"
            if wished
            else "no folder was opened on this server",
        )
    if working is None or not os.path.isdir(working):
        return (), "the folder this server was started in is gone"
    here = os.path.realpath(working)
    if here in (home_dir, account_home):
        return (), "this server was started in the home folder, which is not opened as a whole"
    if _is_too_wide(here, account_home):
        return (), "this server was started at the top of the disk, which is not opened as a whole"
    if _is_system(here):
        return (), "this server was started in a folder of the system or of a program"
    return (here,), ""


def _is_too_wide(real: str, home_dir: str) -> bool:
    """The top of a disk, or anything else that everybody's home folder is in."""
    path = Path(real)
    return path.parent == path or (home_dir != real and Path(home_dir).is_relative_to(path))


def _is_system(real: str) -> bool:
    path = Path(os.path.normcase(real))

    def is_in(folders: Sequence[str]) -> bool:
        return any(path.is_relative_to(os.path.normcase(each)) for each in folders)

    return (is_in(_SYSTEM) and not is_in(_NOT_SYSTEM)) or path in map(Path, _SHARED)
