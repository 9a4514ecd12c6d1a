"""The stdio server replaced, for tests of the command line that must not become a server."""

from __future__ import annotations

import pytest

from gemini_interactions.config.settings import Config
from gemini_interactions.mcp_server.transports import recorded_handshake, stdio


def replace_stdio_server(monkeypatch: pytest.MonkeyPatch) -> list[Config]:
    """Let nothing read this process's stdin; returns the list of configs it is started with."""
    configs: list[Config] = []

    def serve_stdio(config: Config, handover: object) -> int:
        configs.append(config)
        return 0

    monkeypatch.setattr(recorded_handshake, "answer_while", lambda *_: None)
    monkeypatch.setattr(stdio, "serve_stdio", serve_stdio)
    return configs
