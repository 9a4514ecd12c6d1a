"""Stores of documents that Gemini can search: what is known of them here, and at Google."""

from __future__ import annotations

import re
from dataclasses import dataclass

SHORT_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?")
FULL_NAME = re.compile(r"fileSearchStores/[a-z0-9-]{1,63}")


@dataclass(frozen=True, slots=True)
class KnownStore:
    """A store made here: Google's name of it, and ours. `used` is when it was last filled or
    searched, in epoch seconds."""

    name: str
    short_name: str
    created: float
    used: float


@dataclass(frozen=True, slots=True)
class StoreAtGoogle:
    """A store as Google lists it."""

    name: str
    title: str
    documents: int
    bytes: int


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """A document of a store: Google's name of it, the local path it came from, its SHA-256."""

    name: str
    path: str
    hash: str
