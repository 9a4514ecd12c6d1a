"""Vertex AI: google-genai's own variables decide, up to the request that goes out."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import google.auth
import httpx2
import pytest
from google.auth.credentials import Credentials

from gemini_interactions import components
from gemini_interactions.config.settings import Config
from gemini_interactions.domain.types import CreateRequest
from gemini_interactions.gemini import Gemini

HELLO = CreateRequest(input="Hello", model="gemini-3.8-flash")


class FakeCredentials(Credentials):
    """Credentials that need nobody to be valid."""

    def __init__(self) -> None:
        super().__init__()
        self.token = "a-token"

    def refresh(self, request: Any) -> None:
        self.token = "a-token"


@dataclass
class FakeCloud:
    """Takes every request that would leave this machine."""

    asked: list[httpx2.Request] = field(default_factory=list)
    answer: dict[str, Any] = field(default_factory=lambda: {"id": "v1_a", "status": "completed"})

    @property
    def lines(self) -> list[str]:
        return [f"{request.method} {request.url}".split("?")[0] for request in self.asked]


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> FakeCloud:
    cloud = FakeCloud()

    async def take(_transport: Any, request: httpx2.Request) -> httpx2.Response:
        cloud.asked.append(request)
        return httpx2.Response(200, json=cloud.answer)

    monkeypatch.setattr(httpx2.AsyncHTTPTransport, "handle_async_request", take)
    monkeypatch.setattr(google.auth, "default", lambda **_: (FakeCredentials(), "their-project"))
    return cloud


@pytest.mark.parametrize(
    ("location", "host"),
    [("global", "aiplatform"), ("europe-west4", "europe-west4-aiplatform")],
)
async def test_project_and_location_make_the_address_and_credentials_the_proof(
    cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch, location: str, host: str
) -> None:
    monkeypatch.setenv("GOOGLE_GENAI_USE_VERTEXAI", "true")
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "our-project")
    monkeypatch.setenv("GOOGLE_CLOUD_LOCATION", location)
    gemini = Gemini(lambda: "a-key-that-is-not-used")

    await gemini.create(HELLO)
    await gemini.get("v1_a")
    await gemini.cancel("v1_a")
    await gemini.delete("v1_a")
    await gemini.aclose()

    place = f"https://{host}.googleapis.com/v1beta1/projects/our-project/locations/{location}"
    assert cloud.lines == [
        f"POST {place}/interactions",
        f"GET {place}/interactions/v1_a",
        f"POST {place}/interactions/v1_a/cancel",
        f"DELETE {place}/interactions/v1_a",
    ]
    assert {each.headers["authorization"] for each in cloud.asked} == {"Bearer a-token"}
    assert not any("x-goog-api-key" in each.headers for each in cloud.asked)


async def test_the_project_may_come_with_the_credentials(
    cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOOGLE_GENAI_USE_ENTERPRISE", "1")
    gemini = Gemini(lambda: "")

    await gemini.create(HELLO)
    await gemini.aclose()

    assert "/projects/their-project/" in cloud.lines[0]


async def test_models_go_by_their_own_name_there_too(
    cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOOGLE_GENAI_USE_VERTEXAI", "true")
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "our-project")
    monkeypatch.setenv("GOOGLE_CLOUD_LOCATION", "global")
    cloud.answer = {"publisherModels": [{"name": "publishers/google/models/gemini-3.8-flash"}]}
    gemini = Gemini(lambda: "")

    (model,) = await gemini.models()
    await gemini.aclose()

    assert model.id == "gemini-3.8-flash"


async def test_what_a_host_left_unfilled_is_none_of_googles_variables(
    cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("GEMINI_BASE_URL", "GENAI_USE_ENTERPRISE", "CLOUD_PROJECT", "API_KEY"):
        monkeypatch.setenv(f"GOOGLE_{name}", f"${{GOOGLE_{name}}}")
    monkeypatch.setenv("GEMINI_API_KEY", "a-key-that-is-used")
    gemini = components.gemini(Config.read(os.environ, {"data_dir": str(tmp_path)}))

    await gemini.create(HELLO)
    await gemini.aclose()

    assert cloud.lines == ["POST https://generativelanguage.googleapis.com/v1/interactions"]
    assert cloud.asked[0].headers["x-goog-api-key"] == "a-key-that-is-used"
