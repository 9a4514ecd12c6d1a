"""The file of tokens: how it is read, when it is read again, and what it never tells."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from gemini_interactions.config.setting_table import BadSetting
from gemini_interactions.mcp_server.transports.http.auth.token_file import LARGEST, Tokens
from tests.support.gateway_harness import GatewayHarness

DIGEST = hashlib.sha256(b"secret").hexdigest()
OTHER = hashlib.sha256(b"other").hexdigest()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "tokens"


def tokens(file: Path, text: str | bytes) -> Tokens:
    write(file, text)
    return Tokens(file)


def write(file: Path, text: str | bytes, age: float = 60) -> None:
    """As if it had been written `age` seconds ago, so that it counts as finished."""
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    written = file.stat().st_mtime - age
    os.utime(file, (written, written))


@pytest.mark.parametrize(
    "text",
    [
        f"ann:{DIGEST}",
        f"ann:{DIGEST}\n",
        f"# ours\n\n  ann : {DIGEST.upper()}  \r\n\t\n#bob:{OTHER}\n",
        f"\ufeffann:{DIGEST}\n",
        f"bob:{OTHER}\nann:{DIGEST}\nann:{'0' * 64}\n",
        f"ann:{DIGEST}\nann:{DIGEST}\n",
    ],
)
def test_a_line_is_an_owner_and_what_a_token_hashes_to(file: Path, text: str) -> None:
    known = tokens(file, text)

    assert known.owner(b"secret") == "ann"
    assert known.owner(b"Secret") is None
    assert known.owner(DIGEST.encode()) is None


@pytest.mark.parametrize("owner", ["ann@example.com", "team:ann", "Ann", "żółw", "v1_x"])
def test_an_owner_is_called_exactly_what_stands_there(file: Path, owner: str) -> None:
    assert tokens(file, f"{owner}:{DIGEST}\n").owner(b"secret") == owner


@pytest.mark.parametrize(
    "line",
    [
        "hunter2",
        "ann:hunter2",
        f"ann {DIGEST}",
        f":{DIGEST}",
        f"ann:{DIGEST[:-1]}",
        f"ann:{DIGEST}0",
        f"ann:{DIGEST} hunter2",
        f"a n n:{DIGEST}",
        f"ann\x07:{DIGEST}",
        f"{'a' * 101}:{DIGEST}",
    ],
)
def test_a_bad_line_is_refused_with_its_number_and_never_its_content(file: Path, line: str) -> None:
    with pytest.raises(BadSetting) as refused:
        tokens(file, f"# ours\nbob:{OTHER}\n{line}\n")

    assert str(refused.value) == (
        "GEMINI_MCP_TOKENS_FILE (--tokens-file): line 3 is not owner:sha256-hex-of-token."
    )


def test_nobody_with_a_token_can_be_whoever_comes_without_one(file: Path) -> None:
    with pytest.raises(BadSetting, match="line 1 names the owner local"):
        tokens(file, f"local:{DIGEST}\n")


def test_one_token_cannot_have_two_owners(file: Path) -> None:
    with pytest.raises(BadSetting, match="line 2 gives one token to two owners"):
        tokens(file, f"ann:{DIGEST}\nbob:{DIGEST.upper()}\n")


@pytest.mark.parametrize("text", [b"", b"\n# nobody yet\n", b"\xff\xfe", b"#" * (LARGEST + 1)])
def test_a_file_that_lets_nobody_in_is_refused_from_the_start(file: Path, text: bytes) -> None:
    with pytest.raises(BadSetting, match=r"^GEMINI_MCP_TOKENS_FILE \(--tokens-file\) names a file"):
        tokens(file, text)


def test_a_file_that_is_not_there_is_refused_from_the_start(file: Path) -> None:
    with pytest.raises(BadSetting, match="cannot be read"):
        Tokens(file)


def test_a_change_holds_from_the_next_request_on(file: Path) -> None:
    known = tokens(file, f"ann:{DIGEST}\n")

    write(file, f"bob:{OTHER}\n")

    assert (known.owner(b"secret"), known.owner(b"other")) == (None, "bob")


def test_two_changes_within_one_tick_of_the_clock_are_both_seen(file: Path) -> None:
    known = tokens(file, f"ann:{DIGEST}\n")

    write(file, f"bob:{OTHER}\n", age=0)
    assert known.owner(b"other") == "bob"
    stamp = file.stat().st_mtime_ns
    file.write_text(f"eve:{DIGEST}\n")
    os.utime(file, ns=(stamp, stamp))

    assert known.owner(b"secret") == "eve"


@pytest.mark.parametrize(
    "broken", [f"bob:{OTHER}\nann:{DIGEST[:30]}", "\n".join([f"ann:{DIGEST}", "hunter2"]), b"\xff"]
)
def test_while_the_file_cannot_be_used_the_tokens_read_before_hold(
    file: Path, broken: str | bytes, caplog: pytest.LogCaptureFixture
) -> None:
    known = tokens(file, f"ann:{DIGEST}\n")

    write(file, broken)

    assert [known.owner(b"secret"), known.owner(b"secret")] == ["ann", "ann"]
    assert known.owner(b"other") is None
    assert caplog.text.count("The tokens read before still hold.") == 1
    assert "hunter2" not in caplog.text


def test_a_file_that_was_taken_away_or_closed_to_us_changes_nothing_until_it_is_back(
    file: Path,
) -> None:
    known = tokens(file, f"ann:{DIGEST}\n")

    file.unlink()
    assert known.owner(b"secret") == "ann"
    write(file, f"bob:{OTHER}\n")

    assert (known.owner(b"secret"), known.owner(b"other")) == (None, "bob")


def test_an_empty_file_is_first_taken_for_one_being_written_then_at_its_word(file: Path) -> None:
    known = tokens(file, f"ann:{DIGEST}\n")

    write(file, "", age=0)
    assert known.owner(b"secret") == "ann"
    write(file, "", age=60)

    assert known.owner(b"secret") is None


def test_a_file_of_comments_locks_everybody_out(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    known = tokens(file, f"ann:{DIGEST}\n")

    write(file, "# nobody\n")

    assert known.owner(b"secret") is None
    assert "nobody can come in" in caplog.text


async def test_a_token_taken_out_of_the_file_is_refused_at_once(gateways: GatewayHarness) -> None:
    await gateways.open(tokens={"anns-token": "ann", "bobs-token": "bob"})
    ann = await gateways.raw_client(legacy=True, token="anns-token")
    assert not (await ann.call("gemini_ask", prompt="one")).is_error

    gateways.write_tokens({"bobs-token": "bob"})

    async with ann.post("gemini_ask", {"prompt": "two"}) as answer:
        assert answer.status_code == 401
