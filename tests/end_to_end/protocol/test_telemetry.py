"""Spans: each call to Google is told to OpenTelemetry, in numbers and ids, never in words."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pytest
from opentelemetry.trace import SpanKind, Status, StatusCode

from gemini_interactions import telemetry
from gemini_interactions.domain.types import CreateRequest
from gemini_interactions.telemetry import creating, tool_call_metrics
from tests.support.app_harness import AppHarness, McpClient

PRIVATE = "a very private prompt"


@dataclass
class Span:
    """One span as a collector would get it."""

    name: str
    kind: SpanKind
    attributes: dict[str, Any]
    status: StatusCode = StatusCode.UNSET
    is_ended: bool = False

    def is_recording(self) -> bool:
        return True

    def set_attribute(self, name: str, value: Any) -> None:
        self.attributes[name] = value

    def set_attributes(self, attributes: dict[str, Any]) -> None:
        self.attributes |= attributes

    def set_status(self, status: Status | StatusCode, description: str | None = None) -> None:
        assert isinstance(status, StatusCode)
        assert description is None
        self.status = status

    def end(self) -> None:
        self.is_ended = True


@dataclass
class Collector:
    """Stands in for a tracer with an SDK behind it."""

    spans: list[Span] = field(default_factory=list)

    def start_span(self, name: str, *, kind: SpanKind, attributes: dict[str, Any]) -> Span:
        self.spans.append(Span(name, kind, dict(attributes)))
        return self.spans[-1]


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Collector:
    collector = Collector()
    monkeypatch.setattr(telemetry, "_tracer", lambda: collector)
    return collector


async def test_an_answer_is_a_span_in_the_words_of_the_convention(
    harness: AppHarness, client: McpClient, collector: Collector
) -> None:
    said = await client.ask(PRIVATE)

    (span,) = collector.spans
    used = said.facts["usage"]
    there = urlsplit(client.app.config.base_url)
    assert (span.name, span.kind) == ("generate_content gemini-3.8-flash", SpanKind.CLIENT)
    assert span.attributes == {
        "gen_ai.operation.name": "generate_content",
        "gen_ai.provider.name": "gcp.gemini",
        "gen_ai.request.model": "gemini-3.8-flash",
        "gen_ai.response.model": "gemini-3.8-flash",
        "gen_ai.response.id": said.interaction,
        "gen_ai.response.finish_reasons": ["completed"],
        "gen_ai.usage.input_tokens": used["input_tokens"],
        "gen_ai.usage.output_tokens": used["output_tokens"] + used["thought_tokens"],
        "gen_ai.usage.reasoning.output_tokens": used["thought_tokens"],
        "gen_ai.conversation.id": said.conversation,
        "server.address": there.hostname,
        "server.port": there.port,
    }
    assert span.is_ended
    assert span.status is StatusCode.UNSET


async def test_no_word_of_prompt_or_answer_is_in_any_span(
    harness: AppHarness, client: McpClient, collector: Collector
) -> None:
    harness.control.answer_next("a very private answer")
    await client.ask(PRIVATE, system_instruction="a very private role")
    harness.control.fail_next(400, message="You said a very private thing.")
    await client.follow("Something very private.")

    assert len(collector.spans) == 2
    assert "private" not in str(collector.spans)


async def test_an_error_is_its_kind_and_number_without_googles_words(
    harness: AppHarness, client: McpClient, collector: Collector
) -> None:
    harness.control.fail_next(400, message="secret")

    await client.ask("Hello.")

    (span,) = collector.spans
    assert span.attributes["error.type"] == "Rejected"
    assert span.attributes["http.response.status_code"] == 400
    assert span.status is StatusCode.ERROR
    assert span.is_ended


async def test_a_stream_that_breaks_is_an_error_and_one_that_was_stopped_is_none(
    harness: AppHarness, client: McpClient, collector: Collector
) -> None:
    harness.control.fault_next("reset")

    await client.ask("Hello.")

    span = collector.spans[0]
    assert span.attributes["error.type"] == "ConnectionLost"
    assert span.status is StatusCode.ERROR


async def test_two_conversations_at_once_are_told_apart(
    harness: AppHarness, collector: Collector
) -> None:
    one = await harness.connect()
    two = await harness.connect()
    first, second = await one.ask("One."), await two.ask("Two.")

    assert [span.attributes["gen_ai.conversation.id"] for span in collector.spans] == [
        first.conversation,
        second.conversation,
    ]


async def test_a_research_is_the_work_of_an_agent(
    harness: AppHarness, client: McpClient, collector: Collector
) -> None:
    await client.call("start_deep_research", question="Why?")

    span = collector.spans[0]
    assert span.name == "invoke_agent deep-research-preview-04-2026"
    assert span.attributes["gen_ai.agent.id"] == "deep-research-preview-04-2026"
    assert "gen_ai.request.model" not in span.attributes


async def test_looks_and_lists_have_spans_too(
    harness: AppHarness, client: McpClient, collector: Collector
) -> None:
    said = await client.ask("Hello.")
    await client.app.gemini.get(said.interaction)
    await client.app.gemini.delete(said.interaction)
    await client.sdk_client.read_resource("gemini://models")

    assert [span.name for span in collector.spans[1:]] == [
        "get_interaction",
        "delete_interaction",
        "list_models",
    ]
    assert collector.spans[1].attributes["gen_ai.response.id"] == said.interaction
    assert all(span.is_ended for span in collector.spans)


def test_whoever_stops_listening_after_the_end_makes_no_error(collector: Collector) -> None:
    completed = {"event_type": "interaction.completed", "interaction": {"status": "completed"}}

    def listen(*events: dict[str, Any]) -> Generator[None, None, None]:
        with creating(CreateRequest("x", model="m"), "", is_enterprise=True) as asked:
            for event in events:
                asked.hear(event)
            yield

    for listener in (listen(completed), listen()):
        next(listener)
        listener.close()

    first, second = collector.spans
    assert "error.type" not in first.attributes
    assert second.attributes["error.type"] == "cancelled"
    assert first.attributes["gen_ai.provider.name"] == "gcp.vertex_ai"
    assert "server.address" not in first.attributes
    assert {first.status, second.status} == {StatusCode.UNSET}


async def test_without_a_collector_nothing_happens(client: McpClient) -> None:
    assert (await client.ask("Hello.")).status == "completed"


# Metrics: the same calls in figures


@dataclass
class FakeMeter:
    """Stands in for a meter with an SDK behind it."""

    told: list[tuple[str, float, dict[str, Any]]] = field(default_factory=list)

    def create_histogram(self, name: str, unit: str, description: str) -> Instrument:
        return Instrument(self, name)

    def of(self, name: str) -> list[tuple[float, dict[str, Any]]]:
        return [(value, about) for what, value, about in self.told if what == name]


@dataclass
class Instrument:
    figures: FakeMeter
    name: str

    def record(self, value: float, attributes: dict[str, Any]) -> None:
        self.figures.told.append((self.name, value, attributes))


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> Generator[FakeMeter]:
    figures = FakeMeter()
    monkeypatch.setattr(telemetry, "_meter", lambda: figures)
    caches = (telemetry._figures, tool_call_metrics._durations)
    for cache in caches:
        cache.cache_clear()
    yield figures
    for cache in caches:
        cache.cache_clear()


async def test_an_answer_is_measured_in_seconds_and_tokens(
    harness: AppHarness, client: McpClient, figures: FakeMeter
) -> None:
    said = await client.ask(PRIVATE)

    ((seconds, about),) = figures.of("gen_ai.client.operation.duration")
    tokens = {
        each["gen_ai.token.type"]: count for count, each in figures.of("gen_ai.client.token.usage")
    }
    used = said.facts["usage"]
    assert seconds > 0
    assert about["gen_ai.operation.name"] == "generate_content"
    assert about["gen_ai.response.model"] == "gemini-3.8-flash"
    assert "error.type" not in about
    assert tokens == {
        "input": used["input_tokens"],
        "output": used["output_tokens"] + used["thought_tokens"],
    }


async def test_an_error_is_measured_by_its_kind(
    harness: AppHarness, client: McpClient, figures: FakeMeter
) -> None:
    harness.control.fail_next(400, message="secret")

    await client.ask(PRIVATE)

    ((_, about),) = figures.of("gen_ai.client.operation.duration")
    assert about["error.type"] == "Rejected"
    assert figures.of("gen_ai.client.token.usage") == []


async def test_a_tool_call_is_measured_in_the_words_of_the_convention_for_mcp(
    harness: AppHarness, client: McpClient, figures: FakeMeter
) -> None:
    await client.ask(PRIVATE)
    await client.result("c_0000000000")

    (_, asked), (_, refused) = figures.of("mcp.server.operation.duration")
    assert asked == {
        "mcp.method.name": "tools/call",
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "gemini_ask",
    }
    assert refused["gen_ai.tool.name"] == "gemini_result"
    assert refused["error.type"] == "tool_error"


async def test_metrics_name_no_conversation_no_owner_and_no_word(
    harness: AppHarness, client: McpClient, figures: FakeMeter
) -> None:
    said = await client.ask(PRIVATE)
    research = await client.call("start_deep_research", question=PRIVATE)

    told = str(figures.told)
    for private in (said.conversation, said.interaction, research.facts["research_id"], PRIVATE):
        assert private not in told
