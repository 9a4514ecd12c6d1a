"""Stream accumulator: what has arrived so far of an answer that is still being streamed.

Feed it the events of a stream, in any state of repair; ask it at any moment for the
`Interaction` they amount to. Events are JSON objects as the API speaks them, steps are put
together by their index. Nothing that arrives makes it raise: what it does not know, it skips.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from gemini_interactions.domain.ids import is_interaction_id
from gemini_interactions.domain.types import Interaction, Problem, Step, Usage
from gemini_interactions.domain.unicode_repair import replace_lone_surrogates
from gemini_interactions.interactions import token_usage
from gemini_interactions.interactions.json_values import (
    MEDIA,
    OBJECT,
    Json,
    as_mapping,
    as_text,
    contents_in,
    one_line,
)

_TAIL = 80
_REDIRECTS = "vertexaisearch.cloud.google.com"


class InteractionAccumulator:
    """An answer in the making.

    A long answer may come in several hops, each an interaction of its own that ends with
    `requires_continuation`: their steps follow each other, their usage adds up, and the last
    one's id is the one to continue from.
    """

    def __init__(self) -> None:
        self.id = ""
        self.status = "in_progress"
        self.finished = False
        self.error: Problem | None = None
        self.changes = 0
        self._shape = ""
        self._model = ""
        self._service_tier = ""
        self._api_version = ""
        self._agent = ""
        self._environment_id = ""
        self._updated = ""
        self._errors: tuple[Problem, ...] = ()
        self._earlier: list[Step] = []
        self._earlier_usage: Usage | None = None
        self._steps: dict[int, _Step] = {}
        self._given: list[Step] = []
        self._usage: Usage | None = None
        self._has_unreadable_usage = False
        self._hop_is_over = False
        self._doing = ""
        self._tail: str | None = None

    @classmethod
    def of(cls, interaction: Interaction) -> InteractionAccumulator:
        """As if the interaction's steps so far had been streamed."""
        draft = cls()
        draft._begin({"id": interaction.id, "status": interaction.status})
        for index, step in enumerate(interaction.steps):
            draft._start({"index": index, "step": step})
            summary = step.get("summary")
            for content in summary if isinstance(summary, list) else []:
                draft._tell({"type": "thought_summary", "content": content})
        return draft

    def add(self, event: object) -> None:
        """Take in one event; `changes` grows if it said anything."""
        if not isinstance(event, OBJECT):
            return
        self._shape = self._shape or foreign_shape(event)
        match event.get("event_type"):
            case "interaction.created" | "interaction.start":
                self._begin(interaction_of(event))
            case "interaction.completed" | "interaction.complete":
                self._complete(interaction_of(event))
            case "interaction.status_update":
                self._update(event)
            case "step.start":
                self._start(event)
            case "step.delta":
                self._extend(event)
            case "step.stop":
                self._stop(event)
            case "error" if not self.finished:
                self.error = _problem(as_mapping(event.get("error")))
                self.finished = True
            case _:
                return
        self.changes += 1

    def interaction(self) -> Interaction:
        """What has arrived so far; media bytes included, and nothing shared with this draft."""
        return Interaction(
            id=self.id,
            status=self.status,
            steps=tuple(self._all_steps()),
            usage=_sum(self._earlier_usage, self._usage) or self._estimated(),
            model=self._model,
            agent=self._agent,
            errors=self._errors,
            environment_id=self._environment_id,
            service_tier=self._service_tier,
            api_version=self._api_version,
            updated=self._updated,
        )

    @property
    def api_version(self) -> str:
        """The version of the API it is made with, where that is not the usual one."""
        return self._api_version

    @property
    def foreign_shape(self) -> str:
        """The old shape of the API that came, where nothing of today's came with it."""
        return "" if self._steps or self._given or self._earlier else self._shape

    @property
    def doing(self) -> str:
        """One short line on what Gemini is doing, or nothing yet."""
        if self._tail is None:
            return self._doing
        line = one_line(self._tail, 10**6)
        return f"Writing: …{line[-_TAIL:].lstrip()}" if len(line) > _TAIL else f"Writing: {line}"

    @property
    def tokens_so_far(self) -> int:
        """Tokens used up to now, where that is told on the way, as agents do; else 0."""
        return self._usage.total if self._usage else 0

    @property
    def text_so_far(self) -> str:
        """The text of the answer, without thoughts and tool steps."""
        return "".join(
            as_text(content.get("text"))
            for step in self._all_steps()
            if step.get("type") == "model_output" and isinstance(step.get("content"), list)
            for content in step["content"]
            if isinstance(content, Mapping) and content.get("type") == "text"
        )

    def _begin(self, interaction: Json) -> None:
        # The same id again is a replay from the start, or said twice: a step that starts once
        # more replaces itself. A new id is the next hop. Without ids (store=false) there are no
        # replays.
        new_id = _interaction_id(interaction.get("id"))
        if not (new_id and new_id == self.id):
            self._earlier = self._all_steps()
            self._earlier_usage = _sum(self._earlier_usage, self._usage)
            self._steps = {}
        self._given, self._usage = [], None
        self._hop_is_over = self.finished = False
        self._describe(interaction)

    def _complete(self, interaction: Json) -> None:
        self._describe(interaction)
        # Without a status nobody can say how it ended, so neither do we.
        self.status = as_text(interaction.get("status"))
        steps = interaction.get("steps")
        if isinstance(steps, list):
            self._given = [dict(step) for step in steps if isinstance(step, Mapping)]
        self._hop_is_over = True
        self.finished = self.status != "requires_continuation"

    def _update(self, event: Json) -> None:
        self.id = _interaction_id(event.get("interaction_id")) or self.id
        self.status = as_text(event.get("status")) or self.status
        self._count(event.get("usage"))

    def _describe(self, interaction: Json) -> None:
        self.id = _interaction_id(interaction.get("id")) or self.id
        self.status = as_text(interaction.get("status")) or self.status
        self._model = as_text(interaction.get("model")) or self._model
        self._agent = as_text(interaction.get("agent")) or self._agent
        self._environment_id = as_text(interaction.get("environment_id")) or self._environment_id
        self._service_tier = as_text(interaction.get("service_tier")) or self._service_tier
        self._api_version = as_text(interaction.get("api_version")) or self._api_version
        self._updated = as_text(interaction.get("updated")) or self._updated
        self._errors = problems(interaction.get("errors")) or self._errors
        self._count(interaction.get("usage"))

    def _count(self, reported: object) -> None:
        found = token_usage.read(reported)
        self._usage = found or self._usage
        self._has_unreadable_usage = self._has_unreadable_usage or bool(reported and not found)

    def _estimated(self) -> Usage | None:
        """Something is booked where Google's figures are no figures: a limit holds all the same."""
        is_over = self._hop_is_over and self._has_unreadable_usage
        return token_usage.estimated(self._all_steps()) if is_over else None

    def _start(self, event: Json) -> None:
        step = _Step(as_mapping(event.get("step")))
        self._steps[self._index(event, ahead=1)] = step
        self._tell(step.step)

    def _extend(self, event: Json) -> None:
        delta = as_mapping(event.get("delta"))
        index = self._index(event)
        step = self._steps.get(index)
        if step is None:
            # A stream taken up again in the middle of a step does not repeat its start.
            step = self._steps[index] = _Step({"type": _step_type(delta)})
        step.add(delta)
        self._count(as_mapping(event.get("metadata")).get("total_usage"))
        self._tell(delta)

    def _stop(self, event: Json) -> None:
        step = self._steps.get(self._index(event))
        if step is not None:
            step.over = True
        # Agents report what was used up to here; the final figure replaces it.
        self._count(event.get("usage"))

    def _index(self, event: Json, ahead: int = 0) -> int:
        """The step an event is about; where it does not say, the last one, or one ahead of it."""
        index = event.get("index")
        if isinstance(index, int) and not isinstance(index, bool):
            return index
        return max(self._steps, default=-ahead) + ahead

    def _all_steps(self) -> list[Step]:
        current = self._given or [
            step.whole(self._hop_is_over) for _, step in sorted(self._steps.items())
        ]
        return [*self._earlier, *_copy(current)]

    def _tell(self, said: Json) -> None:
        if text := as_text(said.get("text")) if said.get("type") == "text" else "":
            # Some slack, since blanks are squeezed out of what is shown.
            self._tail = ((self._tail or "") + text)[-2 * _TAIL :]
        elif line := _activity(said):
            self._doing, self._tail = line, None


class _Step:
    """One step being put together."""

    def __init__(self, start: Json) -> None:
        self.step: Step = _copy(dict(start))
        self.over = False
        self._text: list[str] = []
        self._text_is_over = False
        self._arguments: list[str] = []

    def add(self, delta: Json) -> None:
        kind = as_text(delta.get("type"))
        match kind:
            case "text":
                self._write(as_text(delta.get("text")))
                self._annotate(delta.get("annotations"))
            case "text_annotation_delta":
                self._annotate(delta.get("annotations"))
            case "thought_summary":
                self._summarise(as_mapping(delta.get("content")))
            case "thought_signature":
                if signature := as_text(delta.get("signature")):
                    self.step["signature"] = signature
            case "arguments_delta":
                self._argue(delta.get("arguments"))
            case _ if kind in MEDIA:
                self._settle()
                self._contents().append(_copy(dict(delta)))
            case _ if kind.endswith(("_call", "_result")):
                self._merge(delta)

    def whole(self, over: bool) -> Step:
        """The step as the API would show it; arguments only once they are complete."""
        self._settle()
        if not self._arguments or not (over or self.over):
            return self.step
        return {**self.step, "arguments": _arguments("".join(self._arguments))}

    def _write(self, text: str) -> None:
        contents = self._contents()
        is_text = bool(contents) and as_mapping(contents[-1]).get("type") == "text"
        # Nothing but its annotations tells that one text is over and the next one begins.
        if not is_text or self._text_is_over:
            self._settle()
            contents.append({"type": "text", "text": ""})
        self._text_is_over = False
        self._text.append(text)

    def _annotate(self, annotations: object) -> None:
        if not isinstance(annotations, list) or not annotations:
            return
        texts = [c for c in self._contents() if isinstance(c, dict) and c.get("type") == "text"]
        if not texts:
            self._write("")
            texts = self._contents()[-1:]
        self._settle()
        reach = max((_index(as_mapping(note).get("end_index")) for note in annotations), default=0)
        text = texts[-1]
        if len(texts) > 1 and self._contents()[-2] is texts[-2] and reach > _size(text):
            text = self._joined(texts[-2], text, reach)
        known = text.setdefault("annotations", [])
        if isinstance(known, list):
            known.extend(_copy(annotations))
        self._text_is_over = reach <= _size(text)

    def _joined(self, before: dict[str, Any], text: dict[str, Any], reach: int) -> dict[str, Any]:
        """The last two texts as one, where that is what annotations count their bytes in."""
        if reach > _size(before) + _size(text):
            return text
        before["text"] = as_text(before.get("text")) + as_text(text.get("text"))
        cited = [each.get("annotations") for each in (before, text)]
        before["annotations"] = [
            note for notes in cited if isinstance(notes, list) for note in notes
        ]
        self._contents().pop()
        return before

    def _summarise(self, content: Json) -> None:
        summary = self.step.get("summary")
        if not isinstance(summary, list):
            summary = self.step["summary"] = []
        # Documented samples leave out the type of a text.
        kind = {} if "type" in content or "text" not in content else {"type": "text"}
        if content:
            summary.append({**kind, **_copy(dict(content))})

    def _argue(self, arguments: object) -> None:
        if isinstance(arguments, str):
            self._arguments.append(arguments)
        elif isinstance(arguments, Mapping):
            self.step["arguments"] = _copy(dict(arguments))

    def _merge(self, delta: Json) -> None:
        self._settle()
        for key, value in delta.items():
            if key == "type" or value is None or (key == "signature" and not value):
                continue
            self.step[key] = _copy(value)

    def _contents(self) -> list[Any]:
        contents = self.step.get("content")
        if not isinstance(contents, list):
            contents = self.step["content"] = list(contents_in(contents))
        return contents

    def _settle(self) -> None:
        # Text is joined only here: joining at every delta costs the square of its length.
        if self._text:
            last = self.step["content"][-1]
            last["text"] = as_text(last.get("text")) + "".join(self._text)
            self._text = []


def _interaction_id(value: object) -> str:
    """An id that can be asked for later, or ""."""
    return as_text(value) if is_interaction_id(value) else ""


def interaction_of(event: Json) -> Json:
    """The interaction in an event; some endpoints put its fields into the event itself."""
    inside = event.get("interaction")
    return event if inside is None or not isinstance(inside, OBJECT) else inside


def foreign_shape(event: Json) -> str:
    """What in an event is of the API's schema before June 2026; "" for today's."""
    name = as_text(event.get("event_type"))
    if name.startswith("step."):
        return ""
    if name.startswith("content.") or name in ("interaction.start", "interaction.complete"):
        return f"`{one_line(name, 40)}` events"
    return "`outputs` instead of `steps`" if "outputs" in interaction_of(event) else ""


def problems(reported: object) -> tuple[Problem, ...]:
    """What the API recorded as having gone wrong."""
    if not isinstance(reported, list):
        return ()
    return tuple(_problem(one) for one in reported if isinstance(one, Mapping))


def _problem(error: Json) -> Problem:
    code = error.get("code")
    return Problem(str(code) if isinstance(code, str | int) else "", as_text(error.get("message")))


def _index(value: object) -> int:
    return value if isinstance(value, int) and 0 <= value < 2**40 else 0


def _sum(earlier: Usage | None, later: Usage | None) -> Usage | None:
    return earlier + later if earlier and later else earlier or later


def _size(text: Json) -> int:
    """Bytes of a text, which is what annotations count."""
    return len(as_text(text.get("text")).encode("utf-8", "surrogatepass"))


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copy(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_copy(one) for one in value]
    return value


def _arguments(text: str) -> dict[str, Any]:
    try:
        # A number too long for an int, or nesting too deep, is as unreadable as bad JSON.
        arguments = replace_lone_surrogates(json.loads(text)) if text.strip() else {}
    except (ValueError, RecursionError):
        return {"_raw": text}
    return arguments if isinstance(arguments, dict) else {"_raw": text}


def _step_type(delta: Json) -> str:
    """The type of the step such a delta belongs to."""
    kind = as_text(delta.get("type"))
    if kind.startswith("thought_"):
        return "thought"
    if kind == "arguments_delta":
        return "function_call"
    return kind if kind.endswith(("_call", "_result")) else "model_output"


def _activity(said: Json) -> str:
    """What a step or a delta tells about what Gemini is doing; empty when it tells nothing."""
    arguments = as_mapping(said.get("arguments"))
    match said.get("type"):
        case "thought_summary":
            return _headline(as_text(as_mapping(said.get("content")).get("text")))
        case "google_search_call" | "google_maps_call" | "file_search_call" | "retrieval_call":
            queries = _strings(arguments.get("queries")) or _strings([arguments.get("query")])
            return one_line("Searching: " + ", ".join(queries), 120) if queries else "Searching"
        case "url_context_call":
            hosts = list(dict.fromkeys(_host(url) for url in _strings(arguments.get("urls"))))
            hosts = [host for host in hosts if host != _REDIRECTS]  # which says nothing
            return one_line("Reading " + ", ".join(hosts), 120) if hosts else "Reading pages"
        case "code_execution_call":
            return "Running code"
        case "function_call" | "mcp_server_tool_call":
            name = as_text(said.get("name"))
            return one_line(f"Calling {name}", 120) if name else ""
        case "image":
            return "Drawing"
    return ""


def _headline(thought: str) -> str:
    """The title of a thought (Google sets it in bold), else its first sentence."""
    if title := re.match(r"\s*\*{2,3}(.+?)\*{2,3}", thought, re.DOTALL):
        return one_line(title[1], 120)
    return one_line(re.split(r"(?<=[.!?])\s", one_line(thought, 10**6), maxsplit=1)[0], 120)


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or "a page"
    except ValueError:
        return "a page"


def _strings(value: object) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []
