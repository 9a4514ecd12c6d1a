"""The data folder: whatever is kept here is for its user only."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from .setting_table import BadSetting

_OURS = frozenset({"handshake", "key", "images", "research", "texts"})
"""What a data folder holds besides files with "gemini" in their names."""


def ensure_private_dir(folder: Path) -> Path:
    """Make the folder if need be, for this user only.

    A folder that others can read is closed to them if it is ours alone; one that holds
    somebody else's things is refused rather than changed under them.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        is_closed = close_to_others(folder)
    except OSError:
        raise BadSetting(
            "GEMINI_MCP_DATA_DIR (--data-dir) names a folder that cannot be made or used. "
            "Choose one that this user can write to."
        ) from None
    if not is_closed:
        raise BadSetting(
            "GEMINI_MCP_DATA_DIR (--data-dir) names a folder that other users can read "
            "and that holds other things. Choose an empty one, or make it private "
            "(chmod 700)."
        )
    return folder


def close_to_others(folder: Path) -> bool:
    """Close a data folder to other users, unless it holds somebody else's things; whether it is
    closed now."""
    if os.name == "nt" or not stat.S_IMODE(folder.stat().st_mode) & 0o077:
        return True
    if any(each.name not in _OURS and "gemini" not in each.name for each in folder.iterdir()):
        return False
    folder.chmod(0o700)
    return True
