"""What an operator sees: metrics, the audit log, readiness; and what neither of them tells."""

from __future__ import annotations

import asyncio
import json
import os
import re
import socket
import stat
from pathlib import Path

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemini_interactions.config.setting_table import BadSetting
from gemini_interactions.config.settings import Config
from gemini_interactions.mcp_server.transports.http.asgi_app import (
    Address,
    audit_log,
    metrics_server,
)
from gemini_interactions.telemetry.metrics import (
    COUNTED,
    MOST_SERIES,
    TOOL_CALLS,
    TOOL_SECONDS,
    Registry,
    gauges,
)
from tests.support.app_harness import AppHarness
from tests.support.gateway_harness import GatewayHarness

ALL_GAUGES = gauges(running=0, researches=0, waiting=0, pool=(0, 0))
TOKENS = {"anns-token": "ann", "bobs-token": "bob"}


async def scrape(gateways: GatewayHarness, host: str = "") -> httpx2.Response:
    metrics = gateways.latest.gateway.metrics
    assert metrics is not None
    async with httpx2.AsyncClient(trust_env=False, timeout=60) as http:
        headers = {"host": host} if host else {}
        return await http.get(f"{metrics.url}/metrics", headers=headers)


def value(text: str, name: str) -> float:
    (line,) = [each for each in text.splitlines() if each.startswith(f"{name} ")]
    return float(line.rpartition(" ")[2])


async def test_bodies_of_answers_do_not_wait_for_acknowledgements_of_their_headers() -> None:
    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted = writer.get_extra_info("socket")
        no_delay = accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        writer.write(b"%d" % bool(no_delay))
        writer.close()

    listener = Address.read("127.0.0.1:0").listen()
    async with await asyncio.start_server(serve, sock=listener):
        reader, writer = await asyncio.open_connection(*listener.getsockname())
        said = await reader.read()
        writer.close()

    assert said == b"1"


async def test_metrics_count_calls_tokens_and_cost_and_name_nobody(
    gateways: GatewayHarness, harness: AppHarness
) -> None:
    await gateways.open(tokens=TOKENS, metrics="127.0.0.1:0")
    ann = await gateways.connect(token="anns-token")
    before = (await scrape(gateways)).text
    said = await ann.ask("A secret question")
    await ann.call("gemini_ask", prompt="")
    answer = await scrape(gateways)

    text = answer.text
    asked = 'gemini_mcp_tool_calls_total{tool="gemini_ask",outcome="completed"}'
    labels = 'operation="generate_content",model="gemini-3.8-flash",outcome="ok"'
    model = f"gemini_mcp_upstream_calls_total{{{labels}}}"
    known = asked in before
    assert value(text, asked) - (value(before, asked) if known else 0) == 1
    assert 'tool="gemini_ask",outcome="refused"' in text
    assert value(text, model) >= 1
    assert 'gemini_mcp_tokens_total{model="gemini-3.8-flash",kind="output"}' in text
    assert 'gemini_mcp_cost_usd_total{model="gemini-3.8-flash"}' in text
    assert value(text, "gemini_mcp_turns_running") == 0
    assert value(text, "gemini_mcp_store_connections") == 1
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    for word in ("ann", "secret", said.conversation, said.interaction):
        assert word not in text


async def test_metrics_are_at_their_own_address_and_under_its_own_names(
    gateways: GatewayHarness,
) -> None:
    await gateways.open(tokens=TOKENS, metrics="127.0.0.1:0")

    async with gateways.raw(authorization="Bearer anns-token") as raw:
        at_the_gateway = await raw.get("/metrics")

    assert at_the_gateway.status_code == 404
    assert (await scrape(gateways, "evil.example")).status_code == 421


async def test_a_running_research_is_a_gauge(gateways: GatewayHarness, harness: AppHarness) -> None:
    harness.control.hold_background()
    await gateways.open(metrics="127.0.0.1:0")
    client = await gateways.connect()
    await client.call("start_deep_research", question="Long")

    text = (await scrape(gateways)).text

    assert value(text, "gemini_mcp_researches_running") == 1


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"METRICS": "0.0.0.0:0"}, "others can reach"),
        ({"METRICS": "nonsense"}, "must be HOST:PORT"),
    ],
)
def test_metrics_for_everybody_have_to_be_meant(variables: dict[str, str], words: str) -> None:
    environ = {f"GEMINI_MCP_{name}": value for name, value in variables.items()}

    with pytest.raises(BadSetting, match=words):
        metrics_server(AppStub(Config.read(environ)))  # type: ignore[arg-type]


class AppStub:
    def __init__(self, config: Config) -> None:
        self.config = config


def test_made_up_models_do_not_grow_the_metrics_without_end() -> None:
    registry = Registry()

    for number in range(MOST_SERIES + 100):
        registry.add(TOOL_CALLS, f"tool {number}", "ok")

    assert len(registry.text().splitlines()) < MOST_SERIES + 20
    assert 'tool="other",outcome="other"} 100' in registry.text()


@given(st.text(), st.floats(0, 1e6))
def test_every_sample_is_one_line_whatever_a_label_holds(label: str, seconds: float) -> None:
    registry = Registry()
    registry.add(TOOL_CALLS, label, "ok")
    registry.observe(TOOL_SECONDS, label, seconds=seconds)

    for line in registry.text().split("\n"):
        assert not line or line.startswith(("#", "gemini_mcp_"))
        assert line.isprintable()


# ------------------------------------------------------------------------------- the audit log


def read_lines(file: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


async def test_each_call_is_a_line_without_a_word_of_it(
    gateways: GatewayHarness, harness: AppHarness, tmp_path: Path
) -> None:
    file = tmp_path / "audit.jsonl"
    await gateways.open(tokens=TOKENS, audit_log=file)
    ann = await gateways.connect(token="anns-token")

    said = await ann.ask("A secret question")
    await ann.call("gemini_result", id="c_unknown000")

    asked, refused = read_lines(file)
    assert asked["owner"] == "ann"
    assert asked["tool"] == "gemini_ask"
    assert asked["outcome"] == "completed"
    assert asked["ids"] == {
        "id": said.id,
        "conversation_id": said.conversation,
        "turn": 1,
        "interaction_id": said.interaction,
    }
    assert asked["model"] == "gemini-3.8-flash"
    assert asked["tokens"] == said.facts["usage"]["total_tokens"]
    assert isinstance(asked["cost"], float)
    assert str(asked["time"]).endswith("+00:00")
    assert (refused["outcome"], refused["ids"], refused["cost"]) == ("refused", {}, None)
    assert "secret" not in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


async def test_a_log_that_is_moved_away_is_opened_anew(
    gateways: GatewayHarness, tmp_path: Path
) -> None:
    file = tmp_path / "audit.jsonl"
    await gateways.open(audit_log=file)
    client = await gateways.connect()
    await client.history()

    file.rename(tmp_path / "audit.jsonl.1")
    await client.history()

    assert len(read_lines(file)) == len(read_lines(tmp_path / "audit.jsonl.1")) == 1


async def test_a_full_disk_fails_no_call_and_shows_in_readiness(
    gateways: GatewayHarness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "audit.jsonl"
    await gateways.open(audit_log=file)
    client = await gateways.connect()
    write = os.write

    def full(descriptor: int, data: bytes) -> int:
        if data.startswith(b'{"time"'):
            raise OSError(28, "No space left on device")
        return write(descriptor, data)

    async with gateways.raw() as raw:
        ready = await raw.get("/readyz")
        with monkeypatch.context() as patched:
            patched.setattr(os, "write", full)
            said = await client.ask("Hello")
            failing = await raw.get("/readyz")
        await client.history()
        again = await raw.get("/readyz")

    assert said.status == "completed"
    assert [ready.status_code, failing.status_code, again.status_code] == [200, 503, 200]
    assert len(read_lines(file)) == 1


def test_a_log_that_cannot_be_opened_is_refused_from_the_start(tmp_path: Path) -> None:
    config = Config(data_dir=tmp_path, audit_log=tmp_path / "none" / "audit.jsonl")

    with pytest.raises(BadSetting, match="cannot be written to"):
        audit_log(config)


def test_the_dashboard_shows_metrics_that_there_are() -> None:
    file = Path(__file__).parents[3] / "manifests" / "grafana-dashboard.json"
    dashboard = json.loads(file.read_text("utf-8"))
    told = " ".join(
        target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])
    )

    named = set(re.findall(r"gemini_mcp_\w+", told))
    known = {each.name for each in (*COUNTED, *(metric for metric, _ in ALL_GAUGES))}
    bare = {re.sub(r"_(bucket|count|sum)$", "", each) for each in named}
    assert bare <= known
    assert known - bare == set()
