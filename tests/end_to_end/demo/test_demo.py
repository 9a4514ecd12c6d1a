"""The demo: what it shows has happened, and nothing of the user's is used for it."""

from __future__ import annotations

import html
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from gemini_interactions.demo import processes, scenario
from gemini_interactions.demo.processes import DidNotHappen

# Whoever used these would get nowhere, and so would the demo.
FOREIGN = {
    "GEMINI_API_KEY": "wrong-key",
    "GOOGLE_API_KEY": "wrong-key",
    "GOOGLE_GEMINI_BASE_URL": "http://127.0.0.1:9",
    "GEMINI_MCP_MAX_WAIT_SECONDS": "nonsense",
    "HTTPS_PROXY": "http://127.0.0.1:9",
    "HTTP_PROXY": "http://127.0.0.1:9",
}

PICTURE = Path(__file__).parents[3] / "docs" / "pictures" / "demo.svg"

pytestmark = pytest.mark.processes


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> subprocess.CompletedProcess[str]:
    """The demo, run once among settings that must not reach it."""
    home = tmp_path_factory.mktemp("home")
    return subprocess.run(
        [sys.executable, "-m", "gemini_interactions", "demo"],
        env={**os.environ, **FOREIGN, "HOME": str(home), "TMPDIR": str(home), "COLUMNS": "400"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.fixture
def sections(shown: subprocess.CompletedProcess[str]) -> dict[str, str]:
    """What was shown, by the first word of each section's heading."""
    pieces = re.split(r"^\d\. (.+)$", shown.stdout, flags=re.MULTILINE)[1:]
    return {
        heading.split()[0].strip(":"): text
        for heading, text in zip(pieces[::2], pieces[1::2], strict=True)
    }


def test_it_ends_well_and_says_so(shown: subprocess.CompletedProcess[str]) -> None:
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "All of it happened" in shown.stdout.splitlines()[-1]


def test_it_speaks_plain_text_where_there_is_no_terminal(
    shown: subprocess.CompletedProcess[str],
) -> None:
    assert "\x1b" not in shown.stdout


def test_a_follow_up_remembers_what_was_said(sections: dict[str, str]) -> None:
    assert "Your name is Ada." in sections["Follow"]


def test_the_conversation_goes_on_after_the_server_was_killed(sections: dict[str, str]) -> None:
    (conversation,) = set(re.findall(r"c_\w{10}", sections["Ask"]))

    assert f'conversation_id="{conversation}"' in sections["Kill"]
    assert "Your name is Ada." in sections["Kill"]
    assert f"conversation {conversation} · turn 3" in sections["Kill"]


def test_a_long_call_is_collected_and_was_made_once(sections: dict[str, str]) -> None:
    assert "Gemini is still working on this" in sections["A"]
    assert "alpha bravo charlie" in sections["A"]
    assert "Gemini was asked once" in sections["A"]


def test_a_research_runs_from_start_to_report(sections: dict[str, str]) -> None:
    research = sections["Deep"]

    assert research.index("The research is running") < research.index("The research took")
    assert "     … " in research


def test_an_image_is_made_and_edited_in_one_conversation(sections: dict[str, str]) -> None:
    files = re.findall(r"\S+\.jpg", sections["Make"])

    assert len(set(files)) == 2
    assert len(set(re.findall(r"conversation (c_\w{10}) · turn", sections["Make"]))) == 1


def test_nothing_is_left_behind(
    shown: subprocess.CompletedProcess[str], sections: dict[str, str]
) -> None:
    (file, *_) = re.findall(r"/\S+\.jpg", sections["Make"])

    assert not Path(file).exists()
    assert "gemini-demo-" in file


def test_the_picture_on_the_front_page_is_of_this_demo(
    shown: subprocess.CompletedProcess[str],
) -> None:
    picture = html.unescape(re.sub(r"<[^>]+>", "", PICTURE.read_text("utf-8")))

    assert outline(picture) == outline(shown.stdout), "run `make pictures`"


def outline(shown: str) -> set[str]:
    """The headings, the tools that are called and what was asked: all that is the same whenever
    the demo runs, however fast."""
    said = " ".join(shown.split())
    parts = re.findall(r"\b(\d\. [A-Z][^>(]+?)(?= [>(])", said)
    # What a report says of its own parts comes and goes with its progress.
    headings = [each for each in parts if "stand" not in each]
    calls = re.findall(r"> (\w+)\(", said)
    asked = re.findall(r'(?:prompt|question)="([^"]+)"', said)
    prices = re.findall(r"nano-banana-2\.1 · .*?(~\$[\d.]+)", said)
    return {*headings, *calls, *asked, *prices}


def test_processes_of_the_demo_get_no_key_and_no_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in FOREIGN.items():
        monkeypatch.setenv(name, value)

    assert FOREIGN.keys() & processes.environment().keys() == set()


def test_what_did_not_happen_ends_the_demo_with_its_reason(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def forget(*_: object) -> str:
        raise DidNotHappen("Gemini did not remember the name")

    monkeypatch.setattr(scenario, "_first_server", forget)

    assert scenario.main() == 1
    assert "This did not work: Gemini did not remember the name." in capsys.readouterr().out


def test_a_process_that_does_not_start_ends_the_demo_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(processes, "PACKAGE", "no_such_package")

    assert scenario.main() == 1
    assert "the emulator did not start" in capsys.readouterr().out
