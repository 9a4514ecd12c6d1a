"""Measures: `python -m tests.benchmarks` runs every module here, or those named.

A module is a benchmark if it has a function `run() -> list[Row]`; its docstring's first line
is the table's title. The exit code is 1 if a budget was missed.
"""

from __future__ import annotations

import importlib
import os
import platform
import sys
from pathlib import Path

from tests.benchmarks.report import table

HERE = Path(__file__).parent


def main(wanted: list[str]) -> int:
    names = [file.stem for file in sorted(HERE.glob("[!_]*.py"))]
    if unknown := set(wanted) - set(names):
        print(f"No such benchmark: {', '.join(sorted(unknown))}. There are: {', '.join(names)}.")
        return 2
    print(f"# Benchmarks\n\nPython {platform.python_version()}, {os.cpu_count()} cores.")
    over = 0
    for name in wanted or names:
        module = importlib.import_module(f"tests.benchmarks.{name}")
        if not hasattr(module, "run"):
            continue
        rows = module.run()
        over += sum(not row.is_within for row in rows)
        title = (module.__doc__ or name).strip().splitlines()[0].rstrip(".")
        print(f"\n{table(title, rows)}", flush=True)
    print(f"\n{over or 'No'} budget{'' if over == 1 else 's'} missed.")
    return 1 if over else 0


sys.exit(main(sys.argv[1:]))
