"""What a model reads when something is not done, and what programs read beside it.

A *refusal* is ours: nothing was sent, nothing was written down, and there is no status. A
*failure* is a turn that Google, or the way to Google, did not finish: it has a status, an id,
and is kept.
"""

from __future__ import annotations

import os
from typing import Any

import pytest

from gemini_interactions.config.api_key import save_key
from tests.support.app_harness import META, AppHarness, McpClient, ToolResult, mask_ids

LIST_THEM = "Call gemini_history to see the conversations there are."
NOT_AN_ID = (
    "is not an id of this server. Ids look like c_… (a conversation) or c_…/3 (its third turn). "
    "Call gemini_history to see the ones there are."
)
NO_KEY = (
    "There is no Gemini API key. Create one at aistudio.google.com/apikey, then run "
    "`gemini-interactions-mcp key` in a terminal (or set GEMINI_API_KEY in this server's "
    "environment) and try again; no restart is needed after the key command."
)
WRONG_KEY = (
    "Gemini did not accept the API key. Run `gemini-interactions-mcp key` in a terminal to set a "
    "valid one (from aistudio.google.com/apikey), then try again."
)
NO_MODEL = (
    "Gemini has no such model. Leave `model` out for the default, or use an alias: fast, pro, lite."
)

# Asked of a server with one conversation of two turns, {c}; its first interaction is {v1}.
REFUSALS: dict[str, tuple[str, dict[str, Any], str]] = {
    "an unknown conversation": (
        "gemini_continue",
        {"prompt": "Hello.", "conversation_id": "c_zzzzzzzzzz"},
        f"There is no conversation 'c_…' here. {LIST_THEM}",
    ),
    "a turn of an unknown conversation": (
        "gemini_continue",
        {"prompt": "Hello.", "conversation_id": "c_zzzzzzzzzz", "turn": 1},
        f"There is no conversation 'c_…' here. {LIST_THEM}",
    ),
    "the result of an unknown conversation": (
        "gemini_result",
        {"id": "c_zzzzzzzzzz"},
        f"There is no conversation 'c_…' here. {LIST_THEM}",
    ),
    "the result of an unknown turn": (
        "gemini_result",
        {"id": "c_zzzzzzzzzz/1"},
        f"There is no conversation 'c_…' here. {LIST_THEM}",
    ),
    "the transcript of an unknown conversation": (
        "gemini_history",
        {"id": "c_zzzzzzzzzz"},
        f"There is no conversation 'c_…' here. {LIST_THEM}",
    ),
    "a malformed id in a continue": (
        "gemini_continue",
        {"prompt": "Hello.", "conversation_id": "conversation 3"},
        f"'conversation 3' {NOT_AN_ID}",
    ),
    "a malformed id in a result": ("gemini_result", {"id": "c_1"}, f"'c_1' {NOT_AN_ID}"),
    "a malformed id in the history": ("gemini_history", {"id": "turn 1"}, f"'turn 1' {NOT_AN_ID}"),
    "turn zero in an id": ("gemini_result", {"id": "{c}/0"}, f"'c_…/0' {NOT_AN_ID}"),
    "a turn out of range": (
        "gemini_continue",
        {"prompt": "Hello.", "conversation_id": "{c}", "turn": 3},
        'c_… has turns 1 to 2; there is no turn 3. Call gemini_history with id "c_…" to read it.',
    ),
    "a turn out of range in the default conversation": (
        "gemini_continue",
        {"prompt": "Hello.", "turn": 99},
        'c_… has turns 1 to 2; there is no turn 99. Call gemini_history with id "c_…" to read it.',
    ),
    "a turn out of range in an id": (
        "gemini_result",
        {"id": "{c}/3"},
        'c_… has turns 1 to 2; there is no turn 3. Call gemini_history with id "c_…" to read it.',
    ),
    "a turn id and turn together": (
        "gemini_continue",
        {"prompt": "Hello.", "conversation_id": "{c}/1", "turn": 1},
        "`turn` was given, but c_…/1 already names one turn. "
        "Leave `turn` out, or pass the conversation's id (c_…).",
    ),
    "Google's id and turn together": (
        "gemini_continue",
        {"prompt": "Hello.", "conversation_id": "{v1}", "turn": 1},
        "`turn` was given, but v1_… already names one turn. "
        "Leave `turn` out, or pass the conversation's id (c_…).",
    ),
    "the result of Google's id": (
        "gemini_result",
        {"id": "{v1}"},
        "v1_… is Google's own id; only gemini_continue takes those. "
        "Pass an id of this server instead: they stand in the last line of answers.",
    ),
    "an empty prompt in an ask": (
        "gemini_ask",
        {"prompt": ""},
        "`prompt` is empty. Say what Gemini should answer.",
    ),
    "an empty prompt in a continue": (
        "gemini_continue",
        {"prompt": "  "},
        "`prompt` is empty. Say what Gemini should answer.",
    ),
    "no prompt at all": ("gemini_ask", {}, "`prompt` is required: text."),
    "an unknown argument": (
        "gemini_result",
        {"id": "{c}", "verbose": True},
        "`verbose` is not a parameter of gemini_result. It takes: id, wait_seconds, offset.",
    ),
}


@pytest.mark.parametrize(("tool", "arguments", "text"), REFUSALS.values(), ids=REFUSALS)
async def test_a_refusal_is_one_or_two_sentences_and_leaves_no_trace(
    harness: AppHarness, client: McpClient, tool: str, arguments: dict[str, Any], text: str
) -> None:
    first = await client.ask("one")
    await client.follow("two")
    before = await client.history()
    ids = {"{c}": first.conversation, "{v1}": first.interaction}
    for name, value in arguments.items():
        for placeholder, id in ids.items():
            value = value.replace(placeholder, id) if isinstance(value, str) else value
        arguments = {**arguments, name: value}

    said = await client.call(tool, **arguments)

    assert mask_ids(said.text) == text
    assert said.is_error
    assert META not in (said.raw.meta or {})
    assert (await client.history()).text == before.text
    assert len(harness.bodies) == 2


async def test_a_call_without_a_key_says_how_to_get_and_set_one(harness: AppHarness) -> None:
    harness.set(GEMINI_API_KEY=None)
    client = await harness.connect()

    asked = await client.ask("Hello.")
    adopted = await client.follow("Hello.", conversation_id=harness.control.unknown_id())

    for said in (asked, adopted):
        assert said.text.startswith(NO_KEY)
        assert said.is_error
        assert said.facts == {}
    assert (await client.history()).text.startswith("There is no conversation here.")
    assert harness.control.log == []


@pytest.mark.parametrize("unset", ["", "  ", "${GEMINI_API_KEY}"])
async def test_a_key_its_host_did_not_fill_in_is_no_key(harness: AppHarness, unset: str) -> None:
    harness.set(GEMINI_API_KEY=unset)
    client = await harness.connect()

    said = await client.ask("Hello.")

    assert said.text.startswith(NO_KEY)


async def test_what_needs_no_key_works_without_one(harness: AppHarness, client: McpClient) -> None:
    first = await client.ask("one")
    harness.set(GEMINI_API_KEY=None)

    refused = await client.follow("two")

    assert refused.text.startswith(NO_KEY)
    assert (await client.result(first.id)).piece == first.piece
    assert (await client.history()).text.startswith(first.conversation)


async def test_a_key_set_with_the_command_works_without_a_restart(harness: AppHarness) -> None:
    harness.set(GEMINI_API_KEY=None)
    client = await harness.connect()
    await client.ask("Hello.")
    save_key(harness.folder, "a-key-of-mine")

    said = await client.ask("Hello.")

    assert said.status == "completed"


async def test_after_a_wrong_key_is_fixed_the_conversation_goes_on(
    harness: AppHarness, client: McpClient
) -> None:
    first = await client.ask("My name is Ada.")
    harness.set(GEMINI_API_KEY="wrong-key")
    failed = await client.follow("What is my name?", system_instruction="Be brief.")
    harness.set(GEMINI_API_KEY="test-key")

    said = await client.follow("What is my name?")

    assert (failed.status, failed.is_error) == ("failed", True)
    assert failed.text.startswith(WRONG_KEY)
    assert "wrong-key" not in str(failed.raw)
    assert (said.id, said.piece) == (f"{first.conversation}/3", "Your name is Ada.")
    assert harness.last["system_instruction"] == "Be brief."


# -------------------------------------------------------------------------------- failures

NO_PERMISSION = (
    'Google refuses this to the API key in use (permission denied): "The caller does not have '
    "permission\". Check in AI Studio or the Google Cloud console what the key's project may use, "
    "or leave out what needs the permission (a model, a tool, a file)."
)
# What Google answers (or does not), and the sentence a model reads; each ends with a footer.
FAILURES: dict[str, tuple[dict[str, Any], str]] = {
    "a wrong key": ({"status": 401}, WRONG_KEY),
    "a key without permission": ({"status": 403}, NO_PERMISSION),
    "an unknown model": ({"status": 404, "code": "model_not_found", "times": 2}, NO_MODEL),
    "a request Google does not take": (
        {"status": 400, "message": "The tools do not go together."},
        'Gemini rejected the request: "The tools do not go together." Change it and try again.',
    ),
    "a request Google does not take, at length": (
        {"status": 400, "message": "No. " * 100},
        f'Gemini rejected the request: "{("No. " * 100)[:199]}…" Change it and try again.',
    ),
    "a refusal that quotes the key": (
        {
            "status": 400,
            "message": "Bad key=a1b2 AIzaSyA-000 Bearer abc.def at https://x.test/p?key=a1b2 here",
        },
        'Gemini rejected the request: "Bad … … … at … here" Change it and try again.',
    ),
    "a refusal in HTML": (
        {"status": 400, "body": "html"},
        "Gemini rejected the request without saying why. Change it and try again.",
    ),
    "a quota that is used up": (
        {"status": 429},
        "Gemini's rate limit or quota is used up. Try again in a minute, or use another model.",
    ),
    "trouble at Google": (
        {"status": 500},
        "Gemini had an error of its own and gave no answer. The call was not repeated, since that "
        "could be billed twice: try again in a minute.",
    ),
}


@pytest.mark.parametrize(("answer", "text"), FAILURES.values(), ids=FAILURES)
async def test_a_failure_is_told_in_our_words_and_kept_as_a_turn(
    harness: AppHarness, client: McpClient, answer: dict[str, Any], text: str
) -> None:
    harness.control.fail_next(**answer)

    said = await client.ask("Hello.")

    assert mask_ids(said.text) == f"{text}\nconversation c_… · turn 1 · gemini-3.8-flash"
    assert said.is_error
    assert said.facts == {
        "status": "failed",
        "id": f"{said.conversation}/1",
        "conversation_id": said.conversation,
        "turn": 1,
        "model": "gemini-3.8-flash",
    }
    assert (await client.result(said.id)).text == said.text
    assert (await client.result(said.id)).is_error
    assert "last turn failed" in (await client.history()).text
    assert len(harness.bodies) == answer.get("times", 1)


def with_problem(code: str) -> dict[str, str]:
    return {"code": code, "message": f"It was {code}."}


# What Google answered, and the sentence a model reads.
EMPTY: dict[str, tuple[dict[str, Any], str]] = {
    "blocked": (
        {"steps": [], "errors": [with_problem("prohibited_content")]},
        "Gemini finished without an answer: it was blocked (prohibited_content). "
        "Rephrase the prompt.",
    ),
    "blocked, said in the step": (
        {"steps": [{"type": "model_output", "error": with_problem("safety")}]},
        "Gemini finished without an answer: it was blocked (safety). Rephrase the prompt.",
    ),
    "empty, and no reason given": (
        {"steps": []},
        "Gemini finished without an answer and gave no reason. "
        "Rephrase the prompt or use another model.",
    ),
    "a text of blanks": (
        {"text": " \n "},
        "Gemini finished without an answer and gave no reason. "
        "Rephrase the prompt or use another model.",
    ),
    "failed, with a reason": (
        {"steps": [], "status": "failed", "errors": [with_problem("internal")]},
        'Gemini could not finish this (internal): "It was internal". '
        "Try again, or ask differently.",
    ),
    "failed, and no reason given": (
        {"steps": [], "status": "failed"},
        "Gemini could not finish this and gave no reason. "
        "Rephrase the prompt or use another model.",
    ),
}


@pytest.mark.parametrize(("answer", "text"), EMPTY.values(), ids=EMPTY)
async def test_an_answer_without_words_is_a_failure_that_says_why(
    harness: AppHarness, client: McpClient, answer: dict[str, Any], text: str
) -> None:
    harness.control.answer_next(answer)

    said = await client.ask("Hello.")

    assert said.status == "failed"
    assert said.is_error
    assert text in said.text.splitlines()


# -------------------------------------------------------------------------------- no leaks


async def every_kind_of_text(harness: AppHarness, client: McpClient) -> list[ToolResult]:
    """Answers, refusals and failures, a long text (whose path is told) left out."""
    said = [await client.ask("one"), await client.follow("two"), await client.follow("")]
    said.append(await client.ask("Hello.", model="gemini-99"))
    for fault in ("reset", "invalid_json", "empty_body", "text_plain", "api_key_not_valid"):
        harness.control.fault_next(fault)
        said.append(await client.ask(fault))
    harness.control.fail_next(500, body="html", message=f"in {harness.folder} with {KEY}")
    said.append(await client.ask("html"))
    return [*said, await client.history(), await client.history(id=said[0].conversation)]


KEY = "AIzaSy-not-a-real-key-0123456789abcdef"


async def test_no_text_holds_a_key_a_path_or_a_trace(harness: AppHarness) -> None:
    harness.set(GEMINI_API_KEY=KEY)
    client = await harness.connect()

    for said in await every_kind_of_text(harness, client):
        everything = f"{said.text} {said.raw.meta}"
        for secret in (
            KEY,
            str(harness.folder),
            os.environ["GOOGLE_GEMINI_BASE_URL"],
            "Traceback",
            "Error:",
            ".py",
            "httpx",
            "google.genai",
            "<html",
        ):
            assert secret not in everything


async def test_no_log_holds_a_key_or_a_prompt(
    harness: AppHarness, caplog: pytest.LogCaptureFixture
) -> None:
    harness.set(GEMINI_API_KEY=KEY)
    client = await harness.connect()
    harness.control.fault_next("reset")
    await client.ask("A very private prompt.")
    harness.control.fail_next(400, message="A very private prompt.")
    await client.ask("A very private prompt.")

    await every_kind_of_text(harness, client)

    assert KEY not in caplog.text
    assert "very private" not in caplog.text


async def test_no_file_here_holds_the_key(harness: AppHarness) -> None:
    harness.set(GEMINI_API_KEY=KEY)
    client = await harness.connect()
    await every_kind_of_text(harness, client)
    await client.disconnect()

    files = [file for file in harness.folder.rglob("*") if file.is_file()]

    assert files
    assert [file.name for file in files if KEY.encode() in file.read_bytes()] == []
