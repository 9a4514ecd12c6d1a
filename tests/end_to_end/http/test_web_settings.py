"""The settings that only HTTP has: what they may be, and where they are offered."""

from __future__ import annotations

import pytest

from gemini_interactions.cli.command_line import main
from gemini_interactions.config.setting_table import OFFERED, BadSetting
from gemini_interactions.config.settings import Config


@pytest.mark.parametrize(
    ("name", "said", "meant"),
    [
        ("allowed_hosts", "MCP.example.com, 10.0.0.5:8000 [::1]:*", 3),
        ("allowed_hosts", "*", 1),
        ("allowed_origins", "https://App.example.com,http://localhost:3000", 2),
        ("allowed_origins", "vscode-webview://abc *", 2),
    ],
)
def test_lists_are_of_names_in_any_case(name: str, said: str, meant: int) -> None:
    read = getattr(Config.read({}, {name: said}), name)

    assert len(read) == meant
    assert all(each == each.lower() for each in read)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("allowed_hosts", "https://mcp.example.com"),
        ("allowed_hosts", "mcp.example.com/mcp"),
        ("allowed_hosts", "*.example.com"),
        ("allowed_hosts", "me@example.com"),
        ("allowed_origins", "app.example.com"),
        ("allowed_origins", "https://app.example.com/"),
        ("allowed_origins", "https://app.example.com:*"),
        ("allowed_origins", "null"),
        ("public_url", "mcp.example.com"),
        ("public_url", "https://me:secret@mcp.example.com"),
        ("rate_limit", "-1"),
        ("rate_limit", "many"),
        ("max_body_bytes", "0"),
        ("stateless", "maybe"),
        ("tokens_file", "${HOME}/tokens"),
    ],
)
def test_what_they_cannot_be_is_refused_by_name(name: str, said: str) -> None:
    with pytest.raises(BadSetting, match=f"^GEMINI_MCP_{name.upper()} .* must be ") as refused:
        Config.read({}, {name: said})

    assert "secret" not in str(refused.value)


def test_they_are_flags_of_the_command_that_serves_over_http_and_of_no_other(
    capsys: pytest.CaptureFixture[str],
) -> None:
    only = {each.flag for each in OFFERED if each.scope == "http"}

    offered = {}
    for command in ([], ["serve"]):
        with pytest.raises(SystemExit):
            main([*command, "--help"])
        offered[tuple(command)] = only & set(capsys.readouterr().out.split())

    assert offered == {(): set(), ("serve",): only}
