"""Settings: what may be said, which saying wins, and how a bad one is refused."""

from __future__ import annotations

import os
import stat
from dataclasses import fields
from pathlib import Path

import pytest

from gemini_interactions.config.data_dir import ensure_private_dir
from gemini_interactions.config.setting_table import OFFERED, SETTINGS, TOOLSETS, BadSetting
from gemini_interactions.config.settings import Config


def read(environ: dict[str, str] | None = None, /, **flags: str | None) -> Config:
    return Config.read(environ or {}, flags)


def refusal(environ: dict[str, str] | None = None, /, **flags: str) -> str:
    with pytest.raises(BadSetting) as refused:
        read(environ, **flags)
    return str(refused.value)


def test_the_table_and_the_config_agree_on_names_and_defaults(tmp_path: Path) -> None:
    config = Config(data_dir=tmp_path)

    told = {each.name for each in fields(Config)} - {"is_api_version_set", "workers"}
    assert {each.name for each in OFFERED} == told
    assert read(data_dir=str(tmp_path)) == config


def test_every_default_passes_its_own_check() -> None:
    for setting in SETTINGS:
        if setting.default:
            setting.read(setting.default)


def test_a_setting_is_a_variable_and_the_flag_of_the_same_name() -> None:
    names = {each.variable: each.flag for each in SETTINGS}

    assert names["GEMINI_MCP_MAX_WAIT_SECONDS"] == "--max-wait-seconds"
    assert names["GOOGLE_GEMINI_BASE_URL"] == "--google-gemini-base-url"
    assert len(names) == len(SETTINGS)


def test_a_key_has_no_flag_since_command_lines_can_be_read_by_others() -> None:
    assert [each.variable for each in SETTINGS if not each.flag] == [
        "GEMINI_API_KEY",
        "GOOGLE_API_KEY",
        "GEMINI_MCP_SIGNING_KEY",
    ]


def test_a_flag_beats_the_environment() -> None:
    environ = {"GEMINI_MCP_MODEL": "pro", "GEMINI_MCP_MAX_CONCURRENT": "3"}

    config = read(environ, model="fast")

    assert (config.model, config.max_concurrent) == ("fast", 3)


@pytest.mark.parametrize("nothing", ["", "  ", "${GEMINI_MCP_MODEL}", "${input:model}"])
def test_empty_and_unfilled_placeholders_count_as_not_set(nothing: str) -> None:
    assert read({"GEMINI_MCP_MODEL": nothing}).model == ""
    assert read({"GEMINI_MCP_MODEL": "pro"}, model=nothing).model == "pro"


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("max_wait_seconds", "soon", "a number of seconds from 0.05 to 86,400"),
        ("max_wait_seconds", "nan", "a number of seconds from 0.05 to 86,400"),
        ("max_wait_seconds", "0", "a number of seconds from 0.05 to 86,400"),
        ("max_concurrent", "0", "a whole number from 1 to 10,000"),
        ("max_concurrent", "2.5", "a whole number from 1 to 10,000"),
        ("max_concurrent", "²", "a whole number from 1 to 10,000"),
        ("log_level", "loud", "one of error, warning, info, debug"),
        ("api_version", "latest", "a version of the API such as v1 or v1beta"),
        ("database_url", "mysql://x", "sqlite:///PATH or postgresql://USER@HOST/NAME"),
        ("model", "my model", "a name without spaces"),
        ("data_dir", "${HOME}/gemini", "the path of a folder"),
    ],
)
def test_a_bad_value_is_answered_with_the_setting_and_what_it_may_be(
    name: str, value: str, allowed: str
) -> None:
    flag = f"--{name.replace('_', '-')}"
    assert refusal(**{name: value}) == f"GEMINI_MCP_{name.upper()} ({flag}) must be {allowed}."


def test_a_refusal_never_repeats_the_value() -> None:
    secret = "postgres:secret@db"  # what somebody may well put there

    assert "secret" not in refusal({"GEMINI_MCP_DATABASE_URL": secret})


def test_the_database_url_is_not_in_the_printed_config() -> None:
    assert "secret" not in repr(read(database_url="postgresql://me:secret@db/gemini"))


@pytest.mark.parametrize(
    "address", ["ftp://x", "localhost:80", "http://", "http://a b", "https://k@h"]
)
def test_a_base_url_is_a_plain_http_address(address: str) -> None:
    assert "http:// or https://" in refusal({"GOOGLE_GEMINI_BASE_URL": address})


def test_a_base_url_loses_its_last_slash() -> None:
    assert read(base_url="http://127.0.0.1:8080/").base_url == "http://127.0.0.1:8080"


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("images,ask", ("ask", "images")),
        (" Research ", ("research",)),
        ("ask ask", ("ask",)),
        ("media,ask", ("ask", "media")),
        ("all", TOOLSETS),
        ("images,ALL", TOOLSETS),
    ],
)
def test_toolsets_are_a_list_in_any_order(said: str, meant: tuple[str, ...]) -> None:
    assert read(toolsets=said).toolsets == meant


def test_sets_that_cost_more_are_there_for_those_who_ask_for_them() -> None:
    assert read().toolsets == ("ask", "research", "images")


def test_unknown_toolsets_are_refused_with_the_known_ones() -> None:
    assert "ask, research, images, media, agents, or all" in refusal(toolsets="ask,video")


def test_the_database_lies_in_the_data_folder_unless_said_otherwise(tmp_path: Path) -> None:
    assert read(data_dir=str(tmp_path)).database_url == f"sqlite:///{tmp_path}/gemini.db"
    assert read(database_url="postgresql://db/x").database_url == "postgresql://db/x"


def test_the_data_folder_is_absolute_wherever_the_host_started_us(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))

    assert read(data_dir="here").data_dir == tmp_path / "here"
    assert read(data_dir="~/there").data_dir == tmp_path / "there"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_data_folder_is_for_this_user_only(tmp_path: Path) -> None:
    assert mode(ensure_private_dir(tmp_path / "a" / "b")) == 0o700


def test_an_open_folder_of_ours_is_closed(tmp_path: Path) -> None:
    folder = tmp_path / "open"
    folder.mkdir(mode=0o755)
    (folder / "gemini.db").touch()

    assert mode(ensure_private_dir(folder)) == 0o700


def test_an_open_folder_with_other_things_in_it_is_refused_and_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "shared"
    folder.mkdir()
    folder.chmod(0o755)
    (folder / "diary.txt").touch()

    with pytest.raises(BadSetting, match="other users can read"):
        ensure_private_dir(folder)

    assert mode(folder) == 0o755


def test_a_data_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(BadSetting, match="cannot be made or used"):
        ensure_private_dir(tmp_path / "file")


def test_private_means_private_under_any_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        assert mode(ensure_private_dir(tmp_path / "bare")) == 0o700
    finally:
        os.umask(before)
