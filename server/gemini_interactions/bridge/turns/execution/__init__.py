"""Execution of turns: running them under a lease, calling Google, retries and recovery."""
