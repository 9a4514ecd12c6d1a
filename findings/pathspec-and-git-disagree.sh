#!/usr/bin/env bash
# Guess: `GitIgnoreSpec` and git agree on a file that is un-ignored inside an ignored folder.
# Seen with pathspec 1.1.1, on 2026-12-01: git ignores what stands in an ignored folder, whatever a later
# `!` line says; `GitIgnoreSpec.match_file` asked for the file alone follows the `!` (4 of 6 differ).
# Here: a folder is judged before what stands in it, files/gitignore.py.
set -euo pipefail
here=$(mktemp -d); trap 'rm -rf "$here"' EXIT
"${PYTHON:-python3}" -m venv "$here/env"
"$here/env/bin/python" -m pip install --quiet --disable-pip-version-check pathspec==1.1.1
"$here/env/bin/python" -W ignore - <<'END'
import subprocess, tempfile, pathlib
import pathspec
from importlib.metadata import version
cases = {}
for rules, path in ((["build/", "!build/keep.txt"], "build/keep.txt"), (["build", "!build/keep.txt"], "build/keep.txt"), (["/a/*", "!/a/b.txt"], "a/b.txt"), (["build/*", "!build/x/", "build/x/*", "!build/x/y"], "build/x/y"), (["secret/**", "!secret/a/b.txt"], "secret/a/b.txt"), (["*", "!src/main.py"], "src/main.py")):
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        subprocess.run(["git", "init", "-q", name], check=True)
        (folder / ".gitignore").write_text("\n".join(rules) + "\n")
        (folder / path).parent.mkdir(parents=True); (folder / path).write_text("x")
        git = subprocess.run(["git", "-C", name, "check-ignore", "-q", path], check=False).returncode == 0
    ours = pathspec.GitIgnoreSpec.from_lines(rules).match_file(path)
    cases[tuple(rules)] = (git, ours)
    print(version("pathspec"), rules, path, "git ignores:", git, "| pathspec:", ours)
assert sum(a != b for a, b in cases.values()) == 4
END
