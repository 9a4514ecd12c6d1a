"""docs/reference/statuses.md: what became of a turn, and what each kind of step reads like."""

# ruff: noqa: E501  # one sentence of a page is one line

from __future__ import annotations

import json
from typing import Any, get_args

from docs.generator.tables import joined, table
from gemini_interactions.bridge.turns import outcomes
from gemini_interactions.domain.status import Status
from gemini_interactions.domain.types import Interaction
from gemini_interactions.interactions import answer_text

HEAD = """\
# Statuses and steps

`_meta["gemini-interactions-mcp/result"]` of a result has a `status`, one of these.
Only `failed` is an error; a refusal is an error without a status.
"""

STATUSES: dict[str, str] = {
    "completed": """\
The answer is there.

```text
> gemini_ask(prompt="My name is Ada.")
```
""",
    "running": """\
The call could not wait any longer; the work goes on in the server.
A continue that has to wait for the turn before it may answer this too.

<!-- stage: {"restart": {"GEMINI_MCP_MAX_WAIT_SECONDS": "1"}} -->
<!-- stage: {"do": "hold_next"} -->
```text
> gemini_ask(prompt="A long story, please")
```
<!-- stage: {"do": "release"} -->
<!-- stage: {"restart": {"GEMINI_MCP_MAX_WAIT_SECONDS": "45"}} -->
""",
    "requires_action": """\
Gemini wants functions of yours to be run.
`_meta` has them as `function_calls`, where they fit.

<!-- stage: {"do": "answer_next", "args": {"answer": {"steps": [{"type": "function_call", "id": "call_1", "name": "weather", "arguments": {"city": "Paris"}}], "status": "requires_action"}}} -->
```text
> gemini_ask(prompt="What is the weather in Paris?", tools=[{"type": "function",
    "name": "weather", "parameters": {"type": "object",
    "properties": {"city": {"type": "string"}}}}])
```
""",
    "plan_ready": """\
The plan of a research waits for a person's yes.

```text
> start_deep_research(question="Is tea older than coffee?", plan_first=true)

> check_research(wait_seconds=20)  # the first 4 lines
```
""",
    "incomplete": """\
Gemini stopped early; what it had said is there, and the conversation can go on.

<!-- stage: {"do": "answer_next", "args": {"answer": {"text": "One, two, three,", "status": "incomplete"}}} -->
```text
> gemini_ask(prompt="Count to a million.")
```
""",
    "interrupted": """\
The server's process ended before the answer was there, and Google did not have it either.
It is never sent again by itself.

<!-- stage: {"restart": {"GEMINI_MCP_MAX_WAIT_SECONDS": "1"}} -->
<!-- stage: {"do": "hold_next"} -->
```text
> gemini_ask(prompt="A long story, please")
```
<!-- stage: {"restart": {"GEMINI_MCP_MAX_WAIT_SECONDS": "45"}} -->
The server is stopped and started again:

```text
> gemini_result(id="c_#last")
```
""",
    "stalled": """\
A research that Google has not finished after 70 minutes.
Nobody follows it any more, but `check_research` still looks.

<!-- stage: {"do": "hold_background"} -->
```text
> start_deep_research(question="Is tea older than coffee?")
```
<!-- stage: {"wait": 4300} -->
```text
> check_research(wait_seconds=5)
```
<!-- stage: {"do": "hold_background", "args": {"held": false}} -->
""",
    "failed": """\
Gemini could not finish, or finished without an answer.
The next continue goes on from the last good turn, and says so.

<!-- stage: {"do": "answer_next", "args": {"answer": {"steps": [], "status": "failed", "errors": [{"code": "safety", "message": "Blocked."}]}}} -->
```text
> gemini_ask(prompt="Something nobody should answer")
```
""",
    "cancelled": """\
Somebody stopped it; what had arrived is kept.

<!-- stage: {"do": "hold_background"} -->
```text
> start_deep_research(question="Is coffee older than tea?")

> cancel_research(research_id="r_#last")
```
<!-- stage: {"do": "hold_background", "args": {"held": false}} -->
""",
}

GOOGLES = (
    "queued",
    "in_progress",
    "requires_continuation",
    "requires_action",
    "completed",
    "incomplete",
    "budget_exceeded",
    "failed",
    "cancelled",
    "something_new",
)

_TEXT = {"type": "model_output", "content": [{"type": "text", "text": "So it is."}]}
_CALL = {"type": "function_call", "id": "call_1", "name": "weather", "arguments": {"city": "Paris"}}
_PIXEL = {"type": "image", "mime_type": "image/png", "data": "iVBORw0KGgo="}

# One example of each kind of step the API has, and what else a reply needs to make sense of it.
STEPS: tuple[tuple[dict[str, Any], ...], ...] = (
    (_TEXT,),
    (
        {
            "type": "model_output",
            "content": [
                {
                    "type": "text",
                    "text": "Argon was launched in September.",
                    "annotations": [
                        {
                            "type": "url_citation",
                            "start_index": 0,
                            "end_index": 32,
                            "title": "The Argon blog",
                            "url": "https://blog.example/argon",
                        }
                    ],
                }
            ],
        },
    ),
    ({"type": "model_output", "content": [_PIXEL]},),
    ({"type": "model_output", "content": [{"type": "audio", "mime_type": "audio/wav"}]},),
    (
        {
            "type": "thought",
            "summary": [{"type": "text", "text": "**Weighing it**"}],
            "signature": "…",
        },
        _TEXT,
    ),
    (_CALL,),
    (_CALL, {"type": "function_result", "call_id": "call_1", "name": "weather", "result": "Sun"}),
    (
        {"type": "google_search_call", "id": "s_1", "arguments": {"queries": ["argon launch"]}},
        {"type": "google_search_result", "call_id": "s_1", "result": [{"search_suggestions": "…"}]},
        _TEXT,
    ),
    (
        {"type": "url_context_call", "id": "u_1", "arguments": {"urls": ["https://example.com"]}},
        {
            "type": "url_context_result",
            "call_id": "u_1",
            "result": [{"url": "https://example.com", "status": "success"}],
        },
        _TEXT,
    ),
    (
        {
            "type": "code_execution_call",
            "id": "x_1",
            "arguments": {"language": "python", "code": "print(2**10)"},
        },
        {"type": "code_execution_result", "call_id": "x_1", "result": "1024\n", "is_error": False},
        _TEXT,
    ),
    (
        {"type": "google_maps_call", "id": "m_1", "arguments": {"queries": ["cafe"]}},
        {
            "type": "google_maps_result",
            "call_id": "m_1",
            "result": [{"places": [{"name": "Cafe Tea", "url": "https://maps.example/1"}]}],
        },
        _TEXT,
    ),
    (
        {"type": "file_search_call", "id": "f_1"},
        {"type": "file_search_result", "call_id": "f_1"},
        _TEXT,
    ),
    (
        {
            "type": "mcp_server_tool_call",
            "id": "t_1",
            "server_name": "docs",
            "name": "look",
            "arguments": {"query": "argon"},
        },
        {"type": "mcp_server_tool_result", "call_id": "t_1", "result": "found it"},
        _TEXT,
    ),
    (
        {"type": "retrieval_call", "id": "r_1", "arguments": {"queries": ["argon"]}},
        {"type": "retrieval_result", "call_id": "r_1"},
        _TEXT,
    ),
    (
        {"type": "processing_call", "id": "p_1"},
        {"type": "processing_result", "call_id": "p_1"},
        _TEXT,
    ),
    (
        {"type": "tool_search_call", "id": "o_1"},
        {"type": "tool_search_result", "call_id": "o_1"},
        _TEXT,
    ),
    ({"type": "brand_new_step"}, _TEXT),
)

GOOGLES_HEAD = """\
## Google's statuses

Google has nine statuses of its own, and new ones may come.
"""

STEPS_HEAD = """\
## Steps

Google answers in steps.
This is what each kind of step becomes in the text a model reads; steps that say nothing are left out, as are search widgets and signatures.
"""


def page() -> str:
    """The page, its exchanges still without answers."""
    missing = set(get_args(Status)) - STATUSES.keys()
    if missing:
        raise LookupError(f"{sorted(missing)} need examples in docs/generator/statuses_page.py.")
    parts = [HEAD]
    for status, example in STATUSES.items():
        parts += [f"## {status}", example]
    rows = [[f"`{each}`", _ours(each)] for each in GOOGLES]
    parts += [GOOGLES_HEAD, table(["at Google", "here"], rows), STEPS_HEAD]
    return joined([*parts, *map(_example, STEPS)])


def _ours(status: str) -> str:
    interaction = Interaction("v1_x", status, steps=(_TEXT,))
    if not outcomes.is_over(interaction):
        return "`running`"
    if status == "requires_action":
        interaction = Interaction("v1_x", status, steps=(_CALL,))
    with_text = outcomes.of(interaction).status
    without = outcomes.of(Interaction("v1_x", status)).status
    alone = f"; `{without}` without any output" if without != with_text else ""
    return f"`{with_text}`{alone}"


def _example(steps: tuple[dict[str, Any], ...]) -> str:
    kinds = dict.fromkeys(
        str(step["type"]) for step in steps if step is not _TEXT or len(steps) == 1
    )
    contents = [c["type"] for c in steps[0].get("content", []) if c["type"] != "text"]
    cited = "annotations" in json.dumps(steps[0]) and " with a source"
    title = ", ".join(f"`{kind}`" for kind in kinds) + (f" with {contents[0]}" if contents else "")
    read = answer_text.read(steps)
    text = read.text or "(nothing: the functions are listed as pending)"
    fence = "````" if "```" in text else "```"
    return f"### {title}{cited or ''}\n\n{fence}markdown\n{text}\n{fence}"
