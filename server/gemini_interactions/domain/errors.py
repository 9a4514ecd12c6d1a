"""Everything that can go wrong, one class per thing the caller can do about it.

    Problem with a way out
    ├── Refused              we will not send this; nothing was created, nothing was lost
    │   ├── BadArgument      an argument is not what the tool takes
    │   ├── UnknownId        nothing here has that name (or it is somebody else's)
    │   ├── StillRunning     the thing named is not finished yet
    │   ├── WaitingForResults  functions must be run first
    │   ├── NotKept          a file was made, but not kept: Google still has it
    │   └── NoKey            there is no API key to call Google with
    └── UpstreamError        Google, or the way to Google, said no
        ├── Unreachable      the request surely never arrived: safe to send again
        ├── RateLimited      429: wait, or (quota 0) use a paid key
        ├── WrongKey         401/403: the key is not accepted
        ├── Gone             404: no such interaction or model there (any more)
        ├── Rejected         400 and other 4xx: Google's own sentence says why
        ├── Unavailable      5xx: Google is in trouble; the work may or may not be billed
        ├── ConnectionLost   the connection broke after sending
        ├── TimedOut         no answer in the time allowed
        └── Garbled          the answer was not what the API speaks

The message of each is what a model reads: the problem, then the way out. No SDK text, no
path, no key; Google's own sentence appears only scrubbed and cut (`quoted`).
"""

from __future__ import annotations

import re

_SECRETS = re.compile(r"AIza[\w-]+|AQ\.[\w-]+|(?i:bearer)\s+\S+|(?i:key)=[\w.-]+|https?://\S+")


def quoted(message: str) -> str:
    """Google's sentence, fit to be shown: one line, no keys or links, at most 200 characters."""
    line = _SECRETS.sub("…", " ".join(message.split()))
    return line if len(line) <= 200 else line[:199] + "…"


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


class NoKey(Refused):
    """There is no API key."""

    def __init__(self) -> None:
        super().__init__(
            "There is no Gemini API key. Create one at aistudio.google.com/apikey, then run "
            "`gemini-interactions-mcp key` in a terminal (or set GEMINI_API_KEY in this server's "
            "environment) and try again; no restart is needed after the key command."
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


NEEDS_PAID_KEY = "NeedsPaidKey"
"""The kind of a failure that no second try mends."""


class RateLimited(UpstreamError):
    """429. `retry_after` is Google's wish in seconds, where it gave one."""

    def __init__(
        self, said: str = "", *, retry_after: float | None = None, status: int = 429, code: str = ""
    ) -> None:
        super().__init__(said, status=status, code=code)
        self.retry_after = retry_after

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
        wait = f"in {self.retry_after:.0f} s" if self.retry_after else "in a minute"
        return f"Gemini's rate limit or quota is used up. Try again {wait}, or use another model."


class WrongKey(UpstreamError):
    """401 or 403."""

    @property
    def message(self) -> str:
        return (
            "Gemini did not accept the API key. Run `gemini-interactions-mcp key` in a terminal "
            "to set a valid one (from aistudio.google.com/apikey), then try again."
        )


class Gone(UpstreamError):
    """404: no such interaction, model or file at Google (any more)."""

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
