"""Google's sentences, fit to be shown: short, without secrets and links."""

from __future__ import annotations

import re

_SECRETS = re.compile(
    r"AIza[\w-]+|AQ\.[\w-]+|ya29\.[\w.-]+"
    r"|\b(?i:bearer|basic|authorization|token|api[-_ ]?key|secret|password)"
    r"(?:\s*[:=]\s*(?:(?i:bearer|basic)\s+)?|\s+(?=\S*[\d_.~+/=-]\S{6}))[^\s,;'\"]+"
    r"|(?i:key)=[\w.-]+|(?i:bearer)\s+\S+|eyJ[\w-]{6,}\.[\w-]+(?:\.[\w-]*)?|https?://\S+"
)


def quoted(message: str) -> str:
    """Google's sentence, fit to be shown: one line, no keys or links, at most 200 characters."""
    line = _SECRETS.sub("…", " ".join(message.split()))
    return line if len(line) <= 200 else line[:199] + "…"
