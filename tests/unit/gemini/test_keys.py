"""Whose key is used, and that nobody sees it."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from gemini_emulator import Emulator, EmulatorControl
from gemini_interactions.domain.errors import NoKey, Rejected, WrongKey
from gemini_interactions.domain.types import CreateRequest
from gemini_interactions.gemini import Gemini
from tests.support.raw_http_server import RawHttpServer

FLASH = "gemini-3.8-flash"
HELLO = CreateRequest(input="Hello", model=FLASH)
# Steps and contents mixed: the SDK refuses that, and quotes it.
PRIVATE: list[dict[str, Any]] = [{"type": "text", "text": "private"}, {"type": "user_input"}]


async def test_a_key_set_later_works_without_a_restart(raw_server: RawHttpServer) -> None:
    keys = [""]
    gemini = Gemini(lambda: keys[-1], raw_server.url)
    await gemini.warm()
    with pytest.raises(NoKey):
        await gemini.create(HELLO)
    with pytest.raises(NoKey):
        gemini.require_key()
    for key in ("first", " second\n"):
        keys.append(key)
        raw_server.respond_with(b'{"id": "v1_a", "status": "completed"}')
        await gemini.create(HELLO)
    await gemini.aclose()

    assert [request.headers["x-goog-api-key"] for request in raw_server.requests] == [
        "first",
        "second",
    ]


@pytest.mark.parametrize("key", ["schlüssel", "two words", "two\nlines", "a\x00b"])
async def test_a_key_that_can_be_none_is_never_sent(raw_server: RawHttpServer, key: str) -> None:
    gemini = Gemini(lambda: key, raw_server.url)
    await gemini.warm()

    with pytest.raises(WrongKey):
        await gemini.create(HELLO)

    await gemini.aclose()
    assert raw_server.requests == []


async def test_the_version_and_a_path_before_it_are_kept(raw_server: RawHttpServer) -> None:
    gemini = Gemini(lambda: "k", raw_server.url + "/proxy", api_version="v1beta")
    raw_server.respond_with(b'{"id": "v1_a", "status": "completed"}')

    await gemini.create(HELLO)
    await gemini.aclose()

    assert raw_server.requests[0].line == "POST /proxy/v1beta/interactions HTTP/1.1"


async def test_an_enterprise_without_project_and_credentials_has_no_key(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setenv("GOOGLE_GENAI_USE_VERTEXAI", "true")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "none.json"))
    gemini = Gemini(lambda: "")
    gemini.require_key()

    with pytest.raises(NoKey):
        await gemini.create(HELLO)


async def test_an_enterprise_in_express_mode_uses_our_key(
    monkeypatch: pytest.MonkeyPatch, raw_server: RawHttpServer
) -> None:
    monkeypatch.setenv("GOOGLE_GENAI_USE_ENTERPRISE", "1")
    gemini = Gemini(lambda: "express-key", raw_server.url)
    raw_server.respond_with(b'{"id": "v1_a", "status": "completed"}')

    await gemini.create(HELLO)
    await gemini.aclose()

    assert raw_server.requests[0].line == "POST /v1beta1/interactions HTTP/1.1"
    assert raw_server.requests[0].headers["x-goog-api-key"] == "express-key"


async def test_neither_key_nor_prompt_nor_url_reaches_the_log(
    emulator: Emulator,
    control: EmulatorControl,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GOOGLE_API_KEY", "one")
    monkeypatch.setenv("GEMINI_API_KEY", "two")
    caplog.set_level(logging.DEBUG)
    gemini = Gemini(lambda: "secret-key", emulator.url)

    await gemini.create(CreateRequest(input="a private prompt", model=FLASH))
    with pytest.raises(Rejected):
        await gemini.create(CreateRequest(input=PRIVATE, model=FLASH))
    await gemini.aclose()

    said = caplog.text + "".join(capfd.readouterr())
    assert all(each not in said for each in ("secret-key", "private", "/interactions", "Using"))
