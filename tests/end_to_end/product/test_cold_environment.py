"""A process whose environment leads nowhere: it serves, and each call says why."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.server_process import spawn


@pytest.mark.processes
@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("ALL_PROXY", "foo://proxy.invalid:1", "ALL_PROXY names a proxy of a kind"),
        ("SSL_CERT_FILE", "nowhere.pem", "SSL_CERT_FILE names a file of certificates"),
    ],
)
async def test_a_bad_variable_is_named_in_a_process_that_never_called_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, words: str
) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", "made-up-key-for-tests")
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", "https://gemini.invalid")
    monkeypatch.setenv("GEMINI_MCP_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv(variable, value)
    server = await spawn(tmp_path)

    await server.hello()
    said = await server.call("gemini_ask", prompt="Hello.")
    server.hang_up()
    await server.ended()

    assert said.is_error
    assert words in said.text
