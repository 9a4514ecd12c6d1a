"""The command line: what it offers, and how it refuses."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest

from docs.generator import commands_page
from gemini_interactions import __version__
from gemini_interactions.cli.command_line import COMMANDS, main
from gemini_interactions.config.setting_table import OFFERED, SETTINGS
from gemini_interactions.config.settings import Config
from tests.support.stdio_stub import replace_stdio_server

KEY = "made-up-key-for-tests"


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[Config]:
    """The configs the stdio server was started with; the server itself stays away."""
    return replace_stdio_server(monkeypatch)


@pytest.mark.parametrize("arguments", [[], ["serve"]])
def test_it_serves_over_stdio_with_or_without_the_word(
    arguments: list[str], served: list[Config], tmp_path: Path
) -> None:
    assert main([*arguments, "--data-dir", str(tmp_path), "--model=pro"]) == 0

    assert served == [Config(data_dir=tmp_path, model="pro")]


def test_flags_before_and_after_the_word_serve_are_all_kept(
    served: list[Config], tmp_path: Path
) -> None:
    main(["--model", "pro", "--data-dir", "elsewhere", "serve", "--data-dir", str(tmp_path)])

    assert served == [Config(data_dir=tmp_path, model="pro")]


def test_serving_writes_nothing_to_stdout(
    served: list[Config], capsys: pytest.CaptureFixture[str]
) -> None:
    main([])

    assert capsys.readouterr().out == ""


def test_a_bad_setting_ends_with_one_sentence_on_stderr_and_code_2(
    served: list[Config], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GEMINI_MCP_MAX_CONCURRENT", "many")

    assert main(["serve"]) == 2

    out, err = capsys.readouterr()
    assert (served, out) == ([], "")
    assert err == (
        "gemini-interactions-mcp: GEMINI_MCP_MAX_CONCURRENT (--max-concurrent) must be a whole "
        "number from 1 to 10,000.\n"
    )


@pytest.mark.parametrize("arguments", [["--nonsense"], ["dance"], ["--mode", "pro"]])
def test_unknown_words_and_shortened_flags_are_refused(
    arguments: list[str], served: list[Config]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)

    assert (ended.value.code, served) == (2, [])


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--nonsense"], "there is no flag --nonsense here"),
        (["serve", "--nonsense=value"], "there is no flag --nonsense here"),
        (["history", "--limit", "0"], "argument --limit: must be a whole number of at least 1"),
        (["emulator", "--port", "99999"], "--port: must be a whole number from 0 to 65,535"),
        (["emulator", "--fault", "reset:x"], "--fault: AFTER must be a number of events"),
        (["emulator", "--fault", "nope"], "There is no fault 'nope'. Known: reset, fin, "),
        (["export"], "the following arguments are required: ID"),
    ],
)
def test_a_wrong_word_gets_one_sentence_and_where_to_read_on(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)

    (said,) = capsys.readouterr().err.splitlines()
    assert ended.value.code == 2
    assert sentence in said
    assert re.search(r"[^.]; see gemini-interactions-mcp[ a-z]* --help\.$", said)


@pytest.mark.parametrize(
    "arguments",
    [
        ["key", KEY],
        [KEY],
        ["--api-key", KEY],
        ["--gemini-api-key", KEY],
        ["serve", f"--signing-key={KEY}"],
    ],
)
def test_a_key_in_the_wrong_place_is_not_repeated(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(arguments)

    out, err = capsys.readouterr()
    assert err
    assert KEY not in out + err


@pytest.mark.parametrize(
    ("arguments", "is_on"),
    [
        (["--structured"], True),
        (["--structured", "serve"], True),
        (["serve", "--structured", "--model", "pro"], True),
        (["--structured", "off", "serve"], False),
        (["serve", "--structured=1"], True),
    ],
)
def test_a_switch_without_a_value_is_on(
    arguments: list[str], is_on: bool, served: list[Config]
) -> None:
    assert main(arguments) == 0

    assert [config.structured for config in served] == [is_on]


def test_every_command_is_known_where_a_switch_stands_before_it() -> None:
    assert set(COMMANDS) == set(commands_page.parsers())


def test_the_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])

    assert ended.value.code == 0
    assert capsys.readouterr().out == f"gemini-interactions-mcp {__version__}\n"


@pytest.mark.parametrize("command", [[], ["serve"], ["key"], ["demo"], ["emulator"]])
def test_every_command_explains_itself(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*command, "--help"])

    assert ended.value.code == 0
    assert "usage: gemini-interactions-mcp" in capsys.readouterr().out


def test_help_offers_every_setting_that_is_here_and_none_that_is_not(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        main(["serve", "--help"])

    words = capsys.readouterr().out.split()
    for setting in SETTINGS:
        assert (setting.flag in words) is (setting in OFFERED)


def test_the_key_command_saves_what_stands_on_standard_input_and_never_shows_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{KEY}\n"))

    assert main(["key", "--data-dir", str(tmp_path)]) == 0

    assert (tmp_path / "key").read_text() == f"{KEY}\n"
    out, err = capsys.readouterr()
    assert "Saved" in out
    assert KEY not in out + err


def test_the_key_command_says_when_a_variable_beats_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", "another-made-up-key")
    monkeypatch.setattr("sys.stdin", io.StringIO(KEY))

    main(["key", "--data-dir", str(tmp_path)])

    out, err = capsys.readouterr()
    assert "GEMINI_API_KEY is set" in out
    assert "another-made-up-key" not in out + err


def test_at_a_terminal_the_key_is_asked_for_without_echo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr("sys.stdin", terminal)
    monkeypatch.setattr("getpass.getpass", lambda _prompt: KEY)

    assert main(["key", "--data-dir", str(tmp_path)]) == 0

    assert (tmp_path / "key").read_text() == f"{KEY}\n"
    assert "aistudio.google.com/apikey" in capsys.readouterr().err


@pytest.mark.parametrize("given", ["", "\n", "${GEMINI_API_KEY}\n", "not a key\n"])
def test_the_key_command_refuses_what_is_no_key(
    given: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(given))

    assert main(["key", "--data-dir", str(tmp_path)]) == 2

    assert "That is not a Gemini API key" in capsys.readouterr().err
    assert not (tmp_path / "key").exists()
