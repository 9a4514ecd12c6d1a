"""The faults: everything that can go wrong on the way to Google or there, each by its words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from gemini_emulator import Answer, EmulatorControl

ANSWER = Answer(text="Half of it, and all of it.", thought="Thinking.")
SOME = 8
"""Events until the first half of the answer has arrived."""
Called = Literal["ask", "continue"]
BOTH: tuple[Called, ...] = ("ask", "continue")


def nothing(_control: EmulatorControl) -> None:
    """Nothing has to be arranged at Google's."""


@dataclass(frozen=True)
class Fault:
    """What goes wrong, how that is arranged, and for which calls it can happen.

    `settings` are fields of `Config` for the server that makes the call; `goes_on` seconds
    pass between the turn that is continued and the call.
    """

    what: str
    arrange: Callable[[EmulatorControl], object] = nothing
    calls: tuple[Called, ...] = BOTH
    settings: Mapping[str, Any] = field(default_factory=dict)
    goes_on: float = 0.0
    key: str = "test-key"
    answer: Answer = ANSWER


def refused(status: int, what: str = "", calls: tuple[Called, ...] = BOTH, **more: Any) -> Fault:
    def arrange(control: EmulatorControl) -> None:
        control.fail_next(status, on="create", **more)

    return Fault(what or str(status), arrange, calls)


def broken(fault: str, what: str, settings: Mapping[str, Any] | None = None, **more: Any) -> Fault:
    def arrange(control: EmulatorControl) -> None:
        control.fault_next(fault, on="create", **more)

    return Fault(what, arrange, settings=settings or {})


def lost(fault: str, what: str, **more: Any) -> Fault:
    """Broken, and Google forgets the interaction with its client."""

    def arrange(control: EmulatorControl) -> None:
        control.foreground_disconnect = "lost"
        control.fault_next(fault, on="create", **more)

    return Fault(what, arrange)


def then(
    fault: Fault,
    arrange: Callable[[EmulatorControl], object],
    what: str,
    settings: Mapping[str, Any] | None = None,
) -> Fault:
    def both(control: EmulatorControl) -> None:
        fault.arrange(control)
        arrange(control)

    return Fault(what, both, fault.calls, settings or fault.settings)


def continued(control: EmulatorControl) -> str:
    """Google's id of the turn that is continued: the one that was made last."""
    return list(control.service.interactions)[-1]


NAMELESS = Answer(text="All of it.", fields={"status": ""})
SHORT = {"upstream_timeout_seconds": 0.3}
CUT = broken("clean_eof", "the stream ends properly, without `interaction.completed`")

WAY: tuple[Fault, ...] = (
    Fault("nothing listens at the address", settings={"base_url": "http://127.0.0.1:9"}),
    Fault("the host has no address (DNS)", settings={"base_url": "http://google.invalid"}),
    Fault("there is no key", key=""),
    Fault("the key is not one (a line break in it)", key="a\nb"),
    broken("reset", "the connection is reset before any byte (RST)"),
    broken("fin", "the connection is closed before any byte (FIN)"),
    broken("hang", "nothing is ever answered", SHORT),
    broken("slow_first_byte", "the first byte takes long"),
)

STATUSES: tuple[Fault, ...] = (
    refused(400, "400", message="Invalid input at 'input[0]'."),
    refused(400, "400, in google.rpc's shape", body="google", message="Invalid input."),
    refused(
        400,
        "400, with a key and a link in its message",
        message=f"See https://a.test/?key={'AI' + 'za'}{'x' * 35} now.",
    ),
    refused(400, "400, in 1,000 characters", message="word " * 200),
    Fault(
        "400 API key not valid",
        lambda control: control.fault_next("api_key_not_valid", on="create"),
    ),
    refused(401),
    refused(402, message="Payment is required."),
    refused(403),
    refused(404, "404 not_found", ("ask",)),
    refused(404, "404 model_not_found", code="model_not_found", message="No model 'x'."),
    refused(408),
    refused(409, message="The operation was aborted."),
    refused(413, message="The request is too large."),
    refused(416, message="Out of range."),
    refused(422, message="Unprocessable."),
    refused(429, "429, without Retry-After"),
    refused(429, "429 with Retry-After: 2, once", retry_after=2),
    refused(429, "429 with Retry-After: 2, always", retry_after=2, times=9),
    refused(429, "429 with Retry-After: 3600", retry_after=3600),
    refused(429, "429 with Retry-After: 0, always", retry_after=0, times=9),
    refused(
        429, "429 that says `limit: 0`", retry_after=2, message="Quota exceeded, limit: 0.", times=9
    ),
    refused(499, message="The operation was cancelled."),
    refused(500),
    refused(500, "500, in google.rpc's shape", body="google"),
    refused(500, "500 with an empty body", body="empty"),
    refused(500, "500 with a list as its body", body="list"),
    refused(501, message="Not implemented."),
    refused(502, "502 in HTML", body="html"),
    refused(503),
    refused(503, "503, in google.rpc's shape", body="google"),
    refused(504),
    refused(504, "504, in google.rpc's shape", body="google"),
)

ANSWERS: tuple[Fault, ...] = (
    broken("created_201", "201 instead of 200"),
    broken("unary_instead_of_stream", "JSON in one piece instead of a stream"),
    broken("invalid_json", "200 with half a JSON document"),
    broken("empty_body", "200 with an empty body"),
    broken("json_array", "200 with a JSON array"),
    broken("text_plain", "200 with text/plain"),
    Fault("no status in what is answered, nor later", answer=NAMELESS, settings=SHORT),
    broken("empty_steps", "completed, without any step"),
    broken("no_usage", "without usage"),
)

STREAMS: tuple[Fault, ...] = (
    CUT,
    broken("cut_600", "cut after ten minutes by a raw JSON array"),
    broken("no_completed", "`[DONE]`, but no `interaction.completed`"),
    broken("reset", "reset in the middle (RST)", after_events=SOME),
    broken("fin", "closed in the middle (FIN)", after_events=SOME),
    lost("reset", "reset in the middle, and Google has lost it", after_events=SOME),
    lost("clean_eof", "ends early, and Google has lost it", after_events=SOME),
    broken("hang", "nothing more after some events", SHORT, after_events=SOME),
    broken("error_event", "an `error` event after some of the answer", after_events=SOME),
    broken(
        "error_event", "an `error` event without a message", after_events=2, message="", code=""
    ),
    broken("unknowns", "unknown events, steps, deltas and statuses between the known"),
    broken("unknowns", "ends with an unknown status", status="brand_new"),
    broken("missing_thought_type", "a thought whose content has no type"),
    broken("dribble", "a few bytes at a time, cut inside characters"),
    broken("crlf", "CRLF, a byte order mark and comments"),
    then(
        CUT,
        lambda control: control.fail_next(503, on="get", times=2),
        "ends early, then 503 twice when asked for",
    ),
    then(
        CUT,
        lambda control: control.fail_next(403, on="get"),
        "ends early, then 403 when asked for at once",
    ),
    then(CUT, lambda control: control.lag(gets=3), "ends early, then 404 three times (store lag)"),
    then(
        CUT,
        lambda control: control.fault_next("hang", on="get"),
        "ends early, then nothing when asked for",
        SHORT,
    ),
)

CHAINS: tuple[Fault, ...] = (
    Fault(
        "404 for what it continues, three times (store lag)",
        lambda control: control.lag(continued(control), gets=3),
        ("continue",),
    ),
    Fault(
        "404 for what it continues, for more than two minutes",
        lambda control: control.expire(continued(control)),
        ("continue",),
    ),
    Fault(
        "404 for what it continues, which is old (expired)",
        lambda control: control.expire(continued(control)),
        ("continue",),
        goes_on=3600.0,
    ),
    Fault(
        "404 for what it continues, which is old, and transcripts are off",
        lambda control: control.expire(continued(control)),
        ("continue",),
        settings={"transcripts": False},
        goes_on=3600.0,
    ),
    Fault(
        "400 failed_precondition: what it continues is not finished there",
        lambda control: control.fail_next(
            400, on="create", code="failed_precondition", message="Not finished."
        ),
        ("continue",),
    ),
)

ALL: Mapping[str, tuple[Fault, ...]] = {
    "On the way": WAY,
    "Statuses other than 200": STATUSES,
    "Odd answers": ANSWERS,
    "Streams that go wrong": STREAMS,
    "Chains": CHAINS,
}
