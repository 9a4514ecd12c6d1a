"""Routes: what a method and a path ask for, in either version of the API.

A path with anything before the version, or with another version, is none: Google's front answers
it with a web page, so a base address that already ends in a version can be seen to fail.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

_ROUTE = re.compile(
    r"(?P<before>(?:/upload)?)/(?P<version>v1beta|v1)/(?P<noun>[A-Za-z_]+)(?:/(?P<rest>.*))?"
)

BROKEN = "(not JSON)"


def parsed(data: bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        return BROKEN


def wants_stream(kind: str, body: Any, query: Mapping[str, str]) -> bool:
    if kind == "create":
        return isinstance(body, dict) and body.get("stream") is True
    return kind == "get" and query.get("stream") == "true"


def version(path: str) -> str:
    """The version of the API that a path names; "" where it is no path of the API."""
    match = _ROUTE.fullmatch(path)
    return match["version"] if match else ""


def route(method: str, path: str, query: Mapping[str, str]) -> tuple[str, str, str]:
    """The noun of the path, what follows it, and the kind of request this is."""
    match = _ROUTE.fullmatch(path)
    if not match:
        return "", "", "other"
    noun, rest = match["noun"], match["rest"] or ""
    kind = "other"
    if noun == "interactions":
        if method == "POST":
            kind = "cancel" if rest.endswith("/cancel") else "other" if rest else "create"
        elif rest:
            kind = {"GET": "get", "DELETE": "delete"}.get(method, "other")
    elif noun == "models" and method == "GET":
        kind = "models"
    elif noun == "voices" and method == "GET" and not rest:
        kind = "voices"
    elif noun in ("agents", "environments"):
        kind = noun
    elif noun == "fileSearchStores":
        is_chunk = "upload_id" in query
        kind = "store_chunk" if is_chunk else "stores"
    elif noun == "files":
        kind = _file_kind(method, rest, query, is_upload=match["before"].endswith("/upload"))
    return noun, rest, kind


def _file_kind(method: str, rest: str, query: Mapping[str, str], *, is_upload: bool) -> str:
    if is_upload:
        kind = "chunk" if "upload_id" in query else "upload"
        return kind if method in ("POST", "PUT") else "other"
    if method == "DELETE" and rest:
        return "delete_file"
    if method != "GET":
        return "other"
    if not rest:
        return "files"
    return "download" if rest.endswith(":download") else "file"
