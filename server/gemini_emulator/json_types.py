"""JSON as the API has it: the type of an object, and how a moment is written."""

from datetime import UTC, datetime
from typing import Any

Json = dict[str, Any]


def timestamp(at: datetime, precision: str = "seconds") -> str:
    """RFC 3339 in UTC; `precision` is a `timespec` of `datetime.isoformat`."""
    return at.astimezone(UTC).isoformat(timespec=precision).replace("+00:00", "Z")
