"""`doctor` for a gateway: signing in, metrics, the audit log, proxies."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import anyio

from ..config.setting_table import BadSetting
from ..config.settings import Config
from .doctor_finding import Finding


def findings(config: Config, is_offline: bool) -> Iterator[Finding]:
    """Only for what is set; nothing where nobody is served over HTTP."""
    if config.oauth_builtin or config.oauth_issuer:
        yield _sign_in(config, is_offline)
    if config.trusted_proxies:
        told = ", ".join(config.trusted_proxies)
        yield Finding("ok", "proxies", f"what {told} says of addresses is believed")
    if config.metrics:
        yield _metrics(config)
    if config.audit_log is not None:
        yield _audit_log(config)


def _sign_in(config: Config, is_offline: bool) -> Finding:
    # This brings mcp along, which no other check needs.
    from ..mcp_server.transports.http.auth.auth_methods import check

    try:
        check(config)
    except BadSetting as bad:
        return Finding("FAIL", "sign-in", str(bad))
    if not config.public_url:
        words = "apps are told to come to the bound address: set GEMINI_MCP_PUBLIC_URL."
        return Finding("note", "sign-in", words)
    if config.oauth_builtin:
        return Finding("ok", "sign-in", f"apps sign in at {config.public_url}/authorize")
    if is_offline:
        return Finding("skip", "sign-in", f"{config.oauth_issuer} was not asked: --offline")
    return anyio.run(_issuer, config)


async def _issuer(config: Config) -> Finding:
    from ..mcp_server.transports.http.auth.issuer_keys import (
        IssuerKeys,
        IssuerUnreachable,
        fetch_json,
    )

    try:
        await IssuerKeys(config.oauth_issuer, fetch_json, time.time).find(None, "RS256")
    except IssuerUnreachable:
        words = "its metadata or keys cannot be read: check GEMINI_MCP_OAUTH_ISSUER."
        return Finding("FAIL", "sign-in", f"{config.oauth_issuer}: {words}")
    audience = config.oauth_audience or f"{config.public_url}/mcp"
    return Finding("ok", "sign-in", f"tokens of {config.oauth_issuer} for {audience}")


def _metrics(config: Config) -> Finding:
    host = config.metrics.rpartition(":")[0].strip("[]")
    is_loopback = host in ("localhost", "::1") or host.startswith("127.")
    if not (is_loopback or config.metrics_open):
        words = "others can reach that address: set GEMINI_MCP_METRICS_OPEN, or use 127.0.0.1."
        return Finding("FAIL", "metrics", f"{config.metrics}: {words}")
    return Finding("ok", "metrics", f"http://{config.metrics}/metrics")


def _audit_log(config: Config) -> Finding:
    file = config.audit_log
    assert file is not None  # noqa: S101  # whoever calls has looked
    place = file if file.exists() else file.parent
    if not os.access(place, os.W_OK):
        return Finding("FAIL", "audit", f"{file} cannot be written to by this user.")
    return Finding("ok", "audit", f"one line a call in {file}")
