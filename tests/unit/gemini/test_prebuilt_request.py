"""Creates past the SDK's models say the same as through them."""

from __future__ import annotations

from typing import Any

import pytest

from gemini_emulator import EmulatorControl
from gemini_interactions.domain.types import CreateRequest
from gemini_interactions.gemini import Gemini
from gemini_interactions.gemini.sdk import prebuilt_request

FLASH = "gemini-3.8-flash"
STEPS: list[dict[str, Any]] = [
    {"type": "user_input", "content": [{"type": "text", "text": "Où est la gare ?"}]},
    {"type": "model_output", "content": [{"type": "text", "text": "Là-bas. 🚉"}]},
    {"type": "user_input", "content": [{"type": "text", "text": "Merci."}]},
]
SHAPES = {
    "a prompt": CreateRequest(input="Hello", model=FLASH),
    "text in any script": CreateRequest(input="¿Dónde? 駅 🚉 \u2028", model=FLASH),
    "contents": CreateRequest(input=[{"type": "text", "text": "Hello"}], model=FLASH),
    "steps": CreateRequest(input=STEPS, model=FLASH, store=False),
    "settings": CreateRequest(
        input="Hello",
        model=FLASH,
        system_instruction="Be brief.",
        thinking="low",
        service_tier="standard",
        response_format={
            "type": "text",
            "mime_type": "application/json",
            "schema": {"type": "object"},
        },
    ),
    "tools": CreateRequest(input="Hello", model=FLASH, tools=({"type": "google_search"},)),
    "tools and steps": CreateRequest(
        input=STEPS, model=FLASH, store=False, tools=({"type": "url_context"},)
    ),
    "a background run": CreateRequest(
        input="Hello",
        agent="deep-research-preview-04-2026",
        agent_config={"type": "deep-research"},
        background=True,
    ),
}


@pytest.mark.parametrize("call", SHAPES.values(), ids=SHAPES)
async def test_a_prebuilt_request_says_what_the_models_would(
    gemini: Gemini, control: EmulatorControl, call: CreateRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    await gemini.create(call)
    prebuilt = control.posts[-1]
    monkeypatch.setattr(prebuilt_request, "past_models", lambda named: None)

    await gemini.create(call)

    assert prebuilt.body == control.posts[-1].body


async def test_another_sdk_is_used_in_its_ordinary_way(
    gemini: Gemini, control: EmulatorControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prebuilt_request, "_request", lambda *_: None)
    control.answer_when("Hello", "Hi.")

    reply = await gemini.create(SHAPES["a prompt"])

    assert reply.status == "completed"


def test_long_texts_that_escapes_would_double_go_the_ordinary_way() -> None:
    assert prebuilt_request.past_models({"input": "駅" * 300_000, "model": FLASH}) is None
    assert prebuilt_request.past_models({"input": "x" * 300_000, "model": FLASH}) is not None
