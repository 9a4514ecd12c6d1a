"""Addresses that carry the right to read one thing: for a day, and while what its owner came in
with holds."""

from __future__ import annotations

import os
from functools import cached_property
from typing import Protocol

from .....app import App
from .....components import SIGNING_KEY, links
from ..auth.authenticator import Authenticator


class Links(Protocol):
    """Signs the part of a link that gives the right, and says whose a signed one is."""

    def ticket(self, owner: str, image_id: str, now: float) -> str: ...
    def owner(self, image_id: str, ticket: str, now: float) -> str | None: ...


class SignedUrlAccess:
    """Makes addresses below `base`, and reads the tickets in them."""

    def __init__(self, app: App, base: str, authenticator: Authenticator | None = None) -> None:
        self._app = app
        self._base = base
        self._authenticator = authenticator

    @cached_property
    def _links(self) -> Links:
        return links(self._app.config)

    def check(self) -> None:
        """Raises where the key cannot be used; one of our own is made when it is needed."""
        if self._app.config.is_shared or os.environ.get(SIGNING_KEY):
            _ = self._links

    def address(self, folder: str, id: str, signed: str, owner: str, credential: str = "") -> str:
        """`signed` is what the ticket is for; it ends with `credential`, which the owner came in
        with."""
        holder = f"{owner}\0{credential}" if credential else owner
        ticket = self._links.ticket(holder, signed, self._app.now())
        return f"{self._base}/{folder}/{id}/{ticket}"

    def owner(self, signed: str, ticket: str) -> str | None:
        """Whose thing a ticket opens, while what it was given out for holds."""
        holder = self._links.owner(signed, ticket, self._app.now())
        owner, _, credential = (holder or "").partition("\0")
        if self._authenticator is not None and credential:
            return owner if self._authenticator.holder(credential) == owner else None
        return owner or None
