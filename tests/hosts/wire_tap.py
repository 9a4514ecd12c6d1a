"""Our server with a tap on its pipes: each line both ways goes into a file as well.

`python -m tests.hosts.wire_tap FILE [ARGUMENT …]` runs the server with these arguments.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from typing import IO, Any


def copy(source: IO[bytes], target: IO[bytes], file: IO[str], who: str) -> None:
    for line in iter(source.readline, b""):
        target.write(line)
        target.flush()
        try:
            message: Any = json.loads(line)
        except ValueError:
            continue
        file.write(json.dumps({"from": who, "message": message}) + "\n")
        file.flush()
    target.close()


def main() -> int:
    command = [sys.executable, "-m", "gemini_interactions", *sys.argv[2:]]
    with open(sys.argv[1], "a", encoding="utf-8") as file:
        server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert server.stdin is not None
        assert server.stdout is not None
        threads = [
            threading.Thread(target=copy, args=(sys.stdin.buffer, server.stdin, file, "host")),
            threading.Thread(target=copy, args=(server.stdout, sys.stdout.buffer, file, "server")),
        ]
        for each in threads:
            each.daemon = True
            each.start()
        code = server.wait()
        threads[1].join(2)
    return code


if __name__ == "__main__":
    sys.exit(main())
