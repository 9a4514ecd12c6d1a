"""Databases: SQLite and PostgreSQL behind one interface, their schema, and transactions on them."""
