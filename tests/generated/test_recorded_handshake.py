"""The recorded handshake says what the SDK says, value by value, in both eras."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from gemini_interactions import __version__
from gemini_interactions.config.setting_values import TOOLSETS
from gemini_interactions.config.settings import Config
from gemini_interactions.domain.client_profiles import CLIENTS
from gemini_interactions.mcp_server.transports import handshake_recorder
from gemini_interactions.mcp_server.transports.handshake_recorder import FOLDER, VARIANTS
from gemini_interactions.mcp_server.transports.recorded_handshake import (
    LEGACY,
    MODERN,
    PLAIN_LISTS,
    Handover,
    RecordedHandshake,
    Recordings,
    recorded_folder,
    variant,
)

FIRST_MESSAGES = Path(__file__).parents[1] / "data" / "first_messages"
CHOICES = [(), ("ask",), ("research", "images"), ("ask", "research", "images"), TOOLSETS]


@pytest.mark.parametrize("is_structured", [False, True])
async def test_recordings_are_as_the_sdk_would_make_them_now(is_structured: bool):
    kind = "structured" if is_structured else "plain"

    made = await handshake_recorder.recordings(is_structured=is_structured)

    for era, recording in made.items():
        kept = json.loads((FOLDER / f"{era}-{kind}.json").read_text("utf-8"))
        assert kept == recording, "run `make docs`"


@pytest.mark.parametrize("toolsets", CHOICES, ids=lambda choice: "+".join(choice) or "none")
@pytest.mark.parametrize("version", [*LEGACY, MODERN])
async def test_every_answer_is_the_sdks_for_any_choice_of_toolsets(
    version: str, toolsets: tuple[str, ...]
):
    config = replace(Config.read({}), toolsets=toolsets)
    recordings = Recordings(str(FOLDER), toolsets, is_structured=False)

    for name, client in VARIANTS.items():
        said = await handshake_recorder.answers(config, toolsets, version, client)
        assert {method: recordings.result(version, method, name) for method in said} == said


HOSTS = ["ai-sdk", "claude-code", "codex", "copilot"]


@pytest.mark.parametrize("host", HOSTS)
async def test_what_real_hosts_say_first_is_answered_from_the_recording_as_by_the_sdk(host: str):
    lines = (FIRST_MESSAGES / f"{host}.jsonl").read_text("utf-8").splitlines()
    messages = [json.loads(line) for line in lines]
    toolsets = ("ask", "research", "images")
    handover = Handover(0, 1)
    handshake = RecordedHandshake(Recordings(str(FOLDER), toolsets, is_structured=False), handover)

    taken = [handshake.take(line) for line in lines]
    config = replace(Config.read({}), toolsets=toolsets)
    by_sdk = await handshake_recorder.answers_to(messages, config)

    given = [json.loads(answer) for answer in taken if answer is not None]
    assert {each["id"]: each["result"] for each in given} == by_sdk
    assert handover.waiting == []
    assert handover.was_listed


def test_the_clients_that_take_plain_lists_are_those_of_the_table_of_clients():
    rows = {key if isinstance(key, str) else key[0]: row for key, row in CLIENTS.items()}

    assert {name for name, row in rows.items() if not row.mixed_lists} == PLAIN_LISTS
    assert {variant(each.capabilities, {"name": each.name}) for each in VARIANTS.values()} == set(
        VARIANTS
    )


def test_recordings_of_another_sdk_are_not_used(tmp_path: Path):
    config = replace(Config.read({}), data_dir=tmp_path)

    assert Recordings.find(config, __version__) is not None
    assert Recordings.find(config, "0.0.0") is None


def test_a_slow_start_records_the_answers_for_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    from gemini_interactions.mcp_server.transports import recorded_handshake, stdio

    config = replace(Config.read({}), data_dir=tmp_path / "data")
    elsewhere = str(tmp_path / "nothing" / "module.py")
    monkeypatch.setattr(recorded_handshake, "__file__", elsewhere)
    assert Recordings.find(config, __version__) is None

    stdio.record_for(config)

    found = Recordings.find(config, __version__)
    folder = Path(recorded_folder(str(config.data_dir)))
    assert found is not None
    assert found.result(MODERN, "tools/list", "") is not None
    assert folder.stat().st_mode & 0o077 == 0
    assert not [each for each in folder.iterdir() if each.name.startswith(".")]
