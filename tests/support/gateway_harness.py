"""HTTP gateways in this process, and their clients over real sockets."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import httpx2
from anyio.abc import SocketStream, TaskStatus
from mcp.client import Client
from mcp.client.extension import ClientExtension
from mcp.client.streamable_http import streamable_http_client
from mcp_types import Implementation

from gemini_interactions.app import App
from gemini_interactions.config.settings import Config
from gemini_interactions.mcp_server.transports.http.asgi_app import Address, Gateway, tokens_for
from tests.support.app_harness import AppHarness, McpClient
from tests.support.http_client import HttpClient
from tests.support.protocol import ACCEPT


@dataclass
class RunningGateway:
    """One gateway that is being served."""

    gateway: Gateway
    ended: anyio.Event = field(default_factory=anyio.Event)

    @property
    def url(self) -> str:
        return f"{self.gateway.url}/mcp"

    @property
    def port(self) -> int:
        return int(self.gateway.url.rpartition(":")[2])

    async def stop(self) -> None:
        self.gateway.stop()
        await self.ended.wait()


class GatewayHarness:
    """Opens gateways and brings clients to the latest of them."""

    def __init__(self, harness: AppHarness) -> None:
        self.harness = harness
        self.all: list[RunningGateway] = []
        self._clients: list[McpClient] = []
        self._raw: list[httpx2.AsyncClient] = []

    @property
    def latest(self) -> RunningGateway:
        return self.all[-1]

    @property
    def url(self) -> str:
        return self.latest.url

    async def open(
        self, *, tokens: Mapping[str, str] | None = None, host: str = "127.0.0.1", **changes: Any
    ) -> RunningGateway:
        """A gateway; `tokens` are owners by their token, `changes` fields of `Config`."""
        if tokens is not None:
            changes["tokens_file"] = self.write_tokens(tokens)
        config = replace(Config.read(os.environ), **changes)
        address = Address.read(f"{host}:0")
        gateway = Gateway(
            config,
            address.listen(),
            name=address.name,
            tokens=tokens_for(config, address),
            make=partial(App, now=self.harness.clock),
        )
        running = RunningGateway(gateway)
        await self.harness.tasks.start(self._serve, running)
        self.all.append(running)
        return running

    async def _serve(self, running: RunningGateway, *, task_status: TaskStatus[None]) -> None:
        try:
            await running.gateway.serve(task_status=task_status)
        finally:
            running.ended.set()

    def write_tokens(self, tokens: Mapping[str, str]) -> Path:
        file = self.harness.folder.parent / "tokens"
        lines = [
            f"{owner}:{hashlib.sha256(token.encode()).hexdigest()}\n"
            for token, owner in tokens.items()
        ]
        file.write_text("".join(lines))
        return file

    async def connect(
        self,
        *,
        legacy: bool = False,
        token: str = "",
        name: str = "claude-code",
        running: RunningGateway | None = None,
        extensions: Sequence[ClientExtension] = (),
    ) -> McpClient:
        """A real client of the latest gateway (or of `running`)."""
        running = running or self.latest
        client: McpClient = await self.harness.tasks.start(
            self._host, running, legacy, token, name, extensions
        )
        self._clients.append(client)
        return client

    async def _host(
        self,
        running: RunningGateway,
        legacy: bool,
        token: str,
        name: str,
        extensions: Sequence[ClientExtension],
        *,
        task_status: TaskStatus[McpClient],
    ) -> None:
        client = None
        headers = {"authorization": f"Bearer {token}"} if token else {}
        try:
            async with AsyncExitStack() as stack:
                http = await stack.enter_async_context(
                    httpx2.AsyncClient(headers=headers, timeout=60, trust_env=False)
                )
                sdk_client = await stack.enter_async_context(
                    Client(
                        streamable_http_client(running.url, http_client=http),
                        mode="legacy" if legacy else "auto",
                        client_info=Implementation(name=name, version="1"),
                        extensions=extensions,
                    )
                )
                client = McpClient(sdk_client, running.gateway.app)
                task_status.started(client)
                await client.until_disconnected()
        finally:
            if client is not None:
                client.mark_closed()

    def raw(self, **headers: str) -> httpx2.AsyncClient:
        """For what no real client would send."""
        return httpx2.AsyncClient(
            base_url=self.latest.gateway.url,
            headers={"accept": ACCEPT, **headers},
            timeout=60,
            trust_env=False,
        )

    async def raw_client(self, *, legacy: bool, token: str = "") -> HttpClient:
        """A client by hand of the latest gateway."""
        http = self.raw(**({"authorization": f"Bearer {token}"} if token else {}))
        self._raw.append(http)
        return await HttpClient.connect(http, legacy=legacy)

    async def socket(self) -> SocketStream:
        """For what is not even HTTP."""
        return await anyio.connect_tcp("127.0.0.1", self.latest.port)

    async def close(self) -> None:
        with anyio.CancelScope(shield=True):
            for client in self._clients:
                await client.disconnect()
            for http in self._raw:
                await http.aclose()
            for running in self.all:
                running.gateway.stop()
                await running.stop()
