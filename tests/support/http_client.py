"""A client by hand over Streamable HTTP, of one era: whatever ids and headers a test wants."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, Self

import httpx2

from tests.support import protocol
from tests.support.app_harness import ToolResult
from tests.support.jsonrpc_client import tool_result
from tests.support.protocol import ENVELOPE, LEGACY, MODERN, Message


class HttpClient:
    """Unlike `JsonRpcClient` it has no connection: each message is a request with its answer."""

    def __init__(self, http: httpx2.AsyncClient, headers: Mapping[str, str] | None = None) -> None:
        self.http = http
        self.headers = headers or {"mcp-protocol-version": MODERN}
        self.is_legacy = self.headers["mcp-protocol-version"] == LEGACY
        self._ids = itertools.count(101)

    @classmethod
    async def connect(cls, http: httpx2.AsyncClient, *, legacy: bool) -> Self:
        """Shakes hands where the era does."""
        if not legacy:
            return cls(http)
        body = protocol.request("initialize", protocol.initialize(), 0)
        answer = await http.post("/mcp", json=body)
        assert answer.status_code == 200, answer.text
        session = answer.headers.get("mcp-session-id")
        headers = {"mcp-protocol-version": LEGACY} | (
            {"mcp-session-id": session} if session else {}
        )
        body = protocol.notification("notifications/initialized")
        await http.post("/mcp", json=body, headers=headers)
        return cls(http, headers)

    async def request(
        self, method: str, *, headers: Mapping[str, str] | None = None, **params: Any
    ) -> Message:
        """The message that answers; `headers` replace those it should have, an empty one goes."""
        if not self.is_legacy:
            params["_meta"] = params.get("_meta", ENVELOPE)
        answer = await self.http.post(
            "/mcp",
            json=protocol.request(method, params),
            headers=self._headers(method, params, headers or {}),
        )
        return protocol.last_message(answer.text)

    def post(
        self,
        tool: str,
        arguments: dict[str, Any],
        *,
        id: int | str = 1,
        meta: Mapping[str, Any] | None = None,
    ) -> AbstractAsyncContextManager[httpx2.Response]:
        """A call whose answer is read, or not, by the test."""
        params: Message = {"name": tool, "arguments": arguments}
        if told := {**({} if self.is_legacy else ENVELOPE), **(meta or {})}:
            params["_meta"] = told
        body = json.dumps(protocol.request("tools/call", params, id))
        json_type = {"content-type": "application/json"}
        headers = self._headers("tools/call", params, json_type)
        return self.http.stream("POST", "/mcp", content=body, headers=headers)

    async def call(self, tool: str, /, **arguments: Any) -> ToolResult:
        """A call under an id of its own; with `_number` under that, with `_meta` beside it."""
        id = arguments.pop("_number", None) or next(self._ids)
        meta = arguments.pop("_meta", None)
        async with self.post(tool, arguments, id=id, meta=meta) as answer:
            return self.read(await answer.aread())

    async def result(self, id: str, **more: Any) -> ToolResult:
        return await self.call("gemini_result", id=id, **more)

    async def latest(self) -> str:
        """The id of the newest conversation there is."""
        return (await self.call("gemini_history")).text.split()[0]

    @staticmethod
    def read(body: bytes) -> ToolResult:
        """The tool result in an answer."""
        return tool_result(protocol.last_message(body.decode()))

    async def cancel(self, id: int | str, reason: str) -> None:
        params = {"requestId": id, "reason": reason}
        body = protocol.notification("notifications/cancelled", params)
        answer = await self.http.post("/mcp", json=body, headers=self.headers)
        assert answer.status_code == 202

    def _headers(
        self, method: str, params: Mapping[str, Any], changes: Mapping[str, str]
    ) -> dict[str, str]:
        named = {} if self.is_legacy else protocol.http_headers(method, params)
        return {name: each for name, each in {**self.headers, **named, **changes}.items() if each}
