"""What went wrong on the way to Google or there, told as one of our errors.

The SDK's exceptions come from a private module and from whatever HTTP library it uses, so
they are known by what they carry (a status, a body, a cause) and by their names.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from gemini_interactions.domain.errors import (
    ConnectionLost,
    Garbled,
    Gone,
    RateLimited,
    Refused,
    Rejected,
    TimedOut,
    Unavailable,
    Unreachable,
    UpstreamError,
    WrongKey,
)
from gemini_interactions.domain.unicode_repair import replace_lone_surrogates

log = logging.getLogger(__name__)

_NEVER_SENT = frozenset(
    {
        "ConnectError",
        "ConnectTimeout",
        "PoolTimeout",
        "ProxyError",
        "UnsupportedProtocol",
        "LocalProtocolError",
        "InvalidURL",
        "ClientConnectorError",
    }
)
_TIMEOUTS = frozenset({"TimeoutException", "APITimeoutError", "TimeoutError"})
_BROKEN = frozenset({"HTTPError", "StreamError", "APIConnectionError", "ClientError", "OSError"})
_BAD_KEY = re.compile(r"API_KEY_INVALID|api[ _]key (not valid|expired|not found)", re.IGNORECASE)
_NO_MODEL = re.compile(r"model_not_found|\bmodels?\b.{0,80}\b(not found|not exist)", re.IGNORECASE)


@contextmanager
def told() -> Iterator[None]:
    """Around a call of the SDK: whatever it raises becomes one of ours."""
    try:
        yield
    except (UpstreamError, Refused):
        raise
    except Exception as error:
        # `from None`: what the SDK says may quote the request, and so the prompt.
        raise upstream(error) from None


def upstream(error: BaseException) -> UpstreamError:
    """What an exception of the SDK means."""
    chain = list(_chain(error))
    for one in chain:
        if status := _status(one):
            return answered(status, _body(one), _headers(one))
    names = {kind.__name__ for one in chain for kind in type(one).__mro__}
    if names & _NEVER_SENT:
        return Unreachable()
    if names & _TIMEOUTS:
        return TimedOut()
    if any(type(one).__module__.startswith("google.auth") for one in chain):
        return Unreachable() if "TransportError" in names else WrongKey()
    if names & {"ValueError", "TypeError"}:
        return Rejected("The request is not in a form the Interactions API takes.")
    if not names & _BROKEN:
        log.warning("google-genai raised an unexpected %s", type(error).__name__)
    return ConnectionLost()


def answered(status: int, body: object, headers: Mapping[str, str]) -> UpstreamError:
    """What an HTTP answer that is no success means."""
    error = _error_object(body)
    said = (
        replace_lone_surrogates(error["message"]) if isinstance(error.get("message"), str) else ""
    )
    given = error.get("code")
    code = given if isinstance(given, str) else str(error.get("status") or "")
    everything = json.dumps(error, default=str)
    if status in (401, 403) or (status == 400 and _BAD_KEY.search(everything)):
        return WrongKey(said, status=status, code=code)
    if status == 404:
        no_model = code == "model_not_found" or _NO_MODEL.search(said)
        return Gone(said, status=status, code="model_not_found" if no_model else code)
    if status == 429:
        return RateLimited(said, retry_after=_retry_after(headers, error), status=429, code=code)
    if status in (408, 504):
        return TimedOut(said, status=status, code=code)
    if 400 <= status < 500:
        return Rejected(said, status=status, code=code)
    if status >= 500:
        return Unavailable(said, status=status, code=code)
    return Garbled(said, status=status, code=code)


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    following: BaseException | None = error
    while following is not None and id(following) not in seen:
        seen.add(id(following))
        yield following
        following = following.__cause__


def _status(error: BaseException) -> int:
    for name in ("status_code", "code"):
        status = getattr(error, name, None)
        if isinstance(status, int) and 100 <= status <= 599:
            return status
    return 0


def _body(error: BaseException) -> object:
    body = getattr(error, "body", None)
    return getattr(error, "details", None) if body is None else body


def _headers(error: BaseException) -> Mapping[str, str]:
    headers = getattr(getattr(error, "response", None), "headers", None)
    return headers if isinstance(headers, Mapping) else {}


def _error_object(body: object) -> Mapping[str, Any]:
    """The object under `error`, whatever it is wrapped in; empty for HTML and the like."""
    if isinstance(body, str):
        try:
            body = json.loads(body)
        except (ValueError, RecursionError):
            return {}
    if isinstance(body, list):
        body = body[0] if body else {}
    if not isinstance(body, Mapping):
        return {}
    error = body.get("error", body)
    if isinstance(error, str):
        return {"message": error}
    return error if isinstance(error, Mapping) else {}


def _retry_after(headers: Mapping[str, str], error: Mapping[str, Any]) -> float | None:
    """How long Google wants us to wait, in seconds."""
    lower = {name.lower(): value for name, value in headers.items()}
    if (wait := _seconds(lower.get("retry-after-ms"))) is not None:
        return wait / 1000
    after = lower.get("retry-after", "")
    if (wait := _seconds(after)) is not None:
        return wait
    try:
        return max(0.0, (parsedate_to_datetime(after) - datetime.now(UTC)).total_seconds())
    except (TypeError, ValueError):
        pass
    details = error.get("details")
    for detail in details if isinstance(details, list) else ():
        if isinstance(detail, Mapping) and isinstance(delay := detail.get("retryDelay"), str):
            return _seconds(delay.removesuffix("s"))
    return None


def _seconds(value: str | None) -> float | None:
    return float(value) if value and re.fullmatch(r"\d{1,9}(\.\d{1,9})?", value.strip()) else None
