"""Every way to fail is one of ours, and says what the caller can do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx2
import pytest

from gemini_interactions.domain.errors import (
    BadArgument,
    ConnectionLost,
    Garbled,
    Gone,
    RateLimited,
    Rejected,
    TimedOut,
    Unavailable,
    Unreachable,
    UntrustedCertificate,
    UpstreamError,
    WrongKey,
)
from gemini_interactions.gemini.error_mapping import answered, mapped_errors, upstream


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, Rejected),
        (401, WrongKey),
        (402, Rejected),
        (403, WrongKey),
        (404, Gone),
        (408, TimedOut),
        (409, Rejected),
        (413, Rejected),
        (422, Rejected),
        (429, RateLimited),
        (499, Rejected),
        (500, Unavailable),
        (501, Unavailable),
        (502, Unavailable),
        (503, Unavailable),
        (504, TimedOut),
        (200, Garbled),
        (304, Garbled),
    ],
)
def test_a_status_says_what_can_be_done(status: int, kind: type[UpstreamError]) -> None:
    error = answered(status, {"error": {"message": "Because.", "code": "because"}}, {})

    assert type(error) is kind
    assert (error.said, error.status, error.code) == ("Because.", status, "because")


@pytest.mark.parametrize(
    ("body", "said", "code"),
    [
        ({"error": {"message": "No.", "code": "invalid_request"}}, "No.", "invalid_request"),
        ({"error": {"message": "No.", "code": 400, "status": "INVALID"}}, "No.", "INVALID"),
        ([{"error": {"message": "No.", "code": 400, "status": "INVALID"}}], "No.", "INVALID"),
        ('{"error": {"message": "No."}}', "No.", ""),
        ({"error": "No."}, "No.", ""),
        ({"error": "No \ud83d."}, "No \ufffd.", ""),
        ({"message": "No."}, "No.", ""),
        ({"error": {"message": 7, "code": None}}, "", ""),
        ({"error": None}, "", ""),
        ("<html>Bad</html>", "", ""),
        ("[" * 100_000, "", ""),
        ([], "", ""),
        ([7], "", ""),
        ("", "", ""),
        (None, "", ""),
    ],
)
def test_a_body_of_any_shape_is_read_as_far_as_it_goes(body: object, said: str, code: str) -> None:
    error = answered(400, body, {})

    assert (type(error), error.said, error.code) == (Rejected, said, code)


@pytest.mark.parametrize(
    "error",
    [
        {"message": "API key not valid. Please pass a valid API key."},
        {"message": "API key expired. Please renew the API key."},
        {"message": "Bad.", "details": [{"reason": "API_KEY_INVALID"}]},
    ],
)
def test_a_400_about_the_key_is_about_the_key(error: dict[str, Any]) -> None:
    assert isinstance(answered(400, {"error": error}, {}), WrongKey)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ({"message": "Nope.", "code": "model_not_found"}, "model_not_found"),
        ({"message": "models/x is not found for API version v1."}, "model_not_found"),
        ({"message": "Requested entity was not found.", "code": "not_found"}, "not_found"),
    ],
)
def test_a_404_says_model_only_where_google_does(error: dict[str, Any], code: str) -> None:
    assert answered(404, {"error": error}, {}).code == code


@pytest.mark.parametrize(
    ("headers", "body", "seconds"),
    [
        ({"Retry-After": "30"}, None, 30.0),
        ({"retry-after": "1.5"}, None, 1.5),
        ({"Retry-After-Ms": "250", "Retry-After": "30"}, None, 0.25),
        ({"Retry-After": "soon"}, None, None),
        ({"Retry-After": "-3"}, None, None),
        ({}, {"error": {"details": [{"x": 1}, {"retryDelay": "17s"}]}}, 17.0),
        ({}, {"error": {"details": "none"}}, None),
        ({}, None, None),
    ],
)
def test_a_429_carries_the_wait_google_wishes(
    headers: dict[str, str], body: object, seconds: float | None
) -> None:
    error = answered(429, body, headers)

    assert isinstance(error, RateLimited)
    assert error.retry_after == seconds


def test_a_wait_may_be_a_date_and_past_dates_are_no_wait() -> None:
    hour = timedelta(hours=1)
    later, earlier = (
        answered(429, None, {"retry-after": format_datetime(when, usegmt=True)})
        for when in (datetime.now(UTC) + hour, datetime.now(UTC) - hour)
    )

    assert isinstance(later, RateLimited)
    assert isinstance(earlier, RateLimited)
    assert 3500 < (later.retry_after or 0) <= 3600
    assert earlier.retry_after == 0


def test_a_quota_of_zero_needs_a_paid_key() -> None:
    error = answered(429, {"error": {"message": "Quota exceeded, limit: 0, model: x"}}, {})

    assert isinstance(error, RateLimited)
    assert error.needs_paid_key


class APIConnectionError(Exception):
    """As the SDK's: its own name, and the real thing as its cause."""


@pytest.mark.parametrize(
    ("cause", "kind"),
    [
        (httpx2.ConnectError("refused"), Unreachable),
        (httpx2.ConnectTimeout(""), Unreachable),
        (httpx2.PoolTimeout(""), Unreachable),
        (httpx2.ProxyError(""), Unreachable),
        (httpx2.UnsupportedProtocol(""), Unreachable),
        (httpx2.ReadTimeout(""), TimedOut),
        (httpx2.WriteTimeout(""), TimedOut),
        (TimeoutError(), TimedOut),
        (httpx2.ReadError(""), ConnectionLost),
        (httpx2.WriteError(""), ConnectionLost),
        (httpx2.RemoteProtocolError(""), ConnectionLost),
        (httpx2.DecodingError(""), ConnectionLost),
        (ConnectionResetError(), ConnectionLost),
        (ValueError("prompt"), Rejected),
        (TypeError("prompt"), Rejected),
    ],
)
def test_what_never_left_is_told_from_what_broke_on_the_way(
    cause: Exception, kind: type[UpstreamError]
) -> None:
    wrapped = APIConnectionError("prompt")
    wrapped.__cause__ = cause

    assert type(upstream(wrapped)) is kind
    assert type(upstream(cause)) is kind
    assert "prompt" not in str(upstream(wrapped))


def test_an_interrupted_continuation_is_what_interrupted_it() -> None:
    class ContinuationInterruptedError(Exception):
        pass

    class InternalServerError(Exception):
        status_code = 503
        body: object = None

    error = ContinuationInterruptedError("partial")
    error.__cause__ = InternalServerError()

    assert isinstance(upstream(error), Unavailable)


def test_something_unheard_of_is_named_in_the_log_without_its_words(
    caplog: pytest.LogCaptureFixture,
) -> None:
    error = upstream(RuntimeError("a prompt"))

    assert isinstance(error, ConnectionLost)
    assert "RuntimeError" in caplog.text
    assert "prompt" not in caplog.text


def test_our_own_errors_pass_and_foreign_ones_leave_no_trace() -> None:
    with pytest.raises(BadArgument), mapped_errors():
        raise BadArgument("x")
    with pytest.raises(Rejected) as caught, mapped_errors():
        raise ValueError("a prompt")

    assert caught.value.__suppress_context__


def test_a_certificate_nobody_trusts_is_told_from_a_network_that_is_down() -> None:
    why = "certificate verify failed: self-signed certificate in certificate chain (_ssl.c:992)"
    refused = httpx2.ConnectError(f"[SSL: CERTIFICATE_VERIFY_FAILED] {why}")
    wrapped = APIConnectionError("prompt")
    wrapped.__cause__ = refused

    error = upstream(wrapped)

    assert isinstance(error, UntrustedCertificate)
    assert "self-signed certificate in certificate chain" in error.message
    assert "SSL_CERT_FILE" in error.message
    assert "nothing was sent" in error.message
