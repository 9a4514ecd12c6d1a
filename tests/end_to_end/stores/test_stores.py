"""Stores of documents: made and filled by commands, searched by models, by their owners alone."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.commands.conftest import Run
from tests.support.agent_client import write_file
from tests.support.app_harness import AppHarness, McpClient
from tests.support.gateway_harness import GatewayHarness

DAY = 86400


def search(*names: str) -> list[dict[str, Any]]:
    return [{"type": "file_search", "file_search_store_names": list(names)}]


def uploads(harness: AppHarness) -> int:
    return sum(each.kind == "store_chunk" for each in harness.control.log)


def write(files: dict[str, str | bytes]) -> None:
    for name, data in files.items():
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data if isinstance(data, bytes) else data.encode())


@pytest.fixture
def many(work: Path) -> int:
    write({f"docs/part{n % 7}/page{n}.md": f"Page {n} is about birds.\n" for n in range(499)})
    write({"docs/herons.md": "Herons nest in April.\n"})
    return 500


async def test_a_store_is_filled_from_500_files_twice_and_searched_with_citations(
    command: Run, client: McpClient, harness: AppHarness, many: int
) -> None:
    created = await command("stores", "create", "handbook")
    first = await command("stores", "add", "handbook", "docs")
    sent = uploads(harness)
    second = await command("stores", "add", "handbook", "docs")

    assert created.out.startswith("Created handbook (fileSearchStores/handbook-")
    assert first.code == 0
    assert first.out.startswith("Sent 500 documents (")
    assert "0 had not changed" in first.out
    assert sent == many
    assert second.out == "Sent 0 documents (0 bytes) to handbook; 500 had not changed.\n"
    assert uploads(harness) == sent

    said = await client.ask("When do herons nest?", tools=search("handbook"))

    assert harness.last["tools"][0]["file_search_store_names"][0].startswith("fileSearchStores/")
    assert "The store says: Herons nest in April." in said.text
    assert "docs/herons.md" in said.text
    assert "[1]" in said.text


async def test_only_what_changed_by_content_is_sent_and_replaces_the_old(
    command: Run, harness: AppHarness, work: Path
) -> None:
    write({"docs/a.md": "one\n", "docs/b.md": "two\n"})
    await command("stores", "create", "s")
    await command("stores", "add", "s", "docs")
    write({"docs/a.md": "one, changed\n", "docs/b.md": "two\n", "docs/c.md": "three\n"})

    ended = await command("stores", "add", "s", "docs")

    assert ended.out == "Sent 2 documents (19 bytes), 1 of them anew to s; 1 had not changed.\n"
    (store,) = harness.control.service.stores.all.values()
    assert sorted(each.data for each in store.documents.values()) == [
        b"one, changed\n",
        b"three\n",
        b"two\n",
    ]


async def test_what_is_left_out_is_told_with_the_reason(
    command: Run, harness: AppHarness, work: Path
) -> None:
    write(
        {
            "docs/a.md": "words\n",
            "docs/.env": "SECRET=1\n",
            "docs/ignored.md": "x\n",
            "docs/.gitignore": "ignored.md\n",
            "docs/node_modules/x.js": "x\n",
            "docs/key.md": "-----BEGIN " + "PRIVATE KEY-----\n" + "A" * 64 + "\n",
            "docs/logo.png": b"\x89PNG\r\n\x1a\n" + bytes(64),
        }
    )
    await command("stores", "create", "s")

    ended = await command("stores", "add", "s", "docs")

    assert ended.code == 0
    assert "Sent 2 documents (17 bytes) to s" in ended.out  # .gitignore is one of them
    for line in (
        "docs/.env (may hold credentials)",
        "docs/ignored.md (.gitignore)",
        "docs/node_modules/ (dependencies)",
        "docs/key.md (contains a private key)",
    ):
        assert f"Left out: {line}" in ended.err
    assert "logo.png" in ended.err
    assert "SECRET" not in str(harness.control.log)


async def test_a_run_that_was_killed_half_way_is_gone_on_with(
    command: Run, harness: AppHarness, work: Path
) -> None:
    """What Google has and nobody wrote down is found there, and not sent again."""
    write({f"docs/{n}.md": f"Page {n}\n" for n in range(6)})
    await command("stores", "create", "s")
    await command("stores", "add", "s", "docs/0.md")
    (store,) = harness.control.service.stores.all.values()
    database = harness.folder / "gemini.db"
    import sqlite3

    with sqlite3.connect(database) as rows:
        rows.execute("DELETE FROM file_search_documents")
    before = uploads(harness)

    ended = await command("stores", "add", "s", "docs")

    assert "Sent 5 documents" in ended.out
    assert "1 had not changed" in ended.out
    assert uploads(harness) - before == 5
    assert len(store.documents) == 6


async def test_what_was_deleted_at_google_is_sent_again(
    command: Run, harness: AppHarness, work: Path
) -> None:
    write({"docs/a.md": "words\n"})
    await command("stores", "create", "s")
    await command("stores", "add", "s", "docs")
    (store,) = harness.control.service.stores.all.values()
    store.documents.clear()

    ended = await command("stores", "add", "s", "docs")

    assert "Sent 1 document" in ended.out


async def test_a_document_that_google_cannot_take_is_told_and_the_others_are_sent(
    command: Run, harness: AppHarness, work: Path
) -> None:
    write({"docs/a.md": "words\n", "docs/b.md": "more\n"})
    await command("stores", "create", "s")
    harness.control.fail_next_document()

    ended = await command("stores", "add", "s", "docs")

    assert ended.code == 1
    assert "Sent 1 document" in ended.out
    assert "(Failed to parse.)" in ended.err


async def test_stores_are_listed_with_those_nobody_here_knows_and_deleted(
    command: Run, harness: AppHarness, work: Path
) -> None:
    write({"docs/a.md": "words\n"})
    await command("stores", "create", "s")
    await command("stores", "add", "s", "docs")
    harness.control.service.stores.create({"displayName": "elsewhere"})

    listed = await command("stores", "list")
    history = await command("history")
    deleted = await command("stores", "delete", "s", "--yes")
    after = await command("stores", "list")

    assert listed.out.splitlines()[1].split()[:4] == ["s", "local", "1", "6"]
    assert "(not made here)" in listed.out
    assert "1 store of documents (`stores list`)" in history.err or history.out
    assert deleted.out == "Deleted s here and at Google.\n"
    assert [each.display_name for each in harness.control.service.stores.all.values()] == [
        "elsewhere"
    ]
    assert "local" not in after.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("create",), "needs the NAME"),
        (("create", "Not A Name"), "small letters"),
        (("add", "s"), "needs files"),
        (("add", "nobody", "docs"), "There is no store 'nobody'"),
        (("list", "s", "x"), "no more than a NAME"),
        (("delete", "nobody", "--yes"), "There is no store 'nobody'"),
        (("create", "s", "--owner", "a", "--everyone"), "not both"),
    ],
)
async def test_what_cannot_be_done_is_refused(
    command: Run, arguments: tuple[str, ...], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO())

    ended = await command("stores", *arguments)

    assert ended.code == 2
    assert words in ended.err


async def test_a_store_that_is_not_here_is_refused_with_those_that_are(
    command: Run, client: McpClient, harness: AppHarness
) -> None:
    await command("stores", "create", "s")

    said = await client.ask("x", tools=search("other"))
    odd = await client.ask("x", tools=[{"type": "file_search", "file_search_store_names": [1]}])

    assert said.is_error
    assert "there is no store 'other' here. There are: s." in said.text
    assert odd.is_error
    assert harness.bodies == []


async def test_on_a_gateway_owners_search_only_what_was_given_to_them(
    gateways: GatewayHarness, harness: AppHarness, command: Run, work: Path
) -> None:
    write_file("a.md", "Herons nest in April.\n")
    for name, to in (("anns", ("--owner", "ann")), ("all", ("--everyone",)), ("mine", ())):
        await command("stores", "create", name, *to)
        await command("stores", "add", name, "a.md")
    full = {each.display_name: each.name for each in harness.control.service.stores.all.values()}
    await gateways.open(tokens={"anns-token": "ann", "bobs-token": "bob"})
    ann, bob = (
        await gateways.connect(token="anns-token"),
        await gateways.connect(token="bobs-token"),
    )

    good = [
        await ann.ask("herons nest", tools=search("anns", "all")),
        await ann.ask("herons nest", tools=search(full["anns"])),
        await bob.ask("herons nest", tools=search("all")),
    ]
    sent = len(harness.bodies)
    bad = [
        await bob.ask("x", tools=search("anns")),
        await bob.ask("x", tools=search(full["anns"])),
        await bob.ask("x", tools=search("mine")),
        await bob.ask("x", tools=search("fileSearchStores/unknown")),
        await ann.ask("x", tools=[{"type": "file_search", "fileSearchStoreNames": [full["mine"]]}]),
        await ann.ask("x", tools=[{**search("all")[0], "fileSearchStoreNames": [full["mine"]]}]),
        await bob.call("start_deep_research", question="x", tools=search("anns")),
    ]

    assert all("Herons nest in April" in each.text for each in good)
    assert all(each.is_error for each in bad)
    assert len(harness.bodies) == sent
    texts = {each.text.replace("anns", "X").replace("mine", "X") for each in (bad[0], bad[2])}
    assert len(texts) == 1


async def test_retention_deletes_stores_nobody_used_for_so_long(
    command: Run, harness: AppHarness, work: Path
) -> None:
    await command("stores", "create", "s")
    harness.set(GEMINI_MCP_RETENTION_DAYS="2")
    client = await harness.connect()
    await client.ask("Hello")
    maintenance = client.app.maintenance
    assert maintenance is not None
    bridge = await client.app.bridge()
    records = bridge.executor._runtime.store.file_search
    (known,) = await records.all()
    await records.use([known.name], harness.clock())
    harness.clock.advance(1.5 * DAY)
    await maintenance._retention.tidy()
    assert len(harness.control.service.stores.all) == 1
    harness.clock.advance(DAY)

    await maintenance._retention.tidy()

    assert harness.control.service.stores.all == {}
    assert await records.all() == []
