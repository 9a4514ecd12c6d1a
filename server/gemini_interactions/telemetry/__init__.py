"""Telemetry: a span and figures for every call to Google, in OpenTelemetry's GenAI conventions.

Without an OpenTelemetry SDK in the process all of this does nothing. Spans hold models, ids
and counts, metrics models and kinds of errors, and neither a word of what is said.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from .. import __version__
from ..domain.errors import UpstreamError
from ..domain.types import CreateRequest, Usage
from ..interactions import token_usage
from ..interactions.json_values import as_text
from .metrics import UPSTREAM_CALLS, UPSTREAM_SECONDS, model_label, registry

if TYPE_CHECKING:
    from opentelemetry.metrics import Histogram, Meter
    from opentelemetry.trace import Span, Tracer

conversation: ContextVar[str] = ContextVar("conversation", default="")
"""Which conversation the work at hand belongs to."""

GOOGLE = "https://generativelanguage.googleapis.com"


class Asked:
    """One call to Google, and what comes back of it."""

    def __init__(self, span: Span) -> None:
        self._span = span
        self._is_recording = span.is_recording()
        self.is_answered = False
        self.model = ""
        self.used: Usage | None = None
        self.trouble = ""

    def hear(self, event: Mapping[str, Any]) -> None:
        """An event of the answer; most say nothing that belongs here."""
        if not isinstance(answer := event.get("interaction"), Mapping):
            return
        if event.get("event_type") == "interaction.completed":
            self.is_answered = True
            self.model = as_text(answer.get("model"))
            self.used = token_usage.read(answer.get("usage"))
        if not self._is_recording:
            return
        told: dict[str, Any] = {
            "gen_ai.response.id": as_text(answer.get("id")),
            "gen_ai.response.model": as_text(answer.get("model")),
        }
        if event.get("event_type") == "interaction.completed":
            told["gen_ai.response.finish_reasons"] = [str(answer.get("status"))]
            told |= _counts(self.used)
        self._span.set_attributes({name: value for name, value in told.items() if value})


@contextmanager
def creating(call: CreateRequest, base_url: str, *, is_enterprise: bool) -> Iterator[Asked]:
    """Around a create, from the request to the end of its answer."""
    operation = "invoke_agent" if call.agent else "generate_content"
    whom = "gen_ai.agent.id" if call.agent else "gen_ai.request.model"
    name = call.agent or call.model
    with _span(operation, name, {whom: name}, base_url, is_enterprise) as asked:
        yield asked


@contextmanager
def asking(
    operation: str, base_url: str, interaction_id: str = "", *, is_enterprise: bool
) -> Iterator[Asked]:
    """Around any other call."""
    about = {"gen_ai.response.id": interaction_id} if interaction_id else {}
    with _span(operation, "", about, base_url, is_enterprise) as asked:
        yield asked


@contextmanager
def _span(
    operation: str, name: str, about: dict[str, str], base_url: str, is_enterprise: bool
) -> Iterator[Asked]:
    from opentelemetry.trace import SpanKind, StatusCode

    attributes: dict[str, str | int] = {
        "gen_ai.operation.name": operation,
        "gen_ai.provider.name": "gcp.vertex_ai" if is_enterprise else "gcp.gemini",
        **about,
    }
    if conversation.get():
        attributes["gen_ai.conversation.id"] = conversation.get()
    if not is_enterprise or base_url:
        attributes |= _address(base_url or GOOGLE)
    # Never the current span: the generators this is used in are left in other contexts.
    span = _tracer().start_span(
        f"{operation} {name}".strip(), kind=SpanKind.CLIENT, attributes=attributes
    )
    asked = Asked(span)
    began = time.perf_counter()
    try:
        yield asked
    except UpstreamError as problem:
        if asked.is_answered:
            raise  # what breaks after the last word breaks nothing
        asked.trouble = problem.kind
        span.set_attribute("error.type", problem.kind)
        if problem.status:
            span.set_attribute("http.response.status_code", problem.status)
        span.set_status(StatusCode.ERROR)
        raise
    except Exception as error:
        asked.trouble = type(error).__qualname__
        span.set_attribute("error.type", asked.trouble)
        span.set_status(StatusCode.ERROR)
        raise
    except BaseException:
        # Whoever listened has gone; after the last word that is no error.
        if not asked.is_answered:
            asked.trouble = "cancelled"
            span.set_attribute("error.type", "cancelled")
        raise
    finally:
        span.end()
        _measure(asked, attributes, time.perf_counter() - began)


def _measure(asked: Asked, attributes: Mapping[str, str | int], seconds: float) -> None:
    """How long a call took, how it failed, and what it used; nothing that names a caller."""
    about = {name: value for name, value in attributes.items() if name in _MEASURED}
    if asked.model:
        about["gen_ai.response.model"] = asked.model
    trouble = {"error.type": asked.trouble} if asked.trouble else {}
    _count(asked, attributes, seconds)
    durations, tokens = _figures()
    durations.record(seconds, {**about, **trouble})
    # A look at an answer tells once more what its create used.
    if asked.used is not None and attributes["gen_ai.operation.name"] in _PAID:
        counted = {"input": asked.used.input, "output": asked.used.output + asked.used.thought}
        for kind, count in counted.items():
            tokens.record(count, {**about, "gen_ai.token.type": kind})


def _count(asked: Asked, attributes: Mapping[str, str | int], seconds: float) -> None:
    """The same for Prometheus."""
    operation = str(attributes["gen_ai.operation.name"])
    agent = str(attributes.get("gen_ai.agent.id", ""))
    model = asked.model or str(attributes.get("gen_ai.request.model", "")) or agent
    registry.add(UPSTREAM_CALLS, operation, model_label(model), asked.trouble or "ok")
    registry.observe(UPSTREAM_SECONDS, operation, seconds=seconds)


_MEASURED = frozenset(
    [
        "gen_ai.operation.name",
        "gen_ai.provider.name",
        "gen_ai.request.model",
        "gen_ai.agent.id",
        "server.address",
        "server.port",
    ]
)
_PAID = ("generate_content", "invoke_agent")


@cache
def _figures() -> tuple[Histogram, Histogram]:
    meter = _meter()
    return (
        meter.create_histogram("gen_ai.client.operation.duration", "s", "Calls to Google."),
        meter.create_histogram("gen_ai.client.token.usage", "{token}", "Tokens of answers."),
    )


def _meter() -> Meter:
    from opentelemetry.metrics import get_meter

    return get_meter("gemini_interactions", __version__)


@cache
def _tracer() -> Tracer:
    from opentelemetry.trace import get_tracer  # the server has it already: mcp brings it

    return get_tracer("gemini_interactions", __version__)


def _address(base_url: str) -> dict[str, str | int]:
    parts = urlsplit(base_url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return {"server.address": parts.hostname or "", "server.port": port}


def _counts(used: Usage | None) -> dict[str, Any]:
    if used is None:
        return {}
    return {
        "gen_ai.usage.input_tokens": used.input,
        # Thoughts are part of the output here, as in the bill.
        "gen_ai.usage.output_tokens": used.output + used.thought,
        "gen_ai.usage.reasoning.output_tokens": used.thought,
        "gen_ai.usage.cache_read.input_tokens": used.cached,
    }
