"""Deep Research: what its agents accept, how a run goes, and how it ends."""

import base64
import io

import pytest
from google.genai._interactions import BadRequestError, NotFoundError

from gemini_emulator import Answer, EmulatorControl, Moment
from tests.emulator.constants import FAST, MAX, MODEL

QUESTION = "How many storks nest in Zürich – and why?"
TALKATIVE = {"type": "deep-research", "thinking_summaries": "auto"}


async def start(gemini, question=QUESTION, *, agent=FAST, **options):
    return await gemini.create(agent=agent, input=question, background=True, **options)


def report_text(interaction):
    """All the text of a report, of every step."""
    outputs = [step for step in interaction.steps if step.type == "model_output"]
    return "".join(part.text for step in outputs for part in step.content if part.type == "text")


@pytest.mark.parametrize("agent", [FAST, MAX])
async def test_a_research_is_started_at_once_and_ends_as_a_report(gemini, agent):
    made = await start(gemini, agent=agent)
    got = await gemini.get(made.id)

    assert (made.status, made.steps, made.usage) == ("in_progress", [], None)
    assert (got.status, got.agent) == ("completed", agent)
    assert report_text(got).startswith(f"# {QUESTION}")


@pytest.mark.parametrize(
    "options",
    [
        {"background": False},
        {"store": False},
        {"system_instruction": "Be brief."},
        {"response_format": {"type": "text"}},
        {"generation_config": {"seed": 1}},
        {"tools": [{"type": "function", "name": "f", "parameters": {"type": "object"}}]},
        {"tools": [{"type": "google_maps"}]},
        {"agent_config": {"type": "deep-research", "depth": "max"}},
        {"agent_config": {"type": "dynamic"}},
        {"agent_config": {"type": "deep-research", "thinking_summaries": "always"}},
        {"agent_config": {"type": "deep-research", "visualization": "on"}},
        {"agent_config": {"type": "deep-research", "collaborative_planning": "yes"}},
    ],
    ids=lambda options: "-".join(options),
)
async def test_what_research_does_not_take_is_refused(raw, options):
    body = {"agent": FAST, "input": "Why?", "background": True, **options}
    answer = await raw.post("/v1/interactions", json=body)

    assert answer.status_code == 400


async def test_research_without_background_is_refused_in_these_words(gemini):
    with pytest.raises(BadRequestError, match="Agents are required to use background=true"):
        await gemini.create(agent=FAST, input="Why?")


@pytest.mark.parametrize(
    "agent", ["deep-research-pro-preview-12-2025", "antigravity-preview-05-2026"]
)
async def test_an_agent_that_is_gone_or_not_played_here_is_404(gemini, agent):
    with pytest.raises(NotFoundError):
        await start(gemini, agent=agent)


async def test_research_takes_documents_and_the_tools_it_knows(gemini):
    data = base64.b64encode(b"%PDF").decode()
    pdf = {"type": "document", "mime_type": "application/pdf", "data": data}
    picture = {"type": "image", "mime_type": "image/png", "uri": "https://example.com/a.png"}
    made = await start(
        gemini,
        [{"type": "text", "text": "Why?"}, pdf, picture],
        tools=[
            {"type": "google_search"},
            {"type": "url_context"},
            {"type": "code_execution"},
            {"type": "file_search", "file_search_store_names": ["fileSearchStores/s1"]},
            {"type": "mcp_server", "name": "notes", "url": "https://mcp.example.com/mcp"},
        ],
        agent_config={
            **TALKATIVE,
            "visualization": "auto",
            "collaborative_planning": False,
            "enable_bigquery_tool": False,
        },
    )
    got = await gemini.get(made.id)

    kinds = {step.type for step in got.steps}
    citations = [
        a for s in got.steps if s.type == "model_output" for p in s.content for a in notes(p)
    ]
    assert "document (application/pdf) of 4 bytes" in report_text(got)
    assert "image (image/png) at https://example.com/a.png" in report_text(got)
    assert {"file_search_call", "mcp_server_tool_call", "mcp_server_tool_result"} <= kinds
    assert "fileSearchStores/s1/documents/d" in [getattr(a, "document_uri", 0) for a in citations]


def notes(part):
    return (part.annotations or []) if part.type == "text" else []


async def test_a_report_has_two_parts_around_a_chart(gemini):
    got = await gemini.get((await start(gemini)).id)

    first, second = [step for step in got.steps if step.type == "model_output"]
    text, chart = first.content
    assert text.text.count("\n## ") >= 2
    assert [part.type for part in second.content] == ["text"]
    assert chart.mime_type == "image/png"
    assert picture(chart).size == (320, 200)


def picture(part):
    from PIL import Image

    opened = Image.open(io.BytesIO(base64.b64decode(part.data)))
    opened.load()
    return opened


async def test_citations_count_bytes_and_go_through_googles_redirects(gemini):
    got = await gemini.get((await start(gemini)).id)

    parts = [p for s in got.steps if s.type == "model_output" for p in s.content]
    for part in parts:
        raw = part.text.encode() if part.type == "text" else b""
        for note in notes(part):
            cited = raw[note.start_index : note.end_index].decode()
            assert note.url.startswith("https://vertexaisearch.cloud.google.com/grounding-api-")
            assert "/" not in note.title
            assert cited.endswith((".", "…"))
    assert len(parts[0].text.encode()) > len(parts[0].text)
    assert notes(parts[0])
    assert notes(parts[-1])


async def test_a_report_without_visualization_has_no_chart(gemini):
    config = {"type": "deep-research", "visualization": "off"}
    got = await gemini.get((await start(gemini, agent_config=config)).id)

    outputs = [step for step in got.steps if step.type == "model_output"]
    assert [[part.type for part in step.content] for step in outputs] == [["text"], ["text"]]


async def test_a_report_can_be_as_large_as_real_ones(gemini, control: EmulatorControl):
    control.report_bytes, control.report_charts = 1_300_000, 3
    got = await gemini.get((await start(gemini)).id)

    charts = [
        p for s in got.steps if s.type == "model_output" for p in s.content if p.type == "image"
    ]
    assert 1_300_000 <= len(report_text(got).encode()) < 1_320_000
    assert len({chart.data for chart in charts}) == 3


async def test_one_report_alone_can_be_wished_for(gemini, control: EmulatorControl):
    control.answer_next(Answer(report_bytes=20_000, charts=0, status="incomplete"))
    large = await gemini.get((await start(gemini)).id)
    usual = await gemini.get((await start(gemini)).id)

    assert large.status == "incomplete"
    assert len(report_text(large).encode()) >= 20_000
    assert len(report_text(usual).encode()) < 10_000


async def test_progress_grows_with_the_clock(gemini, control: EmulatorControl):
    control.research_seconds = 600
    made = await start(gemini, agent_config=TALKATIVE)
    looks = []
    for _ in range(11):
        looks.append(await gemini.get(made.id))
        control.advance(60)

    counts = [len(thoughts(look)) for look in looks]
    assert [look.status for look in looks] == [*["in_progress"] * 10, "completed"]
    assert counts == sorted(counts)
    assert counts[0] == 0
    assert 0 < counts[2] < counts[-1]
    searches = [step for step in looks[4].steps if step.type == "google_search_call"]
    assert all(search.arguments.queries for search in searches)
    assert searches
    assert not any(step.type == "model_output" for look in looks[:-1] for step in look.steps)


def thoughts(interaction):
    steps = [step for step in interaction.steps if step.type == "thought"]
    return [part.text for step in steps for part in step.summary or []]


@pytest.mark.parametrize("config", [None, {"type": "deep-research", "thinking_summaries": "none"}])
async def test_thoughts_are_told_only_to_who_asked_for_them(
    gemini, control: EmulatorControl, config
):
    control.research_seconds = 600
    made = await start(gemini, **({"agent_config": config} if config else {}))
    control.advance(540)
    running = await gemini.get(made.id)
    control.advance(60)
    done = await gemini.get(made.id)

    assert [step.type for step in running.steps if step.type == "thought"] == []
    assert any(step.type == "url_context_call" for step in running.steps)
    assert [step.type for step in done.steps if step.type == "thought"] == []


async def test_a_held_research_tells_what_it_is_told_to(gemini, control: EmulatorControl):
    control.hold_background()
    made = await start(gemini, agent_config=TALKATIVE)
    silent = await gemini.get(made.id)
    control.progress(made.id, 0.3)
    control.think(made.id, "**Counting storks**")
    talking = await gemini.get(made.id)
    control.finish(made.id, "# Storks\n\nThere are 12.")
    done = await gemini.get(made.id)

    assert silent.steps == []
    assert "**Counting storks**" in thoughts(talking)
    assert (done.status, done.output_text) == ("completed", "# Storks\n\nThere are 12.")
    assert thoughts(done) == thoughts(talking)


async def test_a_scripted_run_tells_its_progress_in_time(gemini, control: EmulatorControl):
    control.research_seconds = 100
    control.answer_next(Answer("Done.", progress=[Moment(0.5, thought="Halfway.")]))
    made = await start(gemini)
    early = await gemini.get(made.id)
    control.advance(50)
    halfway = await gemini.get(made.id)

    assert early.steps == []
    assert thoughts(halfway) == ["Halfway."]


async def test_usage_comes_a_look_later_than_the_report(gemini):
    made = await start(gemini)
    first = await gemini.get(made.id)
    second = await gemini.get(made.id)

    assert (first.status, first.usage) == ("completed", None)
    assert second.usage.total_tokens > 1_000_000


async def test_usage_can_be_there_at_once_or_after_seconds_or_never(
    gemini, control: EmulatorControl
):
    control.usage_later(0)
    at_once = await gemini.get((await start(gemini)).id)
    control.usage_later(0, seconds=5)
    later = await start(gemini)
    before = await gemini.get(later.id)
    control.advance(5)
    after = await gemini.get(later.id)
    control.usage_later(None)
    never = await start(gemini)
    looks = [await gemini.get(never.id) for _ in range(5)]

    assert at_once.usage is not None
    assert (before.usage, after.usage is not None) == (None, True)
    assert {look.usage for look in looks} == {None}


async def test_a_max_research_costs_more_than_a_fast_one(gemini, control: EmulatorControl):
    control.usage_later(0)
    fast = await gemini.get((await start(gemini)).id)
    most = await gemini.get((await start(gemini, agent=MAX)).id)

    assert most.usage.total_tokens > fast.usage.total_tokens
    assert len(most.steps) > len(fast.steps)


async def test_equal_researches_are_equal(gemini, emulator, control: EmulatorControl):
    first = await gemini.get((await start(gemini, agent_config=TALKATIVE)).id)
    emulator.control = EmulatorControl()
    second = await gemini.get((await start(gemini, agent_config=TALKATIVE)).id)

    assert first == second


async def test_a_research_can_be_read_through_the_control(gemini, control: EmulatorControl):
    control.research_seconds = 100
    made = await start(gemini, agent_config=TALKATIVE)
    control.advance(70)
    state = control.research(made.id)

    assert (state["question"], state["agent"], state["status"]) == (QUESTION, FAST, "in_progress")
    assert (state["share"], state["seconds"], state["is_plan"]) == (0.7, 100.0, False)
    assert len(state["thoughts"]) == 3
    assert state["searches"]
    assert state["pages"]
    with pytest.raises(KeyError):
        control.research("v1_nobody")


async def test_deleted_reports_are_gone_for_whoever_wants_to_follow_up(gemini):
    made = await start(gemini)
    await gemini.get(made.id)
    await gemini.delete(made.id)

    with pytest.raises(NotFoundError):
        await gemini.create(model=MODEL, input="And?", previous_interaction_id=made.id)
