"""Checks of prompts and model ids, the same for every kind of turn."""

from __future__ import annotations

from ...config.settings import Config
from ...domain.errors import BadArgument
from ...domain.models import model_catalog

MODEL_CHARS = 200
"""Longest model id taken: it comes back in every footer."""


def check_prompt(config: Config, prompt: str, name: str = "prompt") -> None:
    """Raises BadArgument for one that is too long; `name` is the argument's."""
    size = len(prompt.encode("utf-8", "surrogatepass"))
    if size > config.max_prompt_bytes:
        raise BadArgument(
            f"`{name}` has {size:,} bytes; at most {config.max_prompt_bytes:,} are taken "
            "(GEMINI_MCP_MAX_PROMPT_BYTES). Shorten it, or ask in parts."
        )


def check_model(model: str, aliases: str = "fast, pro, lite") -> None:
    """Raises BadArgument for what cannot be a model's id; `aliases` are named instead."""
    if len(model) > MODEL_CHARS or not model.isprintable():
        raise BadArgument(
            f"`model` must be the id of a model, one line of at most {MODEL_CHARS} characters. "
            f"Leave it out for the default, or use an alias: {aliases}."
        )
    if model_catalog.is_agent(model):
        is_research = "deep-research" in model.lower()
        way = "Use start_deep_research for it." if is_research else "No tool here runs it yet."
        raise BadArgument(f"`model`: {model.strip()} is an agent, not a model. {way}")
