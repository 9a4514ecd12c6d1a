"""Everything that can go wrong, one class per thing the caller can do about it.

    Problem with a way out
    ├── Refused              we will not send this; nothing was created, nothing was lost
    │   ├── BadArgument      an argument is not what the tool takes
    │   ├── UnknownId        nothing here has that name (or it is somebody else's)
    │   ├── StillRunning     the thing named is not finished yet
    │   ├── WaitingForResults  functions must be run first
    │   ├── OverLimit        a daily limit has no room for it
    │   ├── NotKept          a file was made, but not kept: Google still has it
    │   └── NoKey            there is no API key to call Google with
    └── UpstreamError        Google, or the way to Google, said no
        ├── Unreachable      the request surely never arrived: safe to send again
        ├── BadNetworkSetting  a proxy or certificate variable cannot be used: nothing was sent
        ├── UntrustedCertificate  what answered has a certificate nobody here trusts
        ├── Intercepted      something that is not the Gemini API answered in its place
        ├── RateLimited      429: wait, or (a quota, a spending limit) something only people lift
        ├── WrongKey         401/403: the key is not accepted
        │   └── NotPermitted   403 for a reason that no other key mends
        ├── Gone             404: no such interaction or model there (any more)
        ├── Rejected         400 and other 4xx: Google's own sentence says why
        ├── Unavailable      5xx: Google is in trouble; the work may or may not be billed
        ├── ConnectionLost   the connection broke after sending
        ├── TimedOut         no answer in the time allowed
        ├── Garbled          the answer was not what the API speaks
        └── ForeignSchema    the answer came in another shape of the API

The message of each is what a model reads: the problem, then the way out. No SDK text, no
path, no key; Google's own sentence appears only scrubbed and cut (`quoted`).
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Any, assert_never

from .quoted_text import quoted


class NoPlace(Exception):
    """As many of the owner's calls are at Google as may be: wait, then try again. Never told."""


class Refused(Exception):
    """We will not send this; the message says what to do instead."""


class BadArgument(Refused):
    """An argument is not what the tool takes."""


class UnknownId(Refused):
    """Nothing here has that name, or it belongs to somebody else: the two read the same."""


class StillRunning(Refused):
    """The thing named is not finished; the message carries its id."""


class WaitingForResults(Refused):
    """Gemini waits for function results; the message lists the pending calls."""


class NotKept(Refused):
    """A file was made and paid for, but could not be kept here; Google still has it."""

    @classmethod
    def unfetched(cls, noun: str = "image") -> NotKept:
        return cls(f"The {noun} was made, but could not be fetched from Google just now.")

    @classmethod
    def by_fault(cls, noun: str = "image") -> NotKept:
        return cls(f"The {noun} was made, but this server failed while keeping it.")


class NotAtGoogle(NotKept):
    """A file was made, but Google has none at its address: not yet, or no more."""

    def __init__(self, noun: str) -> None:
        super().__init__(f"The {noun} was made, but Google has no file at its address now.")


class OverLimit(Refused):
    """A daily limit has no room for this; the message says what is booked and what is reserved."""


class NoKey(Refused):
    """There is no API key."""

    def __init__(self, looked: str = "") -> None:
        super().__init__(
            "There is no Gemini API key. Create one at aistudio.google.com/apikey, then run "
            "`gemini-interactions-mcp key` in a terminal (or set GEMINI_API_KEY in this server's "
            "environment) and try again; no restart is needed after the key command."
            + (f" It was looked for in {looked}." if looked else "")
        )


class NoCredentials(NoKey):
    """Vertex AI is chosen, but google-genai finds nothing to sign in with."""

    def __init__(self, lacks: str) -> None:
        Refused.__init__(self, lacks)

    @classmethod
    def for_account(cls) -> NoCredentials:
        return cls(
            "Vertex AI is chosen, but there are no application-default credentials here. Run "
            "`gcloud auth application-default login` in a terminal, or set "
            "GOOGLE_APPLICATION_CREDENTIALS to a service account's file, then try again."
        )

    @classmethod
    def for_project(cls) -> NoCredentials:
        return cls(
            "Vertex AI is chosen, but not which project. Set GOOGLE_CLOUD_PROJECT and "
            "GOOGLE_CLOUD_LOCATION in this server's environment, or unset "
            "GOOGLE_GENAI_USE_VERTEXAI to use an API key, and restart the server."
        )


class UpstreamError(Exception):
    """Google, or the way to Google, said no.

    `status` is the HTTP status where there was one, `code` Google's own code, `said` its
    sentence (unscrubbed: show it only through `quoted`).
    """

    def __init__(self, said: str = "", *, status: int | None = None, code: str = "") -> None:
        super().__init__(said)
        self.said = said
        self.status = status
        self.code = code

    @property
    def kind(self) -> str:
        return type(self).__name__

    @property
    def message(self) -> str:
        """What a model reads: the problem, then the way out."""
        raise NotImplementedError


class Unreachable(UpstreamError):
    """The request surely never arrived."""

    @property
    def message(self) -> str:
        return (
            "Gemini could not be reached, and nothing was sent. "
            "Check the network, then send the same again."
        )


class BadNetworkSetting(UpstreamError):
    """A variable of the environment that leads to Google cannot be used; `said` is ours."""

    @property
    def message(self) -> str:
        return (
            f"Gemini cannot be reached as this server is set up, and nothing was sent: {self.said}"
            ". Correct that in the environment this server is started with, then restart it."
        )


class UntrustedCertificate(UpstreamError):
    """TLS failed: nothing was sent. `said` is the reason of the check, in OpenSSL's few words."""

    @property
    def message(self) -> str:
        why = f" ({quoted(self.said)})" if self.said else ""
        return (
            f"The TLS certificate of what answered in Google's place is not trusted here{why}, so "
            "nothing was sent. A company's proxy or virus scanner often puts its own there: set "
            "SSL_CERT_FILE to a PEM file that holds the company's certificate authority (and the "
            "public ones), then restart this server."
        )


_CHECK_ADDRESS = (
    "Check GOOGLE_GEMINI_BASE_URL, which names the start of the API's address (without it, "
    "Google's own is used)"
)


class Intercepted(UpstreamError):
    """A proxy, a web filter, a sign-in page or another server answered, not the Gemini API.

    `said` is the title of its page, `to` the host that a redirect leads to.
    """

    def __init__(self, said: str = "", *, status: int, to: str = "") -> None:
        super().__init__(said, status=status)
        self.to = to

    @property
    def message(self) -> str:
        page = f' titled "{quoted(self.said)[:80]}"' if self.said else ""
        match self.status:
            case 407:
                return (
                    "The proxy on the way to Google wants a user and a password (407), and nothing "
                    "was sent. Put them into the proxy's address (HTTPS_PROXY, ALL_PROXY: "
                    "http://user:password@host:port), then restart this server."
                )
            case 511:
                return (
                    f"This network wants a sign-in before it lets anything through (511{page}). "
                    "Sign in with a browser, then send the same again."
                )
            case int(status) if 300 <= status < 400:
                where = f" to {self.to}" if self.to else ""
                return (
                    f"The address of the Gemini API leads elsewhere: {status}{where}. The API key "
                    f"is not sent after it. {_CHECK_ADDRESS}, or whether the network wants a "
                    "sign-in."
                )
            case 413:
                return (
                    "Something between this server and Gemini refuses a request of this size (413, "
                    f"a page{page}). Send less at once: fewer or smaller files."
                )
            case 404:
                what = f"a web page{page}" if self.said else "no error of Gemini's"
                return (
                    f"Something that is not the Gemini API answered: 404 with {what}. "
                    f"{_CHECK_ADDRESS}."
                )
            case 401 | 403 | 451:
                return (
                    f"A web page{page} answered {self.status} in Google's place: a proxy or web "
                    "filter blocks the way. The API key is not the reason. Have "
                    "generativelanguage.googleapis.com allowed, or set HTTPS_PROXY."
                )
            case _:
                return (
                    f"A web page{page} answered {self.status} in place of the Gemini API: a "
                    f"sign-in page of the network, a proxy, or a wrong address. {_CHECK_ADDRESS}, "
                    "and the network."
                )


NEEDS_PAID_KEY = "NeedsPaidKey"
"""The kind of a failure that no second try mends."""


class Quota(StrEnum):
    """What a 429 is about: how long it lasts depends on it."""

    UNKNOWN = "unknown"
    MINUTE = "minute"
    DAY = "day"
    CREDIT = "credit"
    SPENDING_CAP = "spending_cap"

    @property
    def passes_soon(self) -> bool:
        """Whether waiting a minute can be enough; Google names a short delay for all of them."""
        return self in (Quota.UNKNOWN, Quota.MINUTE)


class RateLimited(UpstreamError):
    """429. `retry_after` is Google's wish in seconds, where it gave one."""

    def __init__(
        self,
        said: str = "",
        *,
        retry_after: float | None = None,
        status: int = 429,
        code: str = "",
        quota: Quota = Quota.UNKNOWN,
    ) -> None:
        super().__init__(said, status=status, code=code)
        self.retry_after = retry_after
        self.quota = quota

    @property
    def may_pass(self) -> bool:
        """Whether the same call may be sent again once Google's delay is over."""
        return self.quota.passes_soon and not self.needs_paid_key

    @property
    def kind(self) -> str:
        return NEEDS_PAID_KEY if self.needs_paid_key else super().kind

    @property
    def needs_paid_key(self) -> bool:
        """Free keys have quota 0 for images and research: waiting never helps."""
        return bool(re.search(r"limit: 0\b", self.said))

    @property
    def message(self) -> str:
        if self.needs_paid_key:
            return (
                "This key has no quota for that (its limit is 0): it needs a paid key. "
                "Enable billing for the key's project in AI Studio, or use another model."
            )
        match self.quota:
            case Quota.DAY:
                return (
                    "The quota of this key's project for today is used up (a limit per day). It is "
                    "lifted at midnight Pacific time. Until then use another model, or raise the "
                    "limit at aistudio.google.com/usage; trying again sooner does not help."
                )
            case Quota.CREDIT:
                return (
                    "The prepaid credit of this key's project is used up, and waiting does not "
                    "help. Add credit at aistudio.google.com/billing, then send the same again."
                )
            case Quota.SPENDING_CAP:
                return (
                    "The spending cap of this key's project or billing account is reached, and "
                    "waiting does not help before the next month. Raise the cap at "
                    "aistudio.google.com/spend, then send the same again."
                )
            case Quota.UNKNOWN | Quota.MINUTE:
                wait = f"in {self.retry_after:.0f} s" if self.retry_after else "in a minute"
                what = (
                    "Gemini's limit per minute is reached for this key's project."
                    if self.quota is Quota.MINUTE
                    else "Gemini's rate limit or quota is used up."
                )
                return f"{what} Try again {wait}, or use another model."
            case _:
                assert_never(self.quota)


def _denial(reason: str, said: str) -> str:
    # Patterns to compile, which only a refusal needs.
    from .google_error_reasons import denial

    return denial(reason, said)


class WrongKey(UpstreamError):
    """401 or 403; only where Google says no more than 401 is it surely the key."""

    @property
    def message(self) -> str:
        if self.status == 403:
            return _denial("", self.said)
        return (
            "Gemini did not accept the API key. Run `gemini-interactions-mcp key` in a terminal "
            "to set a valid one (from aistudio.google.com/apikey), then try again."
        )


class NotPermitted(WrongKey):
    """403, and Google says why: another key of the same kind would not help.

    Caught together with `WrongKey`, since a look at an interaction that is still young may be
    answered with either.
    """

    def __init__(self, said: str = "", *, status: int = 403, code: str = "", reason: str = ""):
        super().__init__(said, status=status, code=code)
        self.reason = reason

    @property
    def message(self) -> str:
        return _denial(self.reason, self.said)


class Blocked(Intercepted, WrongKey):
    """403 with a web page: a web filter, or Google's own front.

    The latter also answers so while an interaction is young: hence caught with `WrongKey`.
    """


class Gone(UpstreamError):
    """404: no such interaction, model or file at Google (any more).

    `page` is there where the body was none of Google's: then something else may have answered.
    """

    def __init__(
        self, said: str = "", *, status: int = 404, code: str = "", page: str | None = None
    ) -> None:
        super().__init__(said, status=status, code=code)
        self.page = page

    @property
    def is_model(self) -> bool:
        return self.code == "model_not_found"

    @property
    def message(self) -> str:
        if self.is_model:
            return (
                "Gemini has no such model. Leave `model` out for the default, or use an alias: "
                "fast, pro, lite."
            )
        if self.page is not None:
            return Intercepted(self.page, status=404).message
        return "Google no longer has what this builds on. Start again with gemini_ask."


class Rejected(UpstreamError):
    """400 and other 4xx: only Google knows why, so its own sentence is quoted."""

    @property
    def message(self) -> str:
        if not self.said:
            return "Gemini rejected the request without saying why. Change it and try again."
        return f'Gemini rejected the request: "{quoted(self.said)}" Change it and try again.'


class Unavailable(UpstreamError):
    """5xx: nothing was sent again by itself, because a second try may be billed twice."""

    @property
    def message(self) -> str:
        return (
            "Gemini had an error of its own and gave no answer. "
            "The call was not repeated, since that could be billed twice: try again in a minute."
        )


class ConnectionLost(UpstreamError):
    """The connection broke after the request was sent."""

    @property
    def message(self) -> str:
        return (
            "The connection to Gemini broke before the answer was complete. "
            "The call was not repeated, since that could be billed twice: send it again if needed."
        )


class TimedOut(UpstreamError):
    """No complete answer in the time allowed for a call."""

    @property
    def message(self) -> str:
        return (
            "Gemini did not finish in the time allowed for one call. "
            "Ask for less at once, or use a faster model."
        )


class Garbled(UpstreamError):
    """The answer was not what the API speaks."""

    @property
    def message(self) -> str:
        return (
            "Gemini's answer could not be read. The call was not repeated, since that could be "
            "billed twice: try again."
        )


class ForeignSchema(UpstreamError):
    """The endpoint speaks another version of the API's schema; `partial` is what was understood,
    an `Interaction`."""

    def __init__(self, shape: str = "its old schema", partial: Any = None) -> None:
        super().__init__(shape)
        self.shape = shape
        self.partial = partial

    @property
    def message(self) -> str:
        return (
            f"The endpoint answered in a shape of the Interactions API that is not read here "
            f"({self.shape}). Nothing broke: Gemini may well have answered, and sending it again "
            "would be paid again. GOOGLE_GEMINI_BASE_URL and GEMINI_MCP_API_VERSION choose the "
            "endpoint; use one that speaks of `steps`, as Google does since June 2026."
        )
