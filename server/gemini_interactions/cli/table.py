"""Tables on a terminal."""

from __future__ import annotations

from collections.abc import Sequence


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines with columns as wide as their widest value, each value on one line."""
    plain = [[" ".join(value.split())[:100] for value in row] for row in rows]
    whole = [list(head), *plain]
    widths = [max(len(row[column]) for row in whole) for column in range(len(head))]
    return [
        "  ".join(value.ljust(width) for value, width in zip(row, widths, strict=True)).rstrip()
        for row in whole
    ]
