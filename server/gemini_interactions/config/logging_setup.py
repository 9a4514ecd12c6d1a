"""Logs: on standard error only, and without a word of what people say or the keys they use.

Our own lines hold neither. What exceptions say may hold both, so it is left out unless the
level is `debug`; what others log is never shown below a warning.
"""

from __future__ import annotations

import logging
import re
import sys
import traceback
from collections.abc import Iterator

OURS = "gemini_interactions"

_SECRETS = re.compile(
    r"AIza[\w-]+|AQ\.[\w-]+|(?i:bearer)\s+[^\s'\"]+|(?i:\bkey)=[\w.-]+"
    r"|(?i:x-goog-api-key)\W{1,4}[\w.-]+"
)
_LINE = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def set_up(level: str) -> None:
    """Log what is at least this important; doing it again replaces the level."""
    root = logging.getLogger()
    for handler in [each for each in root.handlers if isinstance(each, _StandardError)]:
        root.removeHandler(handler)
    handler = _StandardError()
    handler.setFormatter(_Discreet(level == "debug"))
    root.addHandler(handler)
    root.setLevel(logging.ERROR if level == "error" else logging.WARNING)
    logging.getLogger(OURS).setLevel(level.upper())


class _StandardError(logging.Handler):
    """Whatever standard error is at the moment."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            sys.stderr.write(self.format(record) + "\n")
            sys.stderr.flush()
        except Exception:  # the host closed our standard error: nobody is left to tell
            return


class _Discreet(logging.Formatter):
    def __init__(self, tells_all: bool) -> None:
        super().__init__(_LINE)
        self._tells_all = tells_all

    def format(self, record: logging.LogRecord) -> str:
        # A copy: records keep the first handler's text of an exception for all the others.
        record = logging.makeLogRecord(record.__dict__)
        record.exc_text = None
        if record.name == "asyncio" and not self._tells_all:
            # Its first line says what happened, the others show what it happened with.
            record.msg, record.args = record.getMessage().partition("\n")[0], None
        return _SECRETS.sub("…", super().format(record))

    def formatException(self, ei: object) -> str:
        error = ei[1] if isinstance(ei, tuple) else None
        if self._tells_all or not isinstance(error, BaseException):
            return super().formatException(ei)  # type: ignore[arg-type]  # as it was given
        return "".join(_traces(error)).rstrip()


def _traces(error: BaseException) -> Iterator[str]:
    """Where it was raised and what it is, without what it says."""
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if before is not None:
        yield from _traces(before)
        yield "\nwhich led to:\n\n"
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            yield from _traces(each)
    yield from traceback.format_tb(error.__traceback__)
    said = f": {error.strerror}" if isinstance(error, OSError) and error.strerror else ""
    kind = type(error)
    yield f"{kind.__module__}.{kind.__qualname__}{said} (--log-level debug tells more)\n"
