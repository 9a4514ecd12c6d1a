"""What kill tests tried and how it ended, for the table of docs/explanation/reliability.md.

Written only where `GEMINI_TEST_KILL_COUNTS` names a file, one JSON object a line.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

# Read before the tests clear the environment of settings.
_FILE = os.environ.get("GEMINI_TEST_KILL_COUNTS", "")
COLUMNS = ("kills", "restarts", "turns", "told", "lost", "doubled", "stuck")


def add(what: str, **counts: int) -> None:
    if _FILE:
        with open(_FILE, "a", encoding="utf-8") as file:
            file.write(json.dumps({"what": what, **counts}) + "\n")


def table(path: Path) -> str:
    """What was counted, in Markdown."""
    lines = [f"| what was tried | {' | '.join(COLUMNS)} |", f"|---|{'---|' * len(COLUMNS)}"]
    for line in path.read_text("utf-8").splitlines():
        row = json.loads(line)
        counts = " | ".join(f"{row.get(name, 0):,}" for name in COLUMNS)
        lines.append(f"| {row['what']} | {counts} |")
    return "\n".join(lines)
