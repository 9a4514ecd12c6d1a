"""Serialization: requests into what google-genai takes, answers into events and data classes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gemini_interactions.domain.errors import BadArgument, Garbled
from gemini_interactions.domain.ids import is_interaction_id
from gemini_interactions.domain.types import (
    CONTENTS,
    CONTINUATION_LIMIT,
    NOT_CONTINUED,
    CreateRequest,
    Interaction,
)
from gemini_interactions.gemini import error_mapping
from gemini_interactions.interactions import token_usage
from gemini_interactions.interactions.json_values import as_mapping, as_text, type_of
from gemini_interactions.interactions.stream_accumulator import (
    InteractionAccumulator,
    foreign_shape,
    interaction_of,
)

_MEDIA = frozenset({"image", "audio", "video"})

# What the SDK insists on in steps sent again, though Google leaves it out or sends null.
_INSISTED: dict[str, dict[str, Any]] = {
    "code_execution_call": {"id": "", "arguments": {}},
    "code_execution_result": {"call_id": "", "result": ""},
    "file_search_call": {"id": ""},
    "file_search_result": {"call_id": ""},
    "function_call": {"id": "", "name": "", "arguments": {}},
    "function_result": {"call_id": "", "result": ""},
    "google_maps_call": {"id": ""},
    "google_maps_result": {"call_id": "", "result": []},
    "google_search_call": {"id": "", "arguments": {}},
    "google_search_result": {"call_id": "", "result": []},
    "mcp_server_tool_call": {"id": "", "name": "", "server_name": "", "arguments": {}},
    "mcp_server_tool_result": {"call_id": "", "result": ""},
    "processing_call": {"id": ""},
    "processing_result": {"call_id": ""},
    "retrieval_call": {"id": "", "arguments": {}},
    "retrieval_result": {"call_id": ""},
    "tool_search_call": {"id": "", "arguments": {}},
    "tool_search_result": {"call_id": ""},
    "url_context_call": {"id": "", "arguments": {}},
    "url_context_result": {"call_id": "", "result": []},
}


@dataclass(frozen=True, slots=True)
class Model:
    """A model Google offers to this key."""

    id: str
    display_name: str = ""
    description: str = ""
    input_tokens: int = 0
    output_tokens: int = 0


def interaction_id(id: str) -> str:
    """The id itself. The SDK puts ids into URLs as they are, so nothing else may pass."""
    if not is_interaction_id(id):
        raise BadArgument("That is no interaction id of Google's; one looks like v1_… .")
    return id


def create(call: CreateRequest, *, is_enterprise: bool = False) -> dict[str, Any]:
    """What `interactions.create` takes for this call."""
    given = call.input
    arguments: dict[str, Any] = {
        "input": given if isinstance(given, str) else [_sendable(each) for each in given]
    }
    if call.agent:
        arguments["agent"] = call.agent
        if call.agent_config:
            arguments["agent_config"] = call.agent_config
        if call.environment:
            arguments["environment"] = call.environment
    else:
        arguments["model"] = call.model
        if generation := _generation(call):
            arguments["generation_config"] = generation
        if call.system_instruction:
            arguments["system_instruction"] = call.system_instruction
    if call.previous_interaction_id:
        arguments["previous_interaction_id"] = interaction_id(call.previous_interaction_id)
    if call.tools:
        arguments["tools"] = list(call.tools)
    if call.response_format:
        arguments["response_format"] = _formats(call, is_enterprise=is_enterprise)
    if call.service_tier:
        arguments["service_tier"] = call.service_tier
    if not call.store:
        arguments["store"] = False
    if call.background:
        arguments["background"] = True
    return arguments


def continuation(arguments: Mapping[str, Any], event: Mapping[str, Any]) -> dict[str, Any]:
    """What to send to go on after an answer that stopped at Google's limit for one request.

    `event` is the `interaction.completed` of the part that has come; empty when there is
    nothing to go on with, or Google hands back the token it was sent.
    """
    part = event.get("interaction")
    if not isinstance(part, Mapping) or part.get("status") != "requires_continuation":
        return {}
    token = part.get("continuation_token")
    if not isinstance(token, str) or not token or token == arguments.get("continuation_token"):
        return {}
    if "agent" in arguments or "background" in arguments:
        return {}
    following = {**arguments, "continuation_token": token}
    if arguments.get("store", True) and is_interaction_id(part.get("id")):
        # Google has the input already, with the part it belongs to.
        following["previous_interaction_id"] = part["id"]
        following.pop("input", None)
    return following


class Hop:
    """What one request of a create came to, as far as going on depends on it."""

    def __init__(self) -> None:
        self.last: Mapping[str, Any] = {}
        self.heard = False
        self.has_steps = self.moved = False
        self.shape = ""

    def hear(self, event: Mapping[str, Any]) -> None:
        self.heard = True
        kind = as_text(event.get("event_type"))
        body = interaction_of(event)
        self.shape = self.shape or foreign_shape(event)
        if kind in ("interaction.completed", "error"):
            self.last = {**event, "interaction": body}
        said = kind.startswith("step.") or bool(body.get("steps"))
        self.has_steps = self.has_steps or said
        if not (self.moved or said):
            used = token_usage.read(body.get("usage"))
            said = used is not None and bool(used.output or used.thought)
        self.moved = self.moved or said

    @property
    def is_foreign(self) -> bool:
        """Whether nothing but another shape of the API came."""
        return bool(self.shape) and not self.has_steps

    @property
    def wants_more(self) -> bool:
        return as_mapping(self.last.get("interaction")).get("status") == "requires_continuation"


def ended_early(hop: Hop, times: int, most: int) -> dict[str, Any]:
    """The event that ends an answer which Google wanted to be asked on for, and was not: after
    `times` of at most `most` continuations."""
    if times >= most:
        code, why = CONTINUATION_LIMIT, f"it was continued {times} times"
    elif not hop.moved:
        code, why = NOT_CONTINUED, "its last part brought nothing new"
    else:
        code, why = NOT_CONTINUED, "it did not say from where"
    error = {"code": code, "message": f"Gemini wanted to go on; {why}"}
    interaction = {"status": "incomplete", "errors": [error]}
    return {"event_type": "interaction.completed", "interaction": interaction}


def past_models(named: Mapping[str, Any]) -> dict[str, Any] | None:
    """The same arguments with an input that the SDK's models do not look at; None where it is
    not the input that they could mind."""
    given = named.get("input")
    if not isinstance(given, list):
        return None
    if all(type_of(each) in CONTENTS for each in given):
        given = [{"type": "user_input", "content": given}]
    return {**named, "input": "", "extra_body": {"input": given}}


def events(answer: object) -> list[dict[str, Any]]:
    """The events that an answer in one piece amounts to."""
    if isinstance(answer, dict) and (problem := error_mapping.inside(answer)):
        raise problem
    if not isinstance(answer, dict) or not answer.keys() & {"id", "status", "steps"}:
        raise Garbled()
    named = {key: value for key, value in answer.items() if key not in ("steps", "usage", "errors")}
    return [
        {"event_type": "interaction.created", "interaction": named},
        {"event_type": "interaction.completed", "interaction": answer},
    ]


def interaction(answer: object) -> Interaction:
    """An answer in one piece."""
    draft = InteractionAccumulator()
    for event in events(answer):
        draft.add(event)
    return draft.interaction()


def model(listed: Any) -> Model:
    """One entry of the SDK's list of models."""
    return Model(
        # Vertex AI says whose it is before that: publishers/google/models/….
        id=(listed.name or "").rpartition("models/")[2],
        display_name=listed.display_name or "",
        description=listed.description or "",
        input_tokens=listed.input_token_limit or 0,
        output_tokens=listed.output_token_limit or 0,
    )


def _sendable(step: dict[str, Any]) -> dict[str, Any]:
    """A step with nothing missing that the SDK insists on; anything else as it is."""
    insisted = _INSISTED.get(str(step.get("type")), {})
    missing = {key: value for key, value in insisted.items() if step.get(key) is None}
    return {**step, **missing} if missing else step


def _formats(call: CreateRequest, *, is_enterprise: bool) -> Any:
    """The response formats. Vertex AI gives nothing by its address without a bucket to put it
    in: there even large files come in the answer."""
    if not is_enterprise or not isinstance(call.response_format, list):
        return call.response_format
    return [
        {key: value for key, value in each.items() if (key, value) != ("delivery", "uri")}
        for each in call.response_format
    ]


def _generation(call: CreateRequest) -> dict[str, Any]:
    formats = call.response_format
    formats = [formats] if isinstance(formats, dict) else formats or []
    generation = dict(call.generation)
    if call.thinking:
        generation["thinking_level"] = call.thinking
    # Summaries are what progress is told from. Those of image models hold draft images.
    if not any(wanted.get("type") in _MEDIA for wanted in formats):
        generation["thinking_summaries"] = "auto"
    return generation
