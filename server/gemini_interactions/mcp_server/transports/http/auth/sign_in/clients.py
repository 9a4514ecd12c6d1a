"""OAuth clients: what they say of themselves, when they register or at an address of their own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from .redirect_uris import is_acceptable

LONGEST_NAME = 80
MOST_REDIRECTS = 20


class BadClient(Exception):
    """What a client says of itself cannot be used; `code` is of RFC 7591, the words for people."""

    def __init__(self, code: str, words: str) -> None:
        super().__init__(words)
        self.code = code
        self.words = words


@dataclass(frozen=True, slots=True)
class OAuthClient:
    """A client as far as signing in goes. All of them are public: none has a secret."""

    id: str
    name: str
    redirect_uris: tuple[str, ...]

    @classmethod
    def of(cls, id: str, metadata: Mapping[str, Any]) -> OAuthClient:
        """From metadata of RFC 7591; raises `BadClient`."""
        uris = metadata.get("redirect_uris")
        if not isinstance(uris, list) or not 0 < len(uris) <= MOST_REDIRECTS:
            raise BadClient(
                "invalid_redirect_uri", f"redirect_uris must be a list of 1 to {MOST_REDIRECTS}."
            )
        for uri in uris:
            if not isinstance(uri, str) or not is_acceptable(uri):
                raise BadClient(
                    "invalid_redirect_uri",
                    "redirect_uris must be https, http on a loopback address, or a scheme of the "
                    "app's own, without a fragment.",
                )
        grants = metadata.get("grant_types") or ["authorization_code"]
        if not isinstance(grants, list) or "authorization_code" not in grants:
            raise BadClient(
                "invalid_client_metadata", "grant_types must include authorization_code."
            )
        kinds = metadata.get("response_types") or ["code"]
        if not isinstance(kinds, list) or "code" not in kinds:
            raise BadClient("invalid_client_metadata", "response_types must include code.")
        return cls(id, _name(metadata), tuple(uris))

    @classmethod
    def read(cls, id: str, metadata: str) -> OAuthClient:
        """From what was stored."""
        return cls.of(id, json.loads(metadata))

    @property
    def host(self) -> str:
        """The host whose document it is, for a client named by its address."""
        return urlsplit(self.id).netloc if is_address(self.id) else ""


def _name(metadata: Mapping[str, Any]) -> str:
    """What it calls itself, on one line and without marks that turn text around."""
    name = metadata.get("client_name")
    if not isinstance(name, str):
        return ""
    printable = "".join(each if each.isprintable() else " " for each in name)
    return " ".join(printable.split())[:LONGEST_NAME]


def is_address(client_id: str) -> bool:
    """Whether a client is named by the address of its metadata document."""
    if not client_id.startswith("https://") or len(client_id) > 500:
        return False
    try:
        parts = urlsplit(client_id)
        _ = parts.port
    except ValueError:
        return False
    segments = parts.path.split("/")
    return bool(
        parts.hostname
        and parts.path not in ("", "/")
        and client_id.isascii()
        and client_id.isprintable()
        and not {" ", "\\", "#", "@", "<", ">", '"'} & set(client_id)
        and not {".", ".."} & set(segments)
    )


def stored(client: OAuthClient) -> str:
    """As it is kept: only what is used here, whatever else was sent along."""
    return json.dumps({"client_name": client.name, "redirect_uris": [*client.redirect_uris]})
