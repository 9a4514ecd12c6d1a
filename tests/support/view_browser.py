"""A host of MCP Apps in a browser: the official AppBridge, fed by a client of our server."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Frame, Page, Route

from gemini_interactions.mcp_server.apps.extension import View
from tests.support.app_harness import McpClient

ROOT = Path(__file__).parents[2]
PACKAGES = ROOT / ".tools" / "node_modules"
HOST = "http://host.test/"
HTML = "<!doctype html><html lang=en><title>host</title><style>iframe{width:100%;border:0}</style>"


@cache
def host_script() -> str:
    """The host's page script with AppBridge in it; skips where `make node-tools` has not run."""
    bundler = PACKAGES / ".bin" / "esbuild"
    if not bundler.exists() or not (PACKAGES / "@modelcontextprotocol" / "ext-apps").exists():
        pytest.skip("needs AppBridge and esbuild (make node-tools)")
    source = ROOT / "tests" / "support" / "view_host.js"
    command = [str(bundler), str(source), "--bundle", "--format=iife", "--log-level=error"]
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=True,
        env={"NODE_PATH": str(PACKAGES), "PATH": "/usr/local/bin:/usr/bin:/bin"},
    ).stdout


class ViewHost:
    """Views opened in a browser, fed by a client of our server."""

    def __init__(self, page: Page, viewer: McpClient) -> None:
        self.page = page
        self.requests: list[str] = []
        """Addresses that anything on the page asked for, but for the host's own."""
        self._viewer = viewer

    async def load(self) -> None:
        await self.page.route("**/*", self._answer)
        await self.page.goto(HOST)
        await self.page.add_script_tag(content=host_script())

    async def open(
        self, view: View, result: Mapping[str, Any], *, theme: str = "light", locale: str = "en"
    ) -> Frame:
        html = (await self._viewer.sdk_client.read_resource(view.uri)).contents[0]
        await self.page.evaluate(
            "([html, context, result]) => openView(html, context, {}, result)",
            [html.model_dump()["text"], {"theme": theme, "locale": locale}, result],
        )
        frame = self.page.frames[-1]
        await frame.wait_for_selector("main:not([aria-busy])")
        return frame

    async def violations(self, frame: Frame) -> list[str]:
        """What axe finds wrong with a view."""
        await frame.evaluate((PACKAGES / "axe-core" / "axe.min.js").read_text("utf-8"))
        found: list[str] = await frame.evaluate(
            "axe.run().then(({ violations }) => violations.map("
            "({ id, nodes }) => `${id}: ${nodes.map((each) => each.html).join(' | ')}`))"
        )
        return found

    async def opened(self) -> list[str]:
        opened: list[str] = await self.page.evaluate("window.seen.opened")
        return opened

    async def called(self) -> list[str]:
        called: list[str] = await self.page.evaluate("window.seen.called.map((each) => each.name)")
        return called

    async def _answer(self, route: Route) -> None:
        url = route.request.url
        if url == HOST:
            await route.fulfill(content_type="text/html", body=HTML)
        elif url == f"{HOST}rpc":
            asked = json.loads(route.request.post_data or "{}")
            await route.fulfill(json=await self._rpc(asked["method"], asked["params"]))
        else:
            self.requests.append(url)
            await route.abort()

    async def _rpc(self, method: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        client = self._viewer.sdk_client
        try:
            if method == "resources/read":
                result: Any = await client.read_resource(params["uri"])
            else:
                result = await client.call_tool(params["name"], dict(params.get("arguments") or {}))
        except Exception as error:
            return {"error": str(error)}
        return {"result": result.model_dump(by_alias=True, mode="json", exclude_none=True)}
