"""Values as people and hosts write them: unfilled placeholders, addresses with a version."""

from __future__ import annotations

import re
from typing import Any

# What hosts hand on when they did not fill it in: ${NAME}, $NAME, %NAME%, {{name}}, <name>.
_PLACEHOLDER = re.compile(r"\$\{[^}]*\}|\$[A-Za-z_]\w*|%[A-Za-z_]\w*%|\{\{[^}]*\}\}|<[^<>]*>")

# A base address that names the version of the API, and perhaps what comes behind it.
_VERSIONED = re.compile(
    r"(?P<address>https?://.+?)/(?P<version>v\d+(?:alpha|beta)?\d*)(?:/(?:interactions|models|openai))?"
)


def given(value: str | None) -> str:
    """The value somebody really gave, or "" for none, blank or an unfilled placeholder."""
    value = (value or "").strip()
    return "" if _PLACEHOLDER.fullmatch(value) else value


def with_version_apart(values: dict[str, Any], *, is_version_given: bool) -> dict[str, Any]:
    """The settings with the version of the API taken off the end of the base address.

    google-genai adds the version to the address, and people paste the address with one.
    """
    versioned = _VERSIONED.fullmatch(values.get("base_url", ""))
    if not versioned:
        return values
    apart = {**values, "base_url": versioned["address"]}
    return apart if is_version_given else {**apart, "api_version": versioned["version"]}
