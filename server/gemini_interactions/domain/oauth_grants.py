"""OAuth grants: what somebody who signed in has allowed a client to do here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

TokenKind = Literal["code", "access", "refresh"]
Exchange = Literal["done", "unknown", "reused"]


@dataclass(frozen=True, slots=True)
class Client:
    """`metadata` is the JSON it registered with, or that was found at its address."""

    id: str
    metadata: str
    created: float


@dataclass(frozen=True, slots=True)
class Grant:
    """What somebody allowed a client to do; `credential` is the hash of what proved who it was."""

    id: str
    owner: str
    credential: str
    client_id: str
    client_name: str
    resource: str
    scopes: str
    created: float
    used: float


@dataclass(frozen=True, slots=True)
class Token:
    """One token as it is kept. `data` is what a code has to be checked against, as JSON."""

    hash: str
    kind: TokenKind
    grant_id: str
    expires: float
    data: str = ""


class OAuthGrants(Protocol):
    """What is remembered of it. Each method is one transaction; the time is always handed in."""

    async def add_client(self, client: Client, most: int) -> bool:
        """Remembers a client; False where there are too many that nobody has used."""

    async def client(self, id: str, now: float) -> Client | None: ...

    async def keep_document(self, client: Client, until: float) -> None:
        """A metadata document found at a client's own address, good until then."""

    async def add_code(self, grant: Grant, code: Token) -> None:
        """A grant that begins with one code, still to be exchanged."""

    async def token(self, hash: str, kind: TokenKind) -> tuple[Token, Grant] | None:
        """A token and what it is of, expired and exchanged ones included."""

    async def exchange(
        self, hash: str, kind: TokenKind, new: Sequence[Token], now: float
    ) -> Exchange:
        """Uses a token up and adds those it is exchanged for. A second use ends its grant."""

    async def grants(self, owner: str | None) -> list[Grant]:
        """Newest first; those of everybody without an owner."""

    async def living(self, grant_ids: Sequence[str]) -> frozenset[str]:
        """Those of them that there are."""

    async def revoke(self, grant_id: str) -> bool:
        """Ends a grant and every token of it; whether there was one."""

    async def count(self, kind: str, who: str, hour: int) -> int:
        """Counts one more of a kind in this hour; how many that makes."""

    async def counted(self, kind: str, who: str, hour: int) -> int: ...

    async def tidy(self, now: float) -> None:
        """Deletes what has run out."""
