"""What a create request must look like; everything else is refused as Google refuses it."""

from collections.abc import Mapping
from typing import Any

from ..api_errors import ApiError, invalid
from ..json_types import Json
from ..media_writers.jpeg_writer import RATIOS
from ..model_catalog import MODELS, RETIRED_AGENTS, EmulatedModel
from ..responders import media
from ..responders.scripted_answer import Answerer

FIELDS = frozenset(
    [
        "model",
        "agent",
        "agent_config",
        "background",
        "cached_content",
        "continuation_token",
        "environment",
        "generation_config",
        "input",
        "labels",
        "previous_interaction_id",
        "response_format",
        "response_mime_type",
        "response_modalities",
        "safety_settings",
        "service_tier",
        "store",
        "stream",
        "system_instruction",
        "tools",
        "webhook_config",
    ]
)
CONFIG_FIELDS = frozenset(
    [
        "image_config",
        "max_output_tokens",
        "seed",
        "speech_config",
        "stop_sequences",
        "temperature",
        "thinking_level",
        "thinking_summaries",
        "tool_choice",
        "top_p",
        "transcription_config",
        "video_config",
    ]
)
TOOLS = (
    "function",
    "code_execution",
    "mcp_server",
    "filesystem",
    "google_maps",
    "google_search",
    "bash",
    "computer_use",
    "file_search",
    "url_context",
)
TYPES: Mapping[str, type | tuple[type, ...]] = {
    "model": str,
    "agent": str,
    "agent_config": dict,
    "background": bool,
    "continuation_token": str,
    "environment": (str, dict),
    "generation_config": dict,
    "labels": dict,
    "previous_interaction_id": str,
    "response_format": (dict, list),
    "service_tier": str,
    "store": bool,
    "stream": bool,
    "system_instruction": str,
    "tools": list,
    "webhook_config": dict,
}
TIERS = ("flex", "standard", "priority", "deferred")


def check(body: Any, agents: Mapping[str, Answerer]) -> None:
    """Raise Refusal unless this body could be answered."""
    if not isinstance(body, dict):
        raise invalid("The request body must be a JSON object.")
    for name in body:
        if name not in FIELDS:
            raise ApiError(400, f"Unknown parameter '{name}'.", "parameter_unknown")
    for name, kind in TYPES.items():
        if body.get(name) is not None and not isinstance(body[name], kind):
            raise invalid(f"Invalid value at '{name}'.")
    _check_who(body)
    _check_mode(body)
    _check_tools(body)
    if body.get("agent"):
        _check_agent(body, agents)
    else:
        _check_model(body, _model(body["model"]))


def _check_who(body: Json) -> None:
    if body.get("model") and body.get("agent"):
        raise invalid("Cannot specify both 'model' and 'agent'.")
    if not body.get("model") and not body.get("agent"):
        raise invalid("Either 'model' or 'agent' must be specified.")


def _model(name: str) -> EmulatedModel:
    model = MODELS.get(name.removeprefix("models/"))
    if model is None:
        raise ApiError(404, f"The model '{name}' was not found.", "model_not_found")
    return model


def _check_mode(body: Json) -> None:
    if body.get("store") is False and body.get("background"):
        raise invalid("Cannot use 'background=true' with 'store=false'.")
    if body.get("webhook_config") and not body.get("background"):
        raise invalid("'webhook_config' requires 'background=true'.")
    if body.get("service_tier") and body["service_tier"] not in TIERS:
        raise invalid(f"The value '{body['service_tier']}' is not supported for 'service_tier'.")
    if not body.get("input") and not body.get("continuation_token"):
        raise invalid("Invalid input at 'input': it is required.")


def _check_tools(body: Json) -> None:
    for i, tool in enumerate(body.get("tools") or []):
        kind = tool.get("type") if isinstance(tool, dict) else None
        if kind not in TOOLS:
            supported = ",".join(f"'{name}'" for name in TOOLS)
            raise invalid(
                f"The value '{kind}' is not supported for 'type' at 'tools[{i}]'. "
                f"Supported values: {supported}."
            )
        if kind == "function" and not tool.get("name"):
            raise invalid(f"Invalid value at 'tools[{i}].name': it is required.")
        if kind == "file_search" and not tool.get("file_search_store_names"):
            raise invalid(f"Invalid value at 'tools[{i}].file_search_store_names': required.")
        if kind == "mcp_server" and not str(tool.get("url", "")).startswith("https://"):
            raise invalid(f"Invalid value at 'tools[{i}].url': a public https URL is required.")


def _check_agent(body: Json, agents: Mapping[str, Answerer]) -> None:
    name = body["agent"]
    if "generation_config" in body:
        raise invalid("'generation_config' cannot be used with 'agent'; use 'agent_config'.")
    if name in RETIRED_AGENTS or name not in agents:
        raise ApiError(404, f"The agent '{name}' was not found.", "not_found")
    agents[name].check(body)


def _check_model(body: Json, model: EmulatedModel) -> None:
    if "agent_config" in body:
        raise invalid("'agent_config' can only be used with 'agent'.")
    if body.get("background") and not model.background:
        raise invalid(f"The model '{model.name}' does not support 'background=true'.")
    functions = [tool for tool in body.get("tools") or [] if tool["type"] == "function"]
    built_in = [tool for tool in body.get("tools") or [] if tool["type"] != "function"]
    if functions and built_in and not model.mixes_tools:
        # No field of the Interactions API enables it (python-genai#2761).
        raise invalid(
            "Please enable tool_config.include_server_side_tool_invocations to use Built-in "
            "tools with Function calling."
        )
    _check_config(body.get("generation_config") or {}, model, bool(functions))
    _check_format(body.get("response_format"), model)
    if model.makes != "text":
        media.check(body, model.name, model.makes)


def _check_config(config: Json, model: EmulatedModel, functions: bool) -> None:
    for name in config:
        # Undocumented but served by the 2.5 models.
        if name == "top_k" and model.name.startswith("gemini-2.5"):
            continue
        if name not in CONFIG_FIELDS:
            raise ApiError(
                400, f"Unknown parameter 'generation_config.{name}'.", "parameter_unknown"
            )
    level = config.get("thinking_level")
    if level is not None and level not in model.levels:
        supported = ", ".join(f"'{name}'" for name in model.levels)
        raise invalid(
            f"The value '{level}' is not supported for 'generation_config.thinking_level' with "
            f"the model '{model.name}'. Supported values: {supported}."
        )
    if config.get("thinking_summaries") not in (None, "auto", "none"):
        raise invalid("Invalid value at 'generation_config.thinking_summaries'.")
    for name in ("temperature", "top_p"):
        if name in config and not model.sampling:
            raise invalid(f"The model '{model.name}' does not support '{name}'.")
    most = config.get("max_output_tokens")
    if most is not None and (isinstance(most, bool) or not isinstance(most, int) or most < 1):
        raise invalid("Invalid value at 'generation_config.max_output_tokens'.")
    if config.get("tool_choice") not in (None, "none") and not functions:
        raise invalid("Function calling config is set without function_declarations.")


def _check_format(given: Any, model: EmulatedModel) -> None:
    for i, wanted in enumerate(given if isinstance(given, list) else [given] if given else []):
        if not isinstance(wanted, dict):
            raise invalid(f"Invalid value at 'response_format[{i}]'.")
        if wanted.get("type") != "image":
            continue
        if not model.pictures:
            raise invalid(f"The model '{model.name}' does not support image output.")
        if wanted.get("mime_type") not in (None, "image/jpeg"):
            raise invalid(
                f"The value '{wanted['mime_type']}' is not supported for 'mime_type' at "
                f"'response_format[{i}]'. Supported values: 'image/jpeg'."
            )
        if wanted.get("aspect_ratio") not in (None, *RATIOS):
            supported = ", ".join(f"'{ratio}'" for ratio in RATIOS)
            raise invalid(
                f"The value '{wanted['aspect_ratio']}' is not supported for 'aspect_ratio' at "
                f"'response_format[{i}]'. Supported values: {supported}."
            )
        if wanted.get("delivery") not in (None, "inline"):
            # By uri come videos only.
            raise invalid(
                f"The value '{wanted['delivery']}' is not supported for 'delivery' at "
                f"'response_format[{i}]'. Supported values: 'inline'."
            )
        if wanted.get("image_size") not in (None, *model.image_sizes):
            raise invalid(
                f"The value '{wanted['image_size']}' is not supported for 'image_size' with the "
                f"model '{model.name}'."
            )
