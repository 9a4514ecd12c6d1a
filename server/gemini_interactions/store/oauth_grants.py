"""What was signed in: OAuth clients, what they were granted, and the tokens of it, hashed.

Whoever reads these rows can neither come in with them nor tell a token from them: a token is
kept as its SHA-256, and so is what it was granted with.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from ..domain.oauth_grants import Client, Exchange, Grant, Token, TokenKind
from .databases.database import Row, Transaction

P = ParamSpec("P")
T = TypeVar("T")

UNUSED_SECONDS = 86_400.0
"""How long a registered client is kept that nobody has signed in with."""


class Work(Protocol):
    """Runs a function in a transaction, in a thread."""

    async def __call__(
        self,
        work: Callable[Concatenate[Transaction, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T: ...


class OAuthGrantRepository:
    """`domain.oauth_grants.OAuthGrants`, which says what each method does."""

    def __init__(self, read: Work, write: Work) -> None:
        self._read = read
        self._write = write

    async def add_client(self, client: Client, most: int) -> bool:
        return await self._write(_add_client, client, most)

    async def client(self, id: str, now: float) -> Client | None:
        return await self._read(_client, id, now)

    async def keep_document(self, client: Client, until: float) -> None:
        await self._write(_keep_document, client, until)

    async def add_code(self, grant: Grant, code: Token) -> None:
        await self._write(_add_code, grant, code)

    async def token(self, hash: str, kind: TokenKind) -> tuple[Token, Grant] | None:
        return await self._read(_token, hash, kind)

    async def exchange(
        self, hash: str, kind: TokenKind, new: Sequence[Token], now: float
    ) -> Exchange:
        return await self._write(_exchange, hash, kind, new, now)

    async def grants(self, owner: str | None) -> list[Grant]:
        return await self._read(_grants, owner)

    async def living(self, grant_ids: Sequence[str]) -> frozenset[str]:
        return await self._read(_living, grant_ids)

    async def revoke(self, grant_id: str) -> bool:
        return await self._write(_revoke, grant_id)

    async def count(self, kind: str, who: str, hour: int) -> int:
        return await self._write(_count, kind, who, hour)

    async def counted(self, kind: str, who: str, hour: int) -> int:
        return await self._read(_counted, kind, who, hour)

    async def tidy(self, now: float) -> None:
        await self._write(_tidy, now)


def _add_client(t: Transaction, client: Client, most: int) -> bool:
    t.change("DELETE FROM oauth_clients WHERE until IS NOT NULL AND until < %s", (client.created,))
    if t.execute("SELECT COUNT(*) AS n FROM oauth_clients WHERE until IS NOT NULL")[0]["n"] >= most:
        return False
    _put_client(t, client, client.created + UNUSED_SECONDS)
    return True


def _keep_document(t: Transaction, client: Client, until: float) -> None:
    t.change("DELETE FROM oauth_clients WHERE id = %s", (client.id,))
    _put_client(t, client, until)


def _put_client(t: Transaction, client: Client, until: float) -> None:
    t.change(
        "INSERT INTO oauth_clients (id, metadata, created, until) VALUES (%s, %s, %s, %s) "
        "ON CONFLICT (id) DO NOTHING",
        (client.id, client.metadata, client.created, until),
    )


def _client(t: Transaction, id: str, now: float) -> Client | None:
    found = t.execute(
        "SELECT id, metadata, created FROM oauth_clients "
        "WHERE id = %s AND (until IS NULL OR until > %s)",
        (id, now),
    )
    return Client(found[0]["id"], found[0]["metadata"], found[0]["created"]) if found else None


def _add_code(t: Transaction, grant: Grant, code: Token) -> None:
    t.change(
        "INSERT INTO oauth_grants (id, owner, credential, client_id, client_name, resource, "
        "scopes, created, used) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
        (
            *(grant.id, grant.owner, grant.credential, grant.client_id, grant.client_name),
            *(grant.resource, grant.scopes, grant.created, grant.used),
        ),
    )
    _add_token(t, code)


def _add_token(t: Transaction, token: Token) -> None:
    t.change(
        "INSERT INTO oauth_tokens (hash, kind, grant_id, expires, exchanged, data) "
        "VALUES (%s, %s, %s, %s, 0, %s)",
        (token.hash, token.kind, token.grant_id, token.expires, token.data),
    )


def _token(t: Transaction, hash: str, kind: TokenKind) -> tuple[Token, Grant] | None:
    found = t.execute(
        "SELECT k.hash, k.kind, k.grant_id, k.expires, k.data, g.owner, g.credential, "
        "g.client_id, g.client_name, g.resource, g.scopes, g.created, g.used "
        "FROM oauth_tokens k JOIN oauth_grants g ON g.id = k.grant_id "
        "WHERE k.hash = %s AND k.kind = %s",
        (hash, kind),
    )
    if not found:
        return None
    row = found[0]
    token = Token(row["hash"], row["kind"], row["grant_id"], row["expires"], row["data"])
    return token, _grant({**row, "id": row["grant_id"]})


def _exchange(
    t: Transaction, hash: str, kind: TokenKind, new: Sequence[Token], now: float
) -> Exchange:
    # PostgreSQL looks at the row again after waiting for another replica's exchange: of two
    # at once exactly one changes it.
    taken = t.change(
        "UPDATE oauth_tokens SET exchanged = 1 WHERE hash = %s AND kind = %s AND exchanged = 0",
        (hash, kind),
    )
    found = t.execute("SELECT grant_id FROM oauth_tokens WHERE hash = %s", (hash,))
    if not found:
        return "unknown"
    grant_id = found[0]["grant_id"]
    if not taken:
        _revoke(t, grant_id)
        return "reused"
    for token in new:
        _add_token(t, token)
    t.change("UPDATE oauth_grants SET used = %s WHERE id = %s", (now, grant_id))
    # A client that somebody has signed in with stays; a document at an address is a cache.
    t.change(
        "UPDATE oauth_clients SET until = NULL WHERE id NOT LIKE 'https://%%' AND id = "
        "(SELECT client_id FROM oauth_grants WHERE id = %s)",
        (grant_id,),
    )
    return "done"


def _grants(t: Transaction, owner: str | None) -> list[Grant]:
    # One whose code nobody has exchanged yet is not there to be listed.
    where, values = ("AND owner = %s ", (owner,)) if owner is not None else ("", ())
    found = t.execute(
        "SELECT id, owner, credential, client_id, client_name, resource, scopes, created, used "  # noqa: S608 - one of two fixed texts
        f"FROM oauth_grants WHERE used > 0 {where}ORDER BY created DESC, id",
        values,
    )
    return [_grant(row) for row in found]


def _grant(row: Row | dict[str, Any]) -> Grant:
    return Grant(**{name: row[name] for name in Grant.__dataclass_fields__})


def _living(t: Transaction, grant_ids: Sequence[str]) -> frozenset[str]:
    # A few at a time: one for each app that somebody calls by right now.
    return frozenset(
        id for id in grant_ids if t.execute("SELECT 1 AS n FROM oauth_grants WHERE id = %s", (id,))
    )


def _revoke(t: Transaction, grant_id: str) -> bool:
    t.change("DELETE FROM oauth_tokens WHERE grant_id = %s", (grant_id,))
    return t.change("DELETE FROM oauth_grants WHERE id = %s", (grant_id,)) > 0


def _count(t: Transaction, kind: str, who: str, hour: int) -> int:
    t.change(
        "INSERT INTO oauth_attempts (kind, who, hour, n) VALUES (%s, %s, %s, 1) "
        "ON CONFLICT (kind, who, hour) DO UPDATE SET n = oauth_attempts.n + 1",
        (kind, who, hour),
    )
    return _counted(t, kind, who, hour)


def _counted(t: Transaction, kind: str, who: str, hour: int) -> int:
    found = t.execute(
        "SELECT n FROM oauth_attempts WHERE kind = %s AND who = %s AND hour = %s",
        (kind, who, hour),
    )
    return int(found[0]["n"]) if found else 0


def _tidy(t: Transaction, now: float) -> None:
    t.change("DELETE FROM oauth_attempts WHERE hour < %s", (int(now // 3600) - 1,))
    t.change("DELETE FROM oauth_clients WHERE until IS NOT NULL AND until < %s", (now,))
    # A code that is used again an hour later still ends what it was exchanged for.
    t.change("DELETE FROM oauth_tokens WHERE expires < %s", (now - 3600,))
    t.change(
        "DELETE FROM oauth_grants WHERE NOT EXISTS "
        "(SELECT 1 FROM oauth_tokens k WHERE k.grant_id = oauth_grants.id)"
    )
