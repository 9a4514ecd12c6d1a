"""Paths and contents of a sandbox as hostile input: which are fetched, and as what."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from gemini_interactions.domain.errors import Refused
from gemini_interactions.files.output import agent_files
from gemini_interactions.files.output.agent_files import trouble
from gemini_interactions.files.output.file_store import FileStore


@pytest.mark.parametrize(
    "path",
    ["a.md", "notes/a b.md", "Zürich/Störche.csv", "a/b/c/d.tar.gz", "Makefile", "日本語.txt"],
)
def test_plain_paths_are_fetched(path: str) -> None:
    assert trouble(path) == ""


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("", "no plain path"),
        ("/etc/passwd", "no plain path"),
        ("a//b", "no plain path"),
        ("a/", "no plain path"),
        ("a\\..\\b", "no plain path"),
        ("C:\\x", "no plain path"),
        ("..", "leads elsewhere"),
        ("a/../../b", "leads elsewhere"),
        ("./a", "leads elsewhere"),
        (".bashrc", "begins with a dot"),
        (".ssh/authorized_keys", "begins with a dot"),
        ("a/.git/config", "begins with a dot"),
        ("a\nb", "cannot be seen"),
        ("a\x1b[2Jb", "cannot be seen"),
        ("a\0b", "cannot be seen"),
        ("a\u202egpj.exe", "cannot be seen"),
        ("a\u200bb", "cannot be seen"),
        ("a\ud800b", "cannot be seen"),
        ("x" * 300, "too long"),
        ("/".join("a" * 40), "too long"),
        ("con.txt", "Windows device"),
        ("ab:stream", "data stream"),
        ("name. ", "dot or a space"),
        ("a|b", "no Windows name"),
        ("id_rsa", "credentials"),
        ("credentials.json", "credentials"),
        ("gcloud/client_secret_1.json", "credentials"),
    ],
)
def test_paths_that_could_do_harm_stay_in_the_sandbox(path: str, why: str) -> None:
    assert why in trouble(path)


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    return FileStore(tmp_path, tmp_path / "i", tmp_path / "r", tmp_path / "m", tmp_path / "agents")


async def keep(store: FileStore, path: str, *pieces: bytes) -> Path:
    async def fetch(write: object) -> None:
        for piece in pieces:
            await write(piece)  # type: ignore[operator]  # the store's own

    return Path((await store.keep_agent_file(fetch, path)).path)


async def test_files_are_nobody_elses_not_executable_and_never_over_another(
    store: FileStore, tmp_path: Path
) -> None:
    first = await keep(store, "bin/run.sh", b"#!/bin/sh\n", b"echo 1\n")
    second = await keep(store, "other/run.sh", b"#!/bin/sh\n")

    assert first == tmp_path / "agents" / "run.sh"
    assert second == tmp_path / "agents" / "run-2.sh"
    assert first.read_bytes() == b"#!/bin/sh\necho 1\n"
    assert stat.S_IMODE(first.stat().st_mode) == 0o600
    assert stat.S_IMODE(first.parent.stat().st_mode) == 0o700


async def test_a_link_that_stands_there_is_not_followed(store: FileStore, tmp_path: Path) -> None:
    folder, outside = tmp_path / "agents", tmp_path / "outside"
    folder.mkdir()
    (folder / "a.md").symlink_to(outside)

    made = await keep(store, "a.md", b"words")

    assert made.name == "a-2.md"
    assert not outside.exists()


@pytest.mark.parametrize(("most", "words"), [("MOST_OF_ONE", "larger"), ("MOST_IN_ALL", "take up")])
async def test_what_is_too_much_is_refused_and_leaves_nothing(
    store: FileStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: str, words: str
) -> None:
    await keep(store, "first.bin", b"x" * 60)
    monkeypatch.setattr(agent_files, most, 100 if most == "MOST_IN_ALL" else 50)

    with pytest.raises(Refused, match=words):
        await keep(store, "a.bin", b"x" * 40, b"x" * 40)

    assert [each.name for each in (tmp_path / "agents").iterdir()] == ["first.bin"]
