"""`doctor`: what is well, what is not, and what to do about it; never the key itself."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from gemini_interactions import __version__
from gemini_interactions.config.api_key import save_key
from tests.end_to_end.commands.conftest import CommandResult, Run
from tests.support.app_harness import AppHarness, McpClient

KEY = "made-up-key-for-tests"


def findings(ended: CommandResult, what: str) -> list[str]:
    """The findings about something: state and words."""
    lines = [line.split(maxsplit=2) for line in ended.out.splitlines()]
    return [f"{line[0]} {line[2]}" for line in lines if len(line) == 3 and line[1] == what]


async def test_all_is_well_where_it_is(harness: AppHarness, client: McpClient, run: Run) -> None:
    harness.set(GEMINI_API_KEY=KEY)
    await client.ask("Hello.")

    ended = await run("doctor")

    assert ended.code == 0
    assert ended.out.endswith("\nAll is well.\n")
    first = ended.out.splitlines()[0]
    assert first.startswith(f"gemini-interactions-mcp {__version__} · Python 3.")
    assert re.search(r"· mcp 2\.\d+\.\d+ · google-genai 3\.\d+\.\d+$", first)
    assert findings(ended, "key") == ["ok from GEMINI_API_KEY"]
    assert findings(ended, "database") == ["ok SQLite, 1 conversation"]
    assert findings(ended, "network") == [f"ok {os.environ['GOOGLE_GEMINI_BASE_URL']} answers"]
    assert findings(ended, "google")[0].startswith("ok the key is accepted; ")
    assert findings(ended, "data") == [f"ok {harness.folder} is yours alone and can be written to."]
    assert KEY not in ended.out + ended.err


async def test_before_the_first_start_nothing_is_broken_and_nothing_is_made(
    harness: AppHarness, run: Run
) -> None:
    ended = await run("doctor")

    assert ended.code == 0
    assert findings(ended, "data") == [
        f"ok {harness.folder} is not there yet; it is made when needed."
    ]
    assert not harness.folder.exists()


async def test_without_a_key_it_says_how_to_get_one_and_does_not_ask(
    harness: AppHarness, run: Run
) -> None:
    harness.set(GEMINI_API_KEY=None)

    ended = await run("doctor")

    assert ended.code == 1
    assert findings(ended, "key")[0].startswith("FAIL There is no Gemini API key. Create one at")
    assert findings(ended, "google") == ["skip not asked: that needs a key"]
    assert harness.control.log == []


async def test_offline_google_is_not_asked(harness: AppHarness, run: Run) -> None:
    ended = await run("doctor", "--offline")

    assert ended.code == 0
    assert findings(ended, "google") == ["skip not asked: --offline"]
    assert harness.control.log == []


async def test_a_key_google_does_not_accept_is_told_from_a_missing_network(
    harness: AppHarness, run: Run
) -> None:
    harness.control.fail_next(403, on="models")
    refused = await run("doctor")
    harness.set(GOOGLE_GEMINI_BASE_URL="http://127.0.0.1:9")
    alone = await run("doctor")

    assert findings(refused, "network")[0].startswith("ok ")
    assert findings(refused, "google")[0].startswith("FAIL ")
    assert findings(alone, "network")[0].startswith("FAIL http://127.0.0.1:9 cannot be reached.")
    assert (refused.code, alone.code) == (1, 1)


async def test_trouble_at_google_is_no_fault_of_ours(harness: AppHarness, run: Run) -> None:
    harness.control.fail_next(503, on="models")

    ended = await run("doctor")

    assert findings(ended, "google")[0].startswith("note ")
    assert ended.code == 0


async def test_a_default_model_this_key_does_not_have_is_noted(
    harness: AppHarness, run: Run
) -> None:
    harness.set(GEMINI_MCP_MODEL="gemini-9-neon")

    assert "note the default model gemini-9-neon is not offered to this key." in findings(
        await run("doctor"), "google"
    )


async def test_settings_that_are_not_what_they_seem_are_named(
    harness: AppHarness, run: Run
) -> None:
    harness.set(
        GEMINI_API_KEY=None,
        GOOGLE_API_KEY="${GOOGLE_API_KEY}",
        GEMINI_MCP_MODLE="pro",
        GEMINI_MCP_MODEL="pro",
    )

    told = findings(await run("doctor", "--offline"), "settings")

    assert "GEMINI_MCP_MODEL" in told[0]
    assert "GOOGLE_API_KEY" not in told[0]
    assert "note GEMINI_MCP_MODLE is no setting of this version." in told
    assert any(line.startswith("note GOOGLE_API_KEY is a literal ${…}") for line in told)


async def test_a_bad_setting_is_found_without_its_value(harness: AppHarness, run: Run) -> None:
    harness.set(GEMINI_MCP_MAX_CONCURRENT="secret-in-the-wrong-place")

    ended = await run("doctor", "--offline")

    assert ended.code == 1
    assert findings(ended, "settings")[-1].startswith("FAIL GEMINI_MCP_MAX_CONCURRENT (")
    assert "secret" not in ended.out


async def test_flags_count_as_they_do_for_the_server(harness: AppHarness, run: Run) -> None:
    elsewhere = harness.folder.parent / "elsewhere"

    ended = await run("doctor", "--offline", "--data-dir", str(elsewhere))

    assert str(elsewhere) in findings(ended, "data")[0]


async def test_a_key_file_is_found_and_named_but_not_read_out(
    harness: AppHarness, run: Run
) -> None:
    harness.set(GEMINI_API_KEY=None)
    save_key(harness.folder, KEY)

    ended = await run("doctor")

    assert findings(ended, "key") == [f"ok from the key file ({harness.folder / 'key'})"]
    assert KEY not in ended.out


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such permissions")
async def test_what_others_can_read_is_broken(harness: AppHarness, run: Run) -> None:
    harness.set(GEMINI_API_KEY=None)
    save_key(harness.folder, KEY)
    harness.folder.chmod(0o755)
    (harness.folder / "key").chmod(0o644)

    ended = await run("doctor", "--offline")

    assert findings(ended, "data")[0].startswith("FAIL ")
    assert "chmod 700" in findings(ended, "data")[0]
    assert "can be read by other users" in findings(ended, "key")[0]
    assert ended.code == 1


async def test_a_damaged_database_is_broken(harness: AppHarness, run: Run) -> None:
    harness.folder.mkdir(mode=0o700)
    (harness.folder / "gemini.db").write_text("not a database" * 100)

    (told,) = findings(await run("doctor", "--offline"), "database")

    assert told.startswith("FAIL SQLite: The database file is damaged")


async def test_a_data_folder_that_is_a_file_is_broken(harness: AppHarness, run: Run) -> None:
    harness.folder.write_text("a file")

    ended = await run("doctor", "--offline")

    assert findings(ended, "data") == [
        f"FAIL {harness.folder} is no folder: choose another with a setting."
    ]


async def test_vertex_ai_needs_no_key_of_ours(harness: AppHarness, run: Run) -> None:
    harness.set(GEMINI_API_KEY=None, GOOGLE_GENAI_USE_VERTEXAI="true")

    ended = await run("doctor", "--offline")

    assert findings(ended, "key") == ["ok Vertex AI, as google-genai's own variables say"]


# What only a gateway has


async def test_of_a_gateway_it_tells_tokens_links_and_address(
    harness: AppHarness, run: Run
) -> None:
    tokens = harness.folder.parent / "tokens"
    tokens.write_text(f"ann:{'0' * 64}\nann:{'1' * 64}\nbob:{'2' * 64}\n")
    tokens.chmod(0o600)
    harness.set(
        GEMINI_MCP_TOKENS_FILE=str(tokens),
        GEMINI_MCP_SIGNING_KEY="a signing key nobody is told",
        GEMINI_MCP_PUBLIC_URL="https://gemini.example.com",
    )

    ended = await run("doctor", "--offline")

    assert ended.code == 0
    assert findings(ended, "tokens") == [f"ok 2 owners in {tokens}"]
    assert findings(ended, "links") == ["ok signed with GEMINI_MCP_SIGNING_KEY"]
    assert findings(ended, "public") == ["ok https://gemini.example.com"]
    assert "nobody is told" not in ended.out


@pytest.mark.parametrize(
    ("lines", "mode", "words"),
    [
        ("ann:short\n", 0o600, "line 1 is not owner:sha256-hex-of-token"),
        ("", 0o600, "a file without a token in it"),
        (f"ann:{'0' * 64}\n", 0o666, "can be written by other users"),
    ],
)
async def test_tokens_that_cannot_be_used_are_broken(
    harness: AppHarness, run: Run, lines: str, mode: int, words: str
) -> None:
    tokens = harness.folder.parent / "tokens"
    tokens.write_text(lines)
    tokens.chmod(mode)
    harness.set(GEMINI_MCP_TOKENS_FILE=str(tokens))

    ended = await run("doctor", "--offline")

    assert ended.code == 1
    (told,) = findings(ended, "tokens")
    assert told.startswith("FAIL")
    assert words in told


async def test_replicas_are_told_what_they_have_to_share(harness: AppHarness, run: Run) -> None:
    harness.set(GEMINI_MCP_DATABASE_URL="postgresql://nobody@127.0.0.1:9/nowhere")

    ended = await run("doctor", "--offline")

    assert ended.code == 1
    assert findings(ended, "database")[0].startswith("FAIL PostgreSQL: ")
    assert [each.split()[0] for each in findings(ended, "links") + findings(ended, "images")] == [
        "note",
        "note",
    ]


async def test_signing_in_metrics_and_the_audit_log_are_looked_at(
    harness: AppHarness, run: Run, tmp_path: Path
) -> None:
    tokens = tmp_path / "tokens"
    tokens.write_text(f"ann:{'0' * 64}\n")
    tokens.chmod(0o600)
    harness.set(
        GEMINI_MCP_TOKENS_FILE=str(tokens),
        GEMINI_MCP_OAUTH_BUILTIN="on",
        GEMINI_MCP_PUBLIC_URL="https://gemini.example",
        GEMINI_MCP_TRUSTED_PROXIES="10.0.0.0/8",
        GEMINI_MCP_METRICS="127.0.0.1:9464",
        GEMINI_MCP_AUDIT_LOG=str(tmp_path / "audit.jsonl"),
    )
    fine = await run("doctor", "--offline")
    harness.set(
        GEMINI_MCP_OAUTH_ISSUER="https://id.example",
        GEMINI_MCP_METRICS="0.0.0.0:9464",
        GEMINI_MCP_AUDIT_LOG=str(tmp_path / "none" / "audit.jsonl"),
    )
    broken = await run("doctor", "--offline")

    assert "ok    sign-in   apps sign in at https://gemini.example/authorize" in fine.out
    assert "ok    metrics   http://127.0.0.1:9464/metrics" in fine.out
    assert "ok    audit" in fine.out
    assert "ok    proxies   what 10.0.0.0/8 says" in fine.out
    for what in ("sign-in", "metrics", "audit"):
        assert f"FAIL  {what}" in broken.out
