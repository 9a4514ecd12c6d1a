"""The emulator as a process of its own."""

import argparse
import json
import signal
import subprocess
import sys

import httpx2
import pytest

from gemini_emulator import Emulator, cli

RUN = (
    "import argparse, sys; from gemini_emulator import cli; "
    "p = argparse.ArgumentParser(); cli.add_arguments(p); "
    "sys.exit(cli.run(p.parse_args()))"
)


def post(url, body):
    return httpx2.post(url, json=body, headers={"x-goog-api-key": "k"}, timeout=60).json()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_says_where_it_is_and_serves_until_it_is_told_to_stop(tmp_path, number):
    script, log = tmp_path / "script.json", tmp_path / "log.jsonl"
    script.write_text('[{"do": "answer_next", "args": ["From the script."]}]')
    options = ["--answer", "Always this.", "--script", str(script), "--log", str(log)]
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", RUN, "--fault", "no_usage", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    url = line.removeprefix("Gemini emulator on ").strip()
    body = {"model": "gemini-3.8-flash", "input": "Hi"}
    first, second = post(f"{url}/v1/interactions", body), post(f"{url}/v1/interactions", body)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)

    assert line.startswith("Gemini emulator on http://127.0.0.1:")
    assert first["steps"][-1]["content"][0]["text"] == "From the script."
    assert second["steps"][-1]["content"][0]["text"] == "Always this."
    assert "usage" not in first
    assert "usage" in second
    assert (process.returncode, out, err) == (0, "", "")
    lines = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    assert [entry["interaction_id"] for entry in lines] == [first["id"], second["id"]]


def parse(*words):
    parser = argparse.ArgumentParser()
    cli.add_arguments(parser)
    return parser.parse_args(words)


def test_a_fault_may_say_after_how_many_events():
    fault = parse("--fault", "reset:3").fault[0]

    assert (fault.name, fault.after_events) == ("reset", 3)


def test_research_takes_a_moment_and_can_be_given_a_fate():
    usual, steered = parse(), parse("--research-seconds", "0.5", "--research", "zombie")

    assert (usual.research_seconds, usual.research) == (3.0, [])
    assert (steered.research_seconds, steered.research[0].name) == (0.5, "zombie")


@pytest.mark.parametrize(
    "words", [["--fault", "explode"], ["--fault", "reset:soon"], ["--research", "eaten"]]
)
def test_an_unknown_fault_is_explained(capsys, words):
    with pytest.raises(SystemExit):
        parse(*words)

    assert words[0] in capsys.readouterr().err


def test_it_says_why_it_cannot_start(capsys, tmp_path):
    with Emulator() as emulator:
        taken = cli.run(parse("--port", str(emulator.port)))
    missing = cli.run(parse("--script", str(tmp_path / "none.json")))

    assert taken == missing == 1
    assert capsys.readouterr().err.count("The emulator cannot start") == 2
