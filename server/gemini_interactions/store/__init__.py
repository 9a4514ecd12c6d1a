"""The store: conversations, their turns, who runs them, and what was used.

The only package that knows SQL. One SQL text serves both databases: a SQLite file that
several local processes share, and PostgreSQL for replicas.
"""

from .conversations import ConversationSummary, Deleted
from .databases.database import StoreError
from .sessions import Session
from .store import Store
from .usage import Spent

__all__ = ["ConversationSummary", "Deleted", "Session", "Spent", "Store", "StoreError"]
