"""Error mapping: exceptions of google-genai and HTTP statuses as errors of the domain.

The SDK's exceptions come from a private module and from whatever HTTP library it uses, so
they are known by what they carry (a status, a body, a cause) and by their names.
"""

from __future__ import annotations

import html
import json
import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from gemini_interactions.domain.errors import (
    BadNetworkSetting,
    Blocked,
    ConnectionLost,
    Garbled,
    Gone,
    Intercepted,
    NoCredentials,
    NotPermitted,
    Quota,
    RateLimited,
    Refused,
    Rejected,
    TimedOut,
    Unavailable,
    Unreachable,
    UntrustedCertificate,
    UpstreamError,
    WrongKey,
)
from gemini_interactions.domain.unicode_repair import replace_lone_surrogates

log = logging.getLogger(__name__)

# The status of an error whose code is a word: the Interactions API's and google.rpc's.
_CODES = (
    (401, {"authentication", "unauthenticated"}),
    (403, {"permission_denied"}),
    (404, {"not_found", "model_not_found"}),
    (429, {"too_many_requests", "resource_exhausted", "rate_limit_exceeded"}),
    (500, {"api_error", "internal", "internal_error"}),
    (503, {"service_unavailable", "unavailable", "overloaded"}),
    (504, {"deadline_exceeded"}),
)
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
# What building a client raises because of the environment.
_BAD_SETTINGS = frozenset({"ValueError", "ImportError", "OSError", "SSLError", "InvalidURL"})
_TIMEOUTS = frozenset({"TimeoutException", "APITimeoutError", "TimeoutError"})
_BROKEN = frozenset({"HTTPError", "StreamError", "APIConnectionError", "ClientError", "OSError"})
_BAD_KEY = re.compile(r"API_KEY_INVALID|api[ _]key (not valid|expired|not found)", re.IGNORECASE)
_PAGE = re.compile(r"\s*(<!doctype html|<html|<head|<title|<body)", re.IGNORECASE)
_TITLE = re.compile(r"<(title|h1)[^>]*>(.{1,200}?)</\1", re.IGNORECASE | re.DOTALL)
_CREDIT = re.compile(r"(prepa\w+|prepayment).{0,40}(credit|balance)|credits? .{0,20}deplet", re.I)
_CAP = re.compile(r"spend(ing)?[ _-]?(cap|limit)|budget cap", re.IGNORECASE)
_NO_MODEL = re.compile(r"model_not_found|\bmodels?\b.{0,80}\b(not found|not exist)", re.IGNORECASE)


@contextmanager
def mapped_errors() -> Iterator[None]:
    """Around a call of the SDK: whatever it raises becomes one of ours."""
    try:
        yield
    except (UpstreamError, Refused):
        raise
    except Exception as error:
        # `from None`: what the SDK says may quote the request, and so the prompt.
        raise upstream(error) from None


def unbuilt(error: Exception, *, is_enterprise: bool) -> Exception:
    """What it means that no client could be built: nothing was sent."""
    names = {kind.__name__ for one in _chain(error) for kind in type(one).__mro__}
    if is_enterprise:
        is_account = "DefaultCredentialsError" in names
        return NoCredentials.for_account() if is_account else NoCredentials.for_project()
    if names & _BAD_SETTINGS:
        return BadNetworkSetting(
            "a proxy or certificate variable of the environment cannot be used (see "
            "`gemini-interactions-mcp doctor`)"
        )
    return error


def upstream(error: BaseException) -> UpstreamError | Refused:
    """What an exception of the SDK means."""
    chain = list(_chain(error))
    for one in chain:
        if status := _status(one):
            return answered(status, _body(one), _headers(one))
        if isinstance(doc := getattr(one, "doc", None), str) and (foreign := page(200, doc)):
            return foreign  # JSON was expected
    names = {kind.__name__ for one in chain for kind in type(one).__mro__}
    if "ProxyError" in names and (status := _status_of_proxy(chain)):
        return Intercepted(status=status)
    if "SSLCertVerificationError" in names or any(map(_is_untrusted, chain)):
        return UntrustedCertificate(_why_untrusted(chain))
    if names & _NEVER_SENT:
        return Unreachable()
    if "DefaultCredentialsError" in names:
        return NoCredentials.for_account()
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
    if _PAGE.match(said) or (not said and error.keys() == {"message", "status"}):
        # google-genai's classic calls make an error of whatever came: a page, or nothing.
        error, body, said = {}, said, ""
    given = error.get("code")
    code = given if isinstance(given, str) else str(error.get("status") or "")
    everything = json.dumps(error, default=str)
    if not error and (foreign := _intercepted(status, body, headers)):
        return foreign
    if status == 401 or (status in (400, 403) and _BAD_KEY.search(everything)):
        return WrongKey(said, status=401 if status == 403 else status, code=code)
    if status == 403:
        reason = _reason(error, said)
        if reason:
            return NotPermitted(said, status=status, code=code, reason=reason)
        return WrongKey(said, status=status, code=code)
    if status == 404:
        no_model = code == "model_not_found" or _NO_MODEL.search(said)
        page = None if error else title_of(body)
        return Gone(said, status=status, code="model_not_found" if no_model else code, page=page)
    if status == 429:
        return RateLimited(
            said,
            retry_after=_retry_after(headers, error),
            status=429,
            code=code,
            quota=_quota(error, said),
        )
    if status in (408, 504):
        return TimedOut(said, status=status, code=code)
    if 400 <= status < 500:
        return Rejected(said, status=status, code=code)
    if status >= 500:
        return Unavailable(said, status=status, code=code)
    return Garbled(said, status=status, code=code)


def inside(answer: Mapping[str, Any]) -> UpstreamError | None:
    """The error that an answer of status 200 is, where it holds nothing else.

    A failed interaction has an `error` too, but is one: it has an id, a status or steps.
    """
    if "error" not in answer or answer.keys() & {"id", "status", "steps"}:
        return None
    error = _error_object(answer)
    given = error.get("code")
    words = {str(given).lower(), str(error.get("status") or "").lower()}
    status = given if isinstance(given, int) and 400 <= given < 600 else 0
    status = status or next((number for number, known in _CODES if words & known), 400)
    return answered(status, answer, {})


def page(status: int, text: str) -> UpstreamError | None:
    """A web page where an answer of the API was expected; None where it is none."""
    if not _PAGE.match(text):
        return None
    return (Blocked if status == 403 else Intercepted)(title_of(text), status=status)


def redirected(status: int, location: str) -> UpstreamError:
    """An answer that sends us elsewhere; only the host is kept, for the rest may be a secret."""
    try:
        host = urlsplit(location).hostname or ""
    except ValueError:
        host = ""
    return Intercepted(status=status, to=host if re.fullmatch(r"[\w.-]{1,100}", host) else "")


def _intercepted(status: int, body: object, headers: Mapping[str, str]) -> UpstreamError | None:
    """Who else than Google may have answered, judged by an answer without an error of Google's."""
    if 300 <= status < 400:
        if location := {k.lower(): v for k, v in headers.items()}.get("location", ""):
            return redirected(status, location)
    elif status in (407, 413, 511):
        return Intercepted(title_of(body), status=status)
    elif status in (403, 405, 451):
        return page(status, body) if isinstance(body, str) else None
    return None


def title_of(body: object) -> str:
    """What a web page calls itself; "" where it does not."""
    found = _TITLE.search(body[:20_000]) if isinstance(body, str) else None
    return html.unescape(" ".join(found[2].split())) if found else ""


def _details(error: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    details = error.get("details")
    return (
        [each for each in details if isinstance(each, Mapping)] if isinstance(details, list) else []
    )


def _reason(error: Mapping[str, Any], said: str) -> str:
    """ErrorInfo's reason, or what the sentence is known to mean."""
    from gemini_interactions.domain.google_error_reasons import reason_of  # patterns to compile

    named = (each.get("reason") for each in _details(error))
    return reason_of(next((each for each in named if isinstance(each, str)), ""), said)


def _quota(error: Mapping[str, Any], said: str) -> Quota:
    """Which limit a 429 is about: a short delay comes with those of a day too."""
    if _CAP.search(said):
        return Quota.SPENDING_CAP
    if _CREDIT.search(said):
        return Quota.CREDIT
    ids: list[str] = []
    for each in _details(error):
        violations = each.get("violations")
        for one in violations if isinstance(violations, list) else ():
            if isinstance(one, Mapping):
                ids.append(f"{one.get('quotaId', '')} {one.get('quotaMetric', '')}")
        if isinstance(metadata := each.get("metadata"), Mapping):
            ids.append(f"{metadata.get('quota_limit', '')} {metadata.get('quota_unit', '')}")
    found = " ".join(ids)
    if re.search(r"per[ _]?day|/d\b|daily", found, re.IGNORECASE):
        return Quota.DAY
    return Quota.MINUTE if re.search(r"per[ _]?minute|/min\b", found, re.I) else Quota.UNKNOWN


def _status_of_proxy(chain: list[BaseException]) -> int:
    """What a proxy answered instead of opening the way (httpx2 has it in its message alone)."""
    for one in chain:
        if type(one).__name__ == "ProxyError" and (found := re.match(r"([45]\d\d)\b", str(one))):
            return int(found[1])
    return 0


def _is_untrusted(error: BaseException) -> bool:
    return "CERTIFICATE_VERIFY_FAILED" in str(error)[:500]


def _why_untrusted(chain: list[BaseException]) -> str:
    for one in chain:
        if found := re.search(r"certificate verify failed: ([\w ,'-]{3,100})", str(one)[:500]):
            return found[1].strip()
    return ""


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
