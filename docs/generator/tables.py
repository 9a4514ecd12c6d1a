"""Markdown tables."""

from __future__ import annotations

from collections.abc import Sequence


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(_cell(each) for each in line)} |" for line in lines)


def joined(parts: Sequence[str]) -> str:
    """Parts of a page, an empty line between any two."""
    return "\n\n".join(part.strip("\n") for part in parts if part) + "\n"


def sentence(words: str) -> str:
    """The words with a capital and a full stop."""
    words = " ".join(words.split())
    return words[:1].upper() + words[1:] + ("" if words.endswith((".", "?", "!")) else ".")


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
