"""Repositories of our own making, and changes read from them."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from gemini_interactions.files.git import changes
from gemini_interactions.files.git.changes import GitChange
from gemini_interactions.files.path_sandbox.allowed_dirs import Folders

MOST = 4 * 2**20
ENVIRON = {
    "PATH": os.environ.get("PATH", os.defpath),
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@a.example",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@a.example",
}


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-c", "init.defaultBranch=main", "-c", "protocol.file.allow=always"]
    done = subprocess.run(
        [*command, *arguments], cwd=folder, env=ENVIRON, capture_output=True, check=True, text=True
    )
    return done.stdout.strip()


def new_repository(folder: Path) -> Path:
    """A repository of one commit."""
    folder.mkdir(parents=True)
    git(folder, "init", "-q")
    (folder / "a.txt").write_text("one\n")
    (folder / "src").mkdir()
    (folder / "src" / "main.py").write_text("print('one')\n")
    commit(folder, "First commit")
    return folder


def commit(folder: Path, message: str) -> None:
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", message)


def read(folder: Path, given: str, most: int = MOST, allowed: Path | None = None) -> GitChange:
    folders = Folders([allowed or folder], working=folder, home=folder.parent / "home")
    return changes.read(folders, given, most)
