"""docs/reference/errors.md: everything that can go wrong, in the words callers read."""

# ruff: noqa: E501  # one sentence of a page is one line

from __future__ import annotations

import errno
import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from pathlib import Path

import gemini_interactions
from docs.generator.tables import joined
from gemini_interactions.config import api_key, setting_table, settings
from gemini_interactions.domain import daily_limits, errors, file_errors, google_error_reasons
from gemini_interactions.domain.errors import Refused, UpstreamError
from gemini_interactions.store.databases import database, postgres, sqlite

HEAD = """\
# Errors

An error is a tool result with `isError`; its text says what went wrong and what to do next, since some hosts lose the flag.
It never holds an SDK message, a key, or a path outside the allowed folders.

Two kinds: what this server **refuses** was not sent, so nothing was created and nothing paid; where it could not keep what had come back, the error says so.
What **Gemini** or the way to it refused was sent, or may have been; it is never sent again by itself where that could be paid twice.
"""

REFUSED = """\
## Refused here
"""

UPSTREAM = """\
## Refused by Gemini, or lost on the way

| HTTP status | class |
|---|---|
| 400 with a bad key, 401, 403 without a reason | `WrongKey` |
| 403 with Google's reason | `NotPermitted` |
| a web page, a redirect, 407, 413 from something in between | `Intercepted`, `Blocked` |
| 404 | `Gone` |
| 408, 504, or no answer in time | `TimedOut` |
| 429 | `RateLimited` |
| any other 4xx | `Rejected` |
| any other 5xx | `Unavailable` |
| no connection | `Unreachable` |
| a proxy or certificate variable that cannot be used | `BadNetworkSetting` |
| a certificate nobody here trusts | `UntrustedCertificate` |
| a connection that broke | `ConnectionLost` |
| anything that is not the API's language | `Garbled` |
"""

COMMAND = """\
## Refused on the command line

These end a command with code 2 and the sentence on stderr.
"""

NOON = 1_795_348_800.0
FULL = OSError(errno.ENOSPC, "")

# What each class says, where it says one thing; the others show it in an exchange.
SENTENCES: dict[type[Exception], Callable[[], list[str]]] = {
    errors.NoKey: lambda: [str(errors.NoKey())],
    errors.NoCredentials: lambda: [
        str(errors.NoCredentials.for_account()),
        str(errors.NoCredentials.for_project()),
    ],
    errors.BadNetworkSetting: lambda: [
        errors.BadNetworkSetting("SSL_CERT_FILE names a file that is not there").message
    ],
    errors.Intercepted: lambda: [
        errors.Intercepted("Guest Wi-Fi", status=200).message,
        errors.Intercepted(status=302, to="login.example.com").message,
        errors.Intercepted("nginx", status=404).message,
        errors.Intercepted(status=407).message,
        errors.Intercepted("413 Too Large", status=413).message,
    ],
    errors.Blocked: lambda: [errors.Blocked("Web filter", status=403).message],
    errors.NotPermitted: lambda: list(google_error_reasons.REASONS.values()),
    errors.RateLimited: lambda: [
        errors.RateLimited(retry_after=20).message,
        errors.RateLimited(quota=errors.Quota.MINUTE, retry_after=20).message,
        errors.RateLimited(quota=errors.Quota.DAY).message,
        errors.RateLimited(quota=errors.Quota.CREDIT).message,
        errors.RateLimited(quota=errors.Quota.SPENDING_CAP).message,
        errors.RateLimited("limit: 0, model: gemini-nano-banana-2.1").message,
    ],
    errors.OverLimit: lambda: [
        daily_limits.refusal(
            daily_limits.BudgetState(1_900_000, 4.2, 60_000, 0.3),
            daily_limits.Reservation(
                "2026-11-22", "", 310_000, 2.0, daily_limits.DailyLimits(usd=limit)
            ),
            NOON,
        )
        for limit in (5.0, 1.0)
    ],
    errors.NotKept: lambda: [str(errors.NotKept.unfetched())],
    errors.NotAtGoogle: lambda: [str(errors.NotAtGoogle("video"))],
    errors.Gone: lambda: [
        errors.Gone().message,
        errors.Gone(code="model_not_found").message,
    ],
    errors.Rejected: lambda: [errors.Rejected("Invalid value at 'tools[0]'.").message],
    database.StoreError: lambda: [
        sqlite.UNUSABLE,
        postgres.UNREACHABLE,
        postgres.FORBIDDEN,
        postgres.UNSURE,
    ],
    database.TryAgain: lambda: [postgres.SILENT],
    setting_table.BadSetting: lambda: [_bad_setting()],
    api_key.BadKey: lambda: [str(api_key.BadKey())],
    api_key.BadKeyFile: lambda: [
        str(api_key.BadKeyFile("can be read by other users of this machine"))
    ],
    file_errors.CannotKeep: lambda: [str(file_errors.CannotKeep(FULL))],
    file_errors.NotFetched: lambda: [
        str(file_errors.NotFetched.too_large("core.dump", 100 * 2**20)),
        str(file_errors.NotFetched.full(2**30)),
    ],
    file_errors.CannotKeepMedia: lambda: [str(file_errors.CannotKeepMedia(FULL))],
}

EXCHANGES: dict[type[Exception], str] = {
    errors.BadArgument: """\
```text
> gemini_ask(prompt="Hello", mood="sunny")
```
""",
    errors.UnknownId: """\
```text
> gemini_result(id="c_0000000000")
```
""",
    file_errors.NotAllowed: """\
```text
> gemini_ask(prompt="What is this?", files=["/etc/hosts"])
```
""",
    file_errors.Protected: """\
<!-- stage: {"file": ".env", "text": "TOKEN=none"} -->
```text
> gemini_ask(prompt="What is this?", files=["/home/ada/project/.env"])
```
""",
    file_errors.BadPath: """\
```text
> gemini_ask(prompt="What is this?", files=["file://elsewhere/notes.txt"])
```
""",
    file_errors.NoSuchFile: """\
```text
> gemini_ask(prompt="What is this?", files=["/home/ada/project/report.pdf"])
```
""",
    file_errors.NotTaken: """\
<!-- stage: {"file": "empty.txt", "text": ""} -->
```text
> gemini_ask(prompt="What is this?", files=["/home/ada/project/empty.txt"])
```
""",
    file_errors.BadAddress: """\
```text
> gemini_ask(prompt="What is this?", files=["http://127.0.0.1/notes.txt"])
```
""",
    file_errors.CannotSave: """\
<!-- stage: {"file": "notes", "text": "A file, not a folder."} -->
```text
> gemini_generate_image(prompt="A lighthouse", save_to="/home/ada/project/notes/cat.png")
```
""",
    errors.StillRunning: """\
<!-- stage: {"restart": {"GEMINI_MCP_MAX_WAIT_SECONDS": "1"}} -->
<!-- stage: {"do": "hold_next"} -->
```text
> gemini_ask(prompt="A long story, please")

> gemini_continue(conversation_id="c_#1", turn=1, prompt="And then?")
```
<!-- stage: {"do": "release"} -->
<!-- stage: {"restart": {"GEMINI_MCP_MAX_WAIT_SECONDS": "45"}} -->
""",
    errors.WaitingForResults: """\
<!-- stage: {"do": "answer_next", "args": {"answer": {"steps": [{"type": "function_call", "id": "call_1", "name": "weather", "arguments": {"city": "Paris"}}], "status": "requires_action"}}} -->
```text
> gemini_ask(prompt="What is the weather in Paris?", tools=[{"type": "function",
    "name": "weather", "parameters": {"type": "object",
    "properties": {"city": {"type": "string"}}}}])

> gemini_continue(prompt="Well?")
```
""",
}

ON_THE_COMMAND_LINE = (setting_table.BadSetting, api_key.BadKey)


def classes() -> list[type[Exception]]:
    """Every class of ours that a caller can meet, as the code has them."""
    for module in pkgutil.walk_packages(gemini_interactions.__path__, "gemini_interactions."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    return sorted({*_below(Refused), *_below(UpstreamError)}, key=_place)


def page() -> str:
    """The page, its exchanges still without answers."""
    ours = [each for each in classes() if each not in ON_THE_COMMAND_LINE]
    return joined(
        [
            HEAD,
            REFUSED,
            *(_entry(each) for each in ours if issubclass(each, Refused)),
            UPSTREAM,
            *(_entry(each) for each in ours if issubclass(each, UpstreamError)),
            COMMAND,
            *map(_entry, ON_THE_COMMAND_LINE),
        ]
    )


def _place(kind: type[Exception]) -> tuple[bool, str, int]:
    """Where it stands in the code; subclasses come in the order in which modules were imported."""
    return kind.__module__ != errors.__name__, kind.__module__, inspect.getsourcelines(kind)[1]


def _below(kind: type[Exception]) -> Iterator[type[Exception]]:
    for each in kind.__subclasses__():
        yield each
        yield from _below(each)


def _entry(kind: type[Exception]) -> str:
    words = " ".join((inspect.getdoc(kind) or "").split("\n\n")[0].split())
    shown = EXCHANGES.get(kind) or joined([f"> {each}" for each in _said(kind)])
    return joined([f"### `{kind.__name__}`", words, shown])


def _said(kind: type[Exception]) -> list[str]:
    if kind in SENTENCES:
        return SENTENCES[kind]()
    if issubclass(kind, UpstreamError):
        return [kind().message]
    raise LookupError(f"{kind.__name__} needs an example in docs/generator/errors_page.py.")


def _bad_setting() -> str:
    try:
        settings.Config.read({"GEMINI_MCP_MAX_WAIT_SECONDS": "soon"}, {"data_dir": str(Path())})
    except setting_table.BadSetting as bad:
        return str(bad)
    raise AssertionError("that setting should have been refused")
