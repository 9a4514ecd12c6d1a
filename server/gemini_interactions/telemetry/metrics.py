"""Metrics in Prometheus's text format: counters, histograms and gauges of this process.

Written by hand: prometheus-client costs 40 ms at its import and keeps what it counts out of
reach, where several processes are to be summed. Labels are tools, outcomes and models, never
owners or ids.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Any, Literal

SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)
MOST_SERIES = 500
"""Label values of one metric; models are named by callers, who may name any number of them."""

Labels = tuple[str, ...]
Kind = Literal["counter", "gauge", "histogram"]


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric: `labels` are the names whose values a sample gives."""

    name: str
    help: str
    kind: Kind
    labels: Labels = ()


TOOL_CALLS = Metric(
    "gemini_mcp_tool_calls_total", "Tool calls answered.", "counter", ("tool", "outcome")
)
TOOL_SECONDS = Metric(
    "gemini_mcp_tool_call_seconds", "Time until a tool call was answered.", "histogram", ("tool",)
)
UPSTREAM_CALLS = Metric(
    "gemini_mcp_upstream_calls_total",
    "Calls to Google by model; the outcome is ok or a kind of error.",
    "counter",
    ("operation", "model", "outcome"),
)
UPSTREAM_SECONDS = Metric(
    "gemini_mcp_upstream_call_seconds", "Time of calls to Google.", "histogram", ("operation",)
)
TOKENS = Metric("gemini_mcp_tokens_total", "Tokens used.", "counter", ("model", "kind"))
COST = Metric("gemini_mcp_cost_usd_total", "Estimated price of them.", "counter", ("model",))

RUNNING = Metric("gemini_mcp_turns_running", "Turns whose lease is held here.", "gauge")
WAITING = Metric("gemini_mcp_turns_waiting", "Turns not yet sent to Google.", "gauge")
RESEARCHES = Metric("gemini_mcp_researches_running", "Researches followed here.", "gauge")
POOL_SIZE = Metric("gemini_mcp_store_connections", "Most connections to the database.", "gauge")
POOL_USED = Metric("gemini_mcp_store_connections_used", "Those in use.", "gauge")

_NOW = (RUNNING, WAITING, RESEARCHES, POOL_SIZE, POOL_USED)
COUNTED = (TOOL_CALLS, TOOL_SECONDS, UPSTREAM_CALLS, UPSTREAM_SECONDS, TOKENS, COST)

_BY_NAME = {metric.name: metric for metric in (*COUNTED, *_NOW)}

Snapshot = list[Any]
"""Of one process: for each series its metric's name, its labels, and its value or buckets."""


class Registry:
    """Counts in this process; safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._counts: dict[tuple[Metric, Labels], float] = {}
        self._buckets: dict[tuple[Metric, Labels], list[float]] = {}
        self._series: dict[Metric, int] = {}

    def add(self, metric: Metric, *labels: str, by: float = 1.0) -> None:
        with self._lock:
            key = self._key(metric, labels, self._counts)
            self._counts[key] = self._counts.get(key, 0.0) + by

    def observe(self, metric: Metric, *labels: str, seconds: float) -> None:
        with self._lock:
            key = self._key(metric, labels, self._buckets)
            # One for each bound, one for what lies above, and the sum.
            buckets = self._buckets.setdefault(key, [0.0] * (len(SECONDS) + 2))
            buckets[bisect_left(SECONDS, seconds)] += 1
            buckets[-1] += seconds

    def snapshot(self, gauges: Iterable[tuple[Metric, float]]) -> Snapshot:
        """Everything counted and what holds right now, as JSON can carry it elsewhere."""
        with self._lock:
            counts = [[m.name, labels, value] for (m, labels), value in self._counts.items()]
            buckets = [[m.name, labels, [*values]] for (m, labels), values in self._buckets.items()]
        return [*counts, *buckets, *([metric.name, (), value] for metric, value in gauges)]

    def absorb(self, snapshot: Snapshot) -> list[tuple[Metric, float]]:
        """Add what another process counted; what holds there, which adds up otherwise."""
        gauges = []
        for name, labels, value in snapshot:
            metric = _BY_NAME[name]
            if metric.kind == "gauge":
                gauges.append((metric, float(value)))
            elif metric.kind == "histogram":
                self._add_buckets(metric, tuple(labels), value)
            else:
                self.add(metric, *labels, by=value)
        return gauges

    def _add_buckets(self, metric: Metric, labels: Labels, values: Iterable[float]) -> None:
        with self._lock:
            key = self._key(metric, labels, self._buckets)
            buckets = self._buckets.setdefault(key, [0.0] * (len(SECONDS) + 2))
            for place, value in enumerate(values):
                buckets[place] += value

    def _key(
        self, metric: Metric, labels: Labels, known: Mapping[tuple[Metric, Labels], object]
    ) -> tuple[Metric, Labels]:
        if (metric, labels) in known:
            return metric, labels
        if self._series.get(metric, 0) >= MOST_SERIES:
            return metric, ("other",) * len(labels)
        self._series[metric] = self._series.get(metric, 0) + 1
        return metric, labels

    def text(self, gauges: Iterable[tuple[Metric, float]] = ()) -> str:
        """Everything counted, and what holds right now."""
        with self._lock:
            counts = sorted(self._counts.items(), key=lambda each: each[0][1])
            buckets = sorted(
                ((key, [*values]) for key, values in self._buckets.items()),
                key=lambda each: each[0][1],
            )
        lines: list[str] = []
        for metric in COUNTED:
            lines += _head(metric)
            lines += [
                f"{metric.name}{_labels(metric, labels)} {_figure(value)}"
                for (whose, labels), value in counts
                if whose is metric
            ]
            for (whose, labels), values in buckets:
                if whose is metric:
                    lines += _histogram(metric, labels, values)
        for metric, value in gauges:
            lines += [*_head(metric), f"{metric.name} {value:g}"]
        return "\n".join(lines) + "\n"


registry = Registry()
"""What this process counts, as OpenTelemetry's own meters are: one for all."""


def gauges(
    *, running: int, researches: int, waiting: int, pool: tuple[int, int]
) -> list[tuple[Metric, float]]:
    """What holds at one moment; `pool` is connections to the database, there and in use."""
    return [
        (RUNNING, running),
        (WAITING, waiting),
        (RESEARCHES, researches),
        (POOL_SIZE, pool[0]),
        (POOL_USED, pool[1]),
    ]


def _head(metric: Metric) -> list[str]:
    return [f"# HELP {metric.name} {metric.help}", f"# TYPE {metric.name} {metric.kind}"]


def _histogram(metric: Metric, labels: Labels, values: list[float]) -> list[str]:
    lines, count = [], 0.0
    for bound, value in zip((*map(str, SECONDS), "+Inf"), values[:-1], strict=True):
        count += value
        told = _labels(metric, labels, f'le="{bound}"')
        lines.append(f"{metric.name}_bucket{told} {int(count)}")
    told = _labels(metric, labels)
    lines.append(f"{metric.name}_sum{told} {_figure(values[-1])}")
    return [*lines, f"{metric.name}_count{told} {int(count)}"]


def _figure(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)


def _labels(metric: Metric, values: Labels, more: str = "") -> str:
    told = [f'{name}="{_quoted(value)}"' for name, value in zip(metric.labels, values, strict=True)]
    told += [more] if more else []
    return f"{{{','.join(told)}}}" if told else ""


def _quoted(value: str) -> str:
    value = "".join(each if each.isprintable() else "?" for each in value[:100])
    return value.replace("\\", "\\\\").replace('"', '\\"')


def model_label(model: str) -> str:
    """The label of a model or agent: Google's own by name, others together, since people choose
    the names of their agents, and may name somebody in them."""
    from ..domain.models import model_catalog

    is_googles = (
        not model
        or model_catalog.kind_of(model) is not None
        or model_catalog.is_agent(model)
        or model.startswith(("gemini-", "veo-", "lyria-", "gemma-"))
    )
    return model if is_googles else "other"
