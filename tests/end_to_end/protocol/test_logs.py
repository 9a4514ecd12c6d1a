"""Logs: on standard error, as much as was asked for, and never what somebody said."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gemini_interactions.cli.command_line import main
from gemini_interactions.config import logging_setup
from tests.support.stdio_stub import replace_stdio_server

KEY = "AIza" + "made-up-key-for-tests"
ours = logging.getLogger("gemini_interactions.some.module")
theirs = logging.getLogger("somebody.else")


@pytest.fixture(autouse=True)
def put_back() -> Iterator[None]:
    """Logging as the other tests know it."""
    root, us = logging.getLogger(), logging.getLogger(logging_setup.OURS)
    before = (list(root.handlers), root.level, us.level)
    yield
    root.handlers[:], level, our_level = before
    root.setLevel(level)
    us.setLevel(our_level)


def nested_error() -> None:
    """An exception that knows a prompt, raised from one that knows a key."""
    try:
        raise KeyError(KEY)
    except KeyError as error:
        raise ValueError("a private prompt") from error


def log_everything() -> None:
    for each in (ours, theirs):
        each.debug("debug %s", each.name)
        each.info("info %s", each.name)
        each.warning("warning %s", each.name)
        each.error("error %s", each.name)


@pytest.mark.parametrize(
    ("level", "of_ours", "of_theirs"),
    [
        ("error", 1, 1),
        ("warning", 2, 2),
        ("info", 3, 2),
        ("debug", 4, 2),
    ],
)
def test_each_level_shows_so_much_of_ours_and_never_small_talk_of_others(
    level: str, of_ours: int, of_theirs: int, capsys: pytest.CaptureFixture[str]
) -> None:
    logging_setup.set_up(level)
    log_everything()

    out, err = capsys.readouterr()
    assert out == ""
    assert err.count(ours.name) == of_ours * 2  # the name of the logger, and the message
    assert err.count(theirs.name) == of_theirs * 2


def test_setting_it_up_again_replaces_the_level(capsys: pytest.CaptureFixture[str]) -> None:
    logging_setup.set_up("debug")
    logging_setup.set_up("error")
    log_everything()

    assert capsys.readouterr().err.count(ours.name) == 2


@pytest.mark.parametrize("level", ["error", "warning", "info"])
def test_what_exceptions_say_is_left_out_and_where_they_were_raised_is_not(
    level: str, capsys: pytest.CaptureFixture[str]
) -> None:
    logging_setup.set_up(level)
    try:
        nested_error()
    except ValueError:
        ours.exception("it failed")

    err = capsys.readouterr().err
    assert "it failed" in err
    assert "builtins.KeyError" in err
    assert "builtins.ValueError (--log-level debug tells more)" in err
    assert "in nested_error" in err
    assert 'raise ValueError("a private prompt")' in err  # our own source, not what was said
    assert err.count("private") == 1
    assert KEY not in err


def test_groups_of_exceptions_are_as_discreet(capsys: pytest.CaptureFixture[str]) -> None:
    logging_setup.set_up("warning")
    ours.error(
        "failed",
        exc_info=ExceptionGroup("outer", [ValueError("private"), OSError(28, "No space left")]),
    )

    err = capsys.readouterr().err
    assert "private" not in err
    assert "builtins.OSError: No space left" in err
    assert "builtins.ExceptionGroup" in err


def test_debug_tells_all_but_keys(capsys: pytest.CaptureFixture[str]) -> None:
    logging_setup.set_up("debug")
    try:
        nested_error()
    except ValueError:
        ours.exception("it failed with Bearer %s", "abc.def")

    err = capsys.readouterr().err
    assert "ValueError: a private prompt" in err
    assert KEY not in err
    assert "abc.def" not in err


@pytest.mark.parametrize(
    "line",
    [
        f"key {KEY}",
        "?key=made-up-key&x=1",
        "Authorization: Bearer made-up-key",
        "'x-goog-api-key': 'made-up-key'",
    ],
)
def test_keys_are_masked_wherever_they_stand(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    logging_setup.set_up("warning")
    theirs.warning(line)

    assert "made-up-key" not in capsys.readouterr().err


def test_tasks_nobody_waited_for_show_no_values(capsys: pytest.CaptureFixture[str]) -> None:
    logging_setup.set_up("warning")
    logging.getLogger("asyncio").error(
        "Task exception was never retrieved\nfuture: %s", "<Task exception=ValueError('private')>"
    )

    err = capsys.readouterr().err
    assert "never retrieved" in err
    assert "private" not in err


def test_a_host_that_closed_our_standard_error_is_no_trouble(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    logging_setup.set_up("warning")
    monkeypatch.setattr(sys, "stderr", None)

    ours.warning("nobody hears this")


def test_serving_logs_at_the_level_that_was_set(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    replace_stdio_server(monkeypatch)

    main(["--log-level", "info", "--data-dir", str(tmp_path)])

    assert logging.getLogger(logging_setup.OURS).level == logging.INFO
