"""The emulated Deep Research agents: they plan, search, think aloud and write a report."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ..api_errors import ApiError, invalid
from ..json_types import Json
from ..requests import attachments
from ..scripting.research_scenarios import ResearchScenario
from . import agent_requests, builtin_tools, research_plan, research_report
from .scripted_answer import Answer, Moment, Turn, text_step, words

NAMES = ("deep-research-preview-04-2026", "deep-research-max-preview-04-2026")
TOOLS = ("google_search", "url_context", "code_execution", "file_search", "mcp_server")
REFUSED = ("system_instruction", "response_format", "response_mime_type", "response_modalities")
CONFIG: dict[str, tuple[Any, ...]] = {
    "type": ("deep-research",),
    "thinking_summaries": ("auto", "none"),
    "visualization": ("auto", "off"),
    "collaborative_planning": (True, False),
    "enable_bigquery_tool": (True, False),
}
PLAN_PACE = 0.1  # a plan takes a tenth of the time of a run


@dataclass
class ResearchSettings:
    """How research goes here, until told otherwise."""

    seconds: float | None = None  # on the clock; None: as all background runs
    report_bytes: int | None = None
    charts: int = 1
    usage_looks: int | None = 1  # on the real service, too, usage comes late
    usage_seconds: float = 0.0
    fates: deque[ResearchScenario] = field(default_factory=deque)


class DeepResearch:
    """Answers a research agent's turn when nobody scripted it."""

    def __init__(self, settings: ResearchSettings, effort: int = 1) -> None:
        self._settings = settings
        self._effort = effort  # the max agent searches and costs more

    def check(self, body: Json) -> None:
        if body.get("background") is not True:
            raise invalid("Agents are required to use background=true")
        agent_requests.check_fields(body, REFUSED)
        _check_config(body.get("agent_config") or {})
        agent_requests.tools(body, TOOLS)

    def answer(self, turn: Turn) -> Answer:
        plan = research_plan.before(turn)
        if research_plan.is_wanted(turn.body):
            plan = plan.revised(turn.prompt) if plan else research_plan.new(turn.prompt)
            return Answer(
                steps=[text_step(plan.text())],
                progress=self._thoughts(turn, ["**Generating research plan**"]),
                pace=PLAN_PACE,
            )
        question = plan.question if plan else turn.prompt
        earlier = research_report.newest(turn.steps)
        brief = research_report.Brief(
            question,
            plan=plan.items if plan else (),
            context=_context(turn) if plan is None else (),
            earlier=earlier[0] if earlier else "",
            attached=attachments.described(turn.input),
            stores=_stores(turn),
            charts=self._charts(turn),
            size=turn.wish.report_bytes or self._settings.report_bytes,
        )
        return Answer(
            steps=research_report.write(brief),
            progress=self._progress(turn, question),
            usage=_usage(self._effort),
        )

    def _charts(self, turn: Turn) -> int:
        if (turn.body.get("agent_config") or {}).get("visualization") == "off":
            return 0
        return self._settings.charts if turn.wish.charts is None else turn.wish.charts

    def _thoughts(self, turn: Turn, texts: list[str], start: float = 0.1) -> list[Moment]:
        """These thoughts, soon one after the other; none when summaries were not asked for."""
        if (turn.body.get("agent_config") or {}).get("thinking_summaries") != "auto":
            return []
        return [Moment(start + 0.05 * i, thought=text) for i, text in enumerate(texts)]

    def _progress(self, turn: Turn, question: str) -> list[Moment]:
        about = research_report.shortened(question, 60)
        first = ["***Generating research plan***\n\nConstructing a plan.", f"**About “{about}”**"]
        reading = ["**Reading sources**\n\nComparing what they say – figures first."]
        writing = ["**Writing the report**\n\nTwo parts, and a chart between them."]
        queries = [about, *(f"{about} statistics {n}" for n in range(1, 1 + self._effort))]
        pages = [research_report.source(question, number)["url"] for number in range(3)]
        told = self._thoughts(turn, first, 0.1)
        for i, query in enumerate(queries):
            steps = builtin_tools.search([query], turn, turn.call_id())
            told += [Moment(0.25 + 0.05 * i, step=step) for step in steps]
        told += self._thoughts(turn, reading, 0.5)
        steps = builtin_tools.read(pages, turn.call_id())
        told += [Moment(0.6, step=step) for step in steps]
        # What was asked for besides the tools it always has.
        extra = [tool for tool in turn.tools if tool["type"] in ("file_search", "mcp_server")]
        for step in builtin_tools.steps(turn, extra):
            told.append(Moment(0.7, step=step))
        return [*told, *self._thoughts(turn, writing, 0.85)]


def agents(settings: ResearchSettings) -> dict[str, DeepResearch]:
    fast, most = NAMES
    return {fast: DeepResearch(settings), most: DeepResearch(settings, effort=3)}


def _check_config(config: Json) -> None:
    for name, value in config.items():
        if name not in CONFIG:
            raise ApiError(400, f"Unknown parameter 'agent_config.{name}'.", "parameter_unknown")
        if value is not None and not any(value is one or value == one for one in CONFIG[name]):
            raise invalid(f"The value '{value}' is not supported for 'agent_config.{name}'.")


def _context(turn: Turn) -> list[str]:
    """What the user said before, also where the client replays it."""
    said = [words(step) for step in turn.steps if step.get("type") == "user_input"]
    return [text for text in said[:-1] if text]


def _stores(turn: Turn) -> list[str]:
    found = [tool for tool in turn.tools if tool["type"] == "file_search"]
    return [str(name) for tool in found for name in tool["file_search_store_names"]]


def _usage(effort: int) -> Json:
    """What a run costs: millions of tokens, most of them read by tools."""
    read, said, thought, used = (n * effort for n in (428865, 22294, 26213, 639659))
    return {
        "total_tokens": read + said + thought + used,
        "total_input_tokens": read,
        "total_cached_tokens": 0,
        "total_output_tokens": said,
        "total_tool_use_tokens": used,
        "total_thought_tokens": thought,
        "grounding_tool_count": [{"type": "google_search", "count": 80 * effort}],
    }


def told(steps: Sequence[Json]) -> Json:
    """What a run let know so far: its thoughts, its searches, the pages it read."""
    found: dict[str, list[str]] = {"thoughts": [], "searches": [], "pages": []}
    for step in steps:
        arguments = step.get("arguments") or {}
        match step.get("type"):
            case "thought":
                found["thoughts"] += [part["text"] for part in step.get("summary") or []]
            case "google_search_call":
                found["searches"] += arguments.get("queries") or []
            case "url_context_call":
                found["pages"] += arguments.get("urls") or []
    return dict(found)
