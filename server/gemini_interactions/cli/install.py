"""`install`: tells a host of this server, by its own add command or with what to write where."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from ..domain.client_profiles import COMMAND, HOSTS, Host, Launch, host


def run(name: str, is_only_printed: bool) -> int:
    """Add this server to a host, or print how; 1 where the host's command failed."""
    found = host(name)
    if found is None:  # the parser offers only these
        print(f"There is no host {name}. Hosts: {', '.join(each.id for each in HOSTS)}.")
        return 2
    launch = _launch()
    add = found.add(launch) if found.add else None
    program = shutil.which(add[0]) if add else None
    if add is None or program is None or is_only_printed:
        _print(found, launch, add)
        return 0
    print(f"Running: {_typed(add)}")
    sys.stdout.flush()
    # The host's own program, with arguments of ours alone; no shell reads them.
    code = subprocess.run([program, *add[1:]], check=False).returncode  # noqa: S603
    if code:
        print(f"{found.title} did not take it (exit code {code}). By hand:", file=sys.stderr)
        _print(found, launch, add)
        return 1
    if found.lacks:
        print(f"Its command cannot say {found.lacks}: complete the entry in {found.file()}:\n")
        print(found.snippet(launch))
    _print_rest(found, launch)
    return 0


def _launch() -> Launch:
    """Through `uvx` where that runs us now, else by the program that does."""
    if _is_from_uvx() and shutil.which(COMMAND[0]):
        return Launch()
    # Another one may be on the path, so what runs comes first; `python -m` runs no program.
    for program in (os.path.abspath(sys.argv[0]), COMMAND[1]):
        if (found := shutil.which(program)) and not found.endswith(".py"):
            return Launch((os.path.abspath(found),))
    return Launch((sys.executable, "-m", __package__.partition(".")[0]))


def _is_from_uvx() -> bool:
    """Whether this is a throw-away environment of uv's, whose program will not stay there."""
    return "uv" in Path(sys.prefix).parts and "archive-v0" in Path(sys.prefix).parts


def _print(found: Host, launch: Launch, add: list[str] | None) -> None:
    if add is not None:
        print(f"Run this in a terminal:\n\n  {_typed(add)}\n")
        lacking = f", which also says {found.lacks}" if found.lacks else ""
        print(f"or write this into {found.file()}{lacking}:\n")
    else:
        print(f"Write this into {found.file()} (merge it with what is there):\n")
    print(found.snippet(launch))
    _print_rest(found, launch)


def _typed(command: list[str]) -> str:
    """A command as this platform's terminal takes it."""
    return subprocess.list2cmdline(command) if sys.platform == "win32" else shlex.join(command)


def _print_rest(found: Host, launch: Launch) -> None:
    if found.note:
        print(found.note)
    print(f"Then save your key once: {_typed([*launch.command, 'key'])}")
