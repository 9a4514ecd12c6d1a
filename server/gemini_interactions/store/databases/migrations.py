"""Schema migrations: numbered, append-only, the same SQL for both databases.

Never change an entry that was released: add the next one. Statements end with a semicolon
and contain no other. Times are epoch seconds, JSON is TEXT, truth is 0 or 1. In `turns`
the long columns come last: SQLite walks through the ones before to read the ones behind.
"""

from __future__ import annotations

from collections.abc import Sequence

from .database import Database, StoreError, Transaction, run

MIGRATIONS: list[str] = [
    """
    CREATE TABLE conversations (
        id TEXT PRIMARY KEY,
        owner TEXT NOT NULL,
        created DOUBLE PRECISION NOT NULL,
        updated DOUBLE PRECISION NOT NULL,
        newest INTEGER NOT NULL,
        stored INTEGER NOT NULL
    );
    CREATE INDEX conversations_by_owner ON conversations (owner, updated, id);
    CREATE INDEX conversations_by_age ON conversations (updated);

    CREATE TABLE turns (
        conversation_id TEXT NOT NULL,
        n INTEGER NOT NULL,
        owner TEXT NOT NULL,
        kind TEXT NOT NULL,
        status TEXT NOT NULL,
        parent INTEGER,
        chained INTEGER,
        interaction_id TEXT NOT NULL,
        created DOUBLE PRECISION NOT NULL,
        sent DOUBLE PRECISION,
        finished DOUBLE PRECISION,
        lease_holder TEXT NOT NULL,
        lease_until DOUBLE PRECISION NOT NULL,
        session TEXT NOT NULL,
        fingerprint TEXT NOT NULL,
        delivery TEXT NOT NULL,
        owed DOUBLE PRECISION,
        model TEXT NOT NULL,
        usage TEXT,
        error TEXT,
        settings TEXT NOT NULL,
        notes TEXT NOT NULL,
        extra TEXT NOT NULL,
        prompt TEXT NOT NULL,
        input TEXT,
        text TEXT NOT NULL,
        steps TEXT NOT NULL,
        PRIMARY KEY (conversation_id, n)
    );
    CREATE INDEX turns_by_interaction ON turns (owner, interaction_id);
    CREATE INDEX turns_by_fingerprint ON turns (owner, fingerprint, created);
    CREATE INDEX turns_by_session ON turns (owner, session, finished);
    CREATE INDEX turns_by_lease ON turns (lease_until) WHERE status = 'running';
    CREATE INDEX turns_by_holder ON turns (lease_holder) WHERE status = 'running';

    CREATE TABLE words (
        conversation_id TEXT NOT NULL,
        n INTEGER NOT NULL,
        owner TEXT NOT NULL,
        prompt TEXT NOT NULL,
        answer TEXT NOT NULL,
        PRIMARY KEY (conversation_id, n)
    );

    CREATE TABLE sessions (
        owner TEXT NOT NULL,
        session TEXT NOT NULL,
        conversation_id TEXT NOT NULL,
        research_id TEXT NOT NULL,
        updated DOUBLE PRECISION NOT NULL,
        PRIMARY KEY (owner, session)
    );
    CREATE INDEX sessions_by_age ON sessions (updated);

    CREATE TABLE known_names (
        owner TEXT NOT NULL,
        name TEXT NOT NULL,
        kind TEXT NOT NULL,
        created DOUBLE PRECISION NOT NULL,
        PRIMARY KEY (owner, name)
    );

    CREATE TABLE usage (
        owner TEXT NOT NULL,
        day TEXT NOT NULL,
        model TEXT NOT NULL,
        calls BIGINT NOT NULL,
        input BIGINT NOT NULL,
        output BIGINT NOT NULL,
        thought BIGINT NOT NULL,
        cached BIGINT NOT NULL,
        tool_use BIGINT NOT NULL,
        total BIGINT NOT NULL,
        usd DOUBLE PRECISION,
        PRIMARY KEY (owner, day, model)
    );
    """,
    """
    CREATE TABLE handles (
        id TEXT PRIMARY KEY,
        owner TEXT NOT NULL,
        kind TEXT NOT NULL,
        conversation_id TEXT NOT NULL,
        n INTEGER NOT NULL,
        created DOUBLE PRECISION NOT NULL,
        facts TEXT NOT NULL
    );
    CREATE INDEX handles_by_owner ON handles (owner, kind, created, id);
    CREATE INDEX handles_by_turn ON handles (conversation_id, n);

    CREATE TABLE uploads (
        owner TEXT NOT NULL,
        hash TEXT NOT NULL,
        name TEXT NOT NULL,
        uri TEXT NOT NULL,
        mime_type TEXT NOT NULL,
        until DOUBLE PRECISION NOT NULL,
        PRIMARY KEY (owner, hash)
    );
    """,
    """
    CREATE TABLE oauth_clients (
        id TEXT PRIMARY KEY,
        metadata TEXT NOT NULL,
        created DOUBLE PRECISION NOT NULL,
        until DOUBLE PRECISION
    );
    CREATE INDEX oauth_clients_by_age ON oauth_clients (until);

    CREATE TABLE oauth_grants (
        id TEXT PRIMARY KEY,
        owner TEXT NOT NULL,
        credential TEXT NOT NULL,
        client_id TEXT NOT NULL,
        client_name TEXT NOT NULL,
        resource TEXT NOT NULL,
        scopes TEXT NOT NULL,
        created DOUBLE PRECISION NOT NULL,
        used DOUBLE PRECISION NOT NULL
    );
    CREATE INDEX oauth_grants_by_owner ON oauth_grants (owner, created);

    CREATE TABLE oauth_tokens (
        hash TEXT PRIMARY KEY,
        kind TEXT NOT NULL,
        grant_id TEXT NOT NULL,
        expires DOUBLE PRECISION NOT NULL,
        exchanged INTEGER NOT NULL,
        data TEXT NOT NULL
    );
    CREATE INDEX oauth_tokens_by_grant ON oauth_tokens (grant_id);
    CREATE INDEX oauth_tokens_by_age ON oauth_tokens (expires);

    CREATE TABLE oauth_attempts (
        kind TEXT NOT NULL,
        who TEXT NOT NULL,
        hour BIGINT NOT NULL,
        n INTEGER NOT NULL,
        PRIMARY KEY (kind, who, hour)
    );
    """,
    """
    CREATE TABLE reservations (
        conversation_id TEXT NOT NULL,
        n INTEGER NOT NULL,
        owner TEXT NOT NULL,
        day TEXT NOT NULL,
        model TEXT NOT NULL,
        tokens BIGINT NOT NULL,
        usd DOUBLE PRECISION NOT NULL,
        sent INTEGER NOT NULL,
        PRIMARY KEY (conversation_id, n)
    );
    CREATE INDEX reservations_by_owner ON reservations (owner, day);

    CREATE TABLE budget_locks (
        owner TEXT PRIMARY KEY
    );

    ALTER TABLE usage ADD COLUMN estimated BIGINT NOT NULL DEFAULT 0;
    ALTER TABLE turns ADD COLUMN lease_seconds DOUBLE PRECISION NOT NULL DEFAULT 0;
    """,
    """
    ALTER TABLE turns ADD COLUMN task TEXT NOT NULL DEFAULT '';
    """,
    """
    CREATE TABLE environments (
        owner TEXT NOT NULL,
        id TEXT NOT NULL,
        conversation_id TEXT NOT NULL,
        created DOUBLE PRECISION NOT NULL,
        used DOUBLE PRECISION NOT NULL,
        has_files INTEGER NOT NULL,
        PRIMARY KEY (owner, id)
    );
    CREATE INDEX environments_by_conversation ON environments (conversation_id);
    CREATE INDEX environments_by_age ON environments (used);
    CREATE INDEX turns_of_agents ON turns (owner, created) WHERE kind = 'agent';

    CREATE TABLE file_search_stores (
        name TEXT PRIMARY KEY,
        short_name TEXT NOT NULL UNIQUE,
        created DOUBLE PRECISION NOT NULL,
        used DOUBLE PRECISION NOT NULL
    );
    CREATE TABLE file_search_documents (
        store TEXT NOT NULL,
        path TEXT NOT NULL,
        hash TEXT NOT NULL,
        document TEXT NOT NULL,
        bytes BIGINT NOT NULL,
        created DOUBLE PRECISION NOT NULL,
        PRIMARY KEY (store, path)
    );
    CREATE INDEX known_names_by_name ON known_names (kind, name);
    """,
    """
    CREATE INDEX turns_waiting ON turns (owner, created) WHERE status = 'requires_action';
    """,
    """
    CREATE TABLE call_counts (
        owner TEXT PRIMARY KEY,
        n BIGINT NOT NULL
    );
    CREATE TABLE calls_made (
        owner TEXT NOT NULL,
        n BIGINT NOT NULL,
        at DOUBLE PRECISION NOT NULL,
        PRIMARY KEY (owner, n)
    );
    """,
    """
    CREATE INDEX turns_owed ON turns (owner, fingerprint, created) WHERE delivery = 'owed';
    """,
]


def migrate(database: Database, migrations: Sequence[str] | None = None) -> None:
    """Bring the tables up to this version, all or nothing."""
    scripts = MIGRATIONS if migrations is None else migrations

    def bring_up(t: Transaction) -> None:
        known = database.claim_schema(t)
        if not known:
            t.change("CREATE TABLE schema_version (version INTEGER NOT NULL)")
            t.change("INSERT INTO schema_version (version) VALUES (0)")
        version: int = t.execute("SELECT version FROM schema_version")[0]["version"]
        if version > len(scripts):
            raise StoreError(
                "The database was written by a newer version of gemini-interactions-mcp. "
                "Upgrade this one, or give it another database."
            )
        if version == len(scripts):
            return
        for script in scripts[version:]:
            for statement in filter(str.strip, script.split(";")):
                t.change(statement)
        t.change("UPDATE schema_version SET version = %s", (len(scripts),))

    run(database, bring_up, writes=True)
