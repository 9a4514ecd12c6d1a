"""Agents in a sandbox: custom ones, what they do, their environments and the files in these."""

import base64

import pytest
from google.genai._interactions import BadRequestError, ConflictError, NotFoundError

from gemini_emulator import EmulatorControl

pytestmark = [
    pytest.mark.filterwarnings("ignore:Agents usage is experimental"),
    pytest.mark.filterwarnings("ignore:Environments usage is experimental"),
]

AGENT = "antigravity-preview-09-2026"


async def run(gemini, prompt, **more):
    return await gemini.create(agent=AGENT, input=prompt, background=True, **more)


async def listed(client, environment, path="", **more):
    found = await client.aio.environments.files.list(environment=environment, path=path, **more)
    return [each.path for each in found.files or []]


async def test_a_run_writes_files_into_its_environment(gemini, client):
    made = await run(gemini, "Write notes/a.md with the words of the day.")
    done = await gemini.get(made.id)

    assert done.status == "completed"
    assert "I wrote notes/a.md" in done.output_text
    assert [step.type for step in done.steps][1:] == [
        "thought",
        *("code_execution_call", "code_execution_result"),
        *("function_call", "function_result", "model_output"),
    ]
    assert await listed(client, done.environment_id) == ["notes"]
    assert await listed(client, done.environment_id, recursive=True) == ["notes/a.md"]
    files = client.aio.environments.files
    data = await files.download(environment=done.environment_id, path="notes/a.md")
    assert data == b"the words of the day\n"


async def test_the_next_run_finds_the_files_only_in_the_same_environment(gemini, client):
    first = await run(gemini, "Write a.txt with hello")
    with_both = await run(
        gemini,
        "Read a.txt",
        previous_interaction_id=first.id,
        environment=first.environment_id,
    )
    without = await run(gemini, "Read a.txt", previous_interaction_id=first.id)

    assert "a.txt says: hello" in (await gemini.get(with_both.id)).output_text
    assert "a.txt says: no such file" in (await gemini.get(without.id)).output_text
    prefixed = await run(gemini, "x", environment=f"env_{first.environment_id}")
    assert prefixed.environment_id != first.environment_id


async def test_sources_and_network_rules_come_with_an_environment(gemini):
    source = {
        "type": "inline",
        "target": "in/data.csv",
        "content": base64.b64encode(b"a,b\n").decode(),
        "encoding": "base64",
    }
    rules = [{"domain": "*.example.com"}]
    closed = {"type": "remote", "sources": [source], "network": "disabled"}
    opened = {"type": "remote", "network": {"allowlist": rules}}
    prompt = "Read in/data.csv and fetch https://docs.example.com/x and https://other.org/y"

    shut = await gemini.get((await run(gemini, prompt, environment=closed)).id)
    some = await gemini.get((await run(gemini, prompt, environment=opened)).id)

    assert "in/data.csv says: a,b" in shut.output_text
    assert shut.output_text.count("the network is closed") == 2
    assert "I fetched https://docs.example.com/x" in some.output_text
    assert some.output_text.count("the network is closed") == 1


async def test_files_can_be_read_only_once_the_run_rests(gemini, client, control: EmulatorControl):
    control.hold_background()
    made = await run(gemini, "Write a.txt with hello")
    with pytest.raises(NotFoundError):
        await listed(client, made.environment_id)

    control.snapshot_seconds = 900
    control.finish(made.id)
    with pytest.raises(NotFoundError):
        await listed(client, made.environment_id)
    control.advance(900)

    assert await listed(client, made.environment_id) == ["a.txt"]


async def test_a_budget_ends_a_run_incomplete(gemini):
    made = await run(
        gemini, "Write a.txt", agent_config={"type": "antigravity", "max_total_tokens": 9000}
    )
    await gemini.get(made.id)  # usage comes one look late
    done = await gemini.get(made.id)

    assert done.status == "incomplete"
    assert done.usage.total_tokens == 9000
    assert done.output_text == ""


async def test_the_stream_tells_what_each_step_used(gemini, control: EmulatorControl):
    made = await run(gemini, "Write a.txt")
    stream = await gemini.get(made.id, stream=True)
    stops = [e async for e in stream if e.event_type == "step.stop"]

    assert [e.usage.total_tokens for e in stops[:2]] == [4000, 8000]


async def test_environments_are_listed_and_end(gemini, client, control: EmulatorControl):
    first, second = await run(gemini, "x"), await run(gemini, "y")
    environments = client.aio.environments
    found = await environments.list()
    assert [each.id for each in found.environments] == [first.environment_id, second.environment_id]
    assert (await environments.get(id=first.environment_id)).status == "active"

    await environments.delete(id=first.environment_id)
    control.expire_environment(second.environment_id)
    for gone in (first, second):
        with pytest.raises(NotFoundError):
            await run(gemini, "z", environment=gone.environment_id)


async def test_an_environment_nobody_uses_is_kept_for_seven_days(gemini, client, control):
    made = await run(gemini, "x")
    control.advance(7 * 86400)

    assert (await client.aio.environments.get(id=made.environment_id)).status == "expired"
    with pytest.raises(NotFoundError):
        await listed(client, made.environment_id)


async def test_custom_agents_are_made_run_and_deleted(gemini, client):
    agents = client.aio.agents
    await agents.create(id="reviewer", base_agent=AGENT, system_instruction="Be brief.")
    assert (await agents.get(id="reviewer")).system_instruction == "Be brief."
    assert "reviewer" in [each.id for each in (await agents.list()).agents]
    made = await gemini.create(agent="reviewer", input="Write a.txt", background=True)
    assert "[Be brief.]" in (await gemini.get(made.id)).output_text
    with pytest.raises(ConflictError):
        await agents.create(id="reviewer", base_agent=AGENT)
    with pytest.raises(BadRequestError):
        await agents.create(id="other", base_agent="nobody")

    await agents.delete(id="reviewer")
    with pytest.raises(NotFoundError):
        await gemini.create(agent="reviewer", input="x", background=True)


@pytest.mark.parametrize(
    "more",
    [
        {"response_format": {"type": "text"}},
        {"tools": [{"type": "google_maps"}]},
        {"tools": [{"type": "computer_use"}]},
        {"tools": [{"type": "mcp_server", "name": "no spaces", "url": "https://x.example"}]},
        {"agent_config": {"type": "antigravity", "max_total_tokens": 0}},
        {"environment": {"type": "remote", "network": "open"}},
        {"environment": {"type": "remote", "sources": [{"type": "inline"}]}},
    ],
)
async def test_what_antigravity_does_not_take_is_refused(raw, more):
    body = {"agent": AGENT, "input": "x", "background": True, **more}

    assert (await raw.post("/v1beta/interactions", json=body)).status_code == 400


async def test_a_run_may_be_404_just_after_it_was_made(gemini, control: EmulatorControl):
    control.lag("next", gets=1)
    made = await run(gemini, "x")

    with pytest.raises(NotFoundError):
        await gemini.get(made.id)
    assert (await gemini.get(made.id)).status == "completed"


async def test_computer_use_asks_for_one_action_after_the_other(gemini):
    tools = [{"type": "computer_use", "environment": "browser"}]
    prompt = 'Open https://example.com and type "hello", then send it.'
    turn = await gemini.create(model="gemini-3.8-flash", input=prompt, tools=tools)
    names, decisions = [], []
    while turn.status == "requires_action":
        call = next(step for step in turn.steps if step.type == "function_call")
        names.append(call.name)
        decisions.append(call.arguments.get("safety_decision", {}).get("decision"))
        shot = {"type": "image", "data": "AAAA", "mime_type": "image/png"}
        given = {"type": "function_result", "call_id": call.id, "name": call.name, "result": [shot]}
        turn = await gemini.create(
            model="gemini-3.8-flash",
            input=[given],
            tools=tools,
            previous_interaction_id=turn.id,
        )

    assert names == ["navigate", "type_text_at", "click_at"]
    assert decisions == [None, None, "require_confirmation"]
    assert turn.output_text == "I did 3 actions and saw 3 screenshots."
