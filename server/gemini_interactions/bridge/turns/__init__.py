"""Turns: submission, execution, recovery, and what is sent upstream."""
