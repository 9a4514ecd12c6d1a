"""The kill tests in their long form: `python -m tests.resilience [--stdio 500] [--mixed 300]
[--replicas 100]`.

Prints the table of docs/explanation/reliability.md; exits with 1 where anything was lost, sent
twice or left running. The suite runs the short form of the same tests.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.support import kill_counts

STDIO = "tests/end_to_end/product/test_kills.py::test_nothing_is_lost_by_fifty_kills"
MIXED = "tests/resilience/lifecycle/test_mixed_work.py"
REPLICAS = "tests/resilience/replicas/test_kills.py"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.resilience", description=__doc__)
    parser.add_argument("--stdio", type=int, default=500, help="kills over stdio (0: none)")
    parser.add_argument("--mixed", type=int, default=300, help="kills amid mixed work (0: none)")
    parser.add_argument("--replicas", type=int, default=100, help="kills of replicas (0: none)")
    wanted = parser.parse_args()
    tests = [STDIO] * bool(wanted.stdio) + [MIXED] * bool(wanted.mixed)
    tests += [REPLICAS] * bool(wanted.replicas)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "kill-counts"
        path.touch()
        code = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests],
            env={
                **os.environ,
                "GEMINI_TEST_KILLS": str(wanted.stdio),
                "GEMINI_TEST_MIXED_KILLS": str(wanted.mixed),
                "GEMINI_TEST_REPLICA_KILLS": str(wanted.replicas),
                "GEMINI_TEST_KILL_COUNTS": str(path),
            },
            check=False,
        ).returncode
        sys.stdout.write(f"{kill_counts.table(path)}\n")
    return code


if __name__ == "__main__":
    raise SystemExit(main())
