"""Reports: worth reading, cited, with charts, as text, as a file and as a resource."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import anyio
import pytest
from mcp.shared.exceptions import MCPError
from mcp_types import TextResourceContents

from tests.support.app_harness import McpClient, ToolResult
from tests.support.file_samples import PIXEL
from tests.support.research_client import QUESTION, RUN, ResearchClient, running_count, until

NAME = "how-many-storks-nest-in-zurich-and-why"
CHART = re.compile(r"!\[Chart (\d) \((i_\w{10})\)\]\(([\w.-]+)\)")


def text_block(text: str, **sources: str) -> dict[str, object]:
    """A text in which these words ("_" is a full stop or comma) come from these sources."""
    notes = []
    for word, source in sources.items():
        (found,) = re.finditer(word.replace("_", "[.,]"), text)
        url = f"https://vertexaisearch.cloud.google.com/grounding-api-redirect/{source}"
        place = {"start_index": 0, "end_index": len(text[: found.end()].encode())}
        notes.append({"type": "url_citation", "url": url, "title": f"{source}.example", **place})
    return {"type": "text", "text": text, "annotations": notes}


def model_output(*contents: Mapping[str, object]) -> dict[str, object]:
    return {"type": "model_output", "content": list(contents)}


async def finished(researcher: ResearchClient, *steps: Mapping[str, object]) -> ToolResult:
    """The report of a run that ended with these steps."""
    researcher.harness.control.hold_background()
    started = await researcher.start()
    researcher.harness.clock.advance(RUN)
    researcher.harness.control.finish(
        started.interaction, {"steps": [dict(step) for step in steps]}
    )
    return await researcher.check(started.id, wait_seconds=10)


def path(said: ToolResult) -> Path:
    return Path(str(said.facts["path"]))


# -- the text -----------------------------------------------------------------------------


async def test_a_report_has_all_it_says_with_marks_and_sources_in_their_order(
    researcher: ResearchClient,
) -> None:
    said = await finished(
        researcher,
        {"type": "google_search_call", "id": "s", "arguments": {"queries": ["storks"]}},
        {"type": "google_search_result", "call_id": "s", "result": []},
        {"type": "code_execution_call", "id": "c", "arguments": {"code": "print(1)"}},
        {"type": "code_execution_result", "call_id": "c", "result": "1"},
        model_output(
            text_block("# Storks – 東京\n\nTen pairs – naïve. Why?", pairs="tens", naïve_="words")
        ),
        model_output(text_block("Frogs, über alles.", Frogs_="frogs")),
    )

    assert said.piece == (
        "# Storks – 東京\n\nTen pairs[1] – naïve.[2] Why?\n\nFrogs,[3] über alles.\n\n"
        "Sources:\n1. tens.example\n2. words.example\n3. frogs.example"
    )


async def test_sources_lead_where_googles_redirects_lead(researcher: ResearchClient) -> None:
    asked: list[str] = []

    async def resolve(urls: Sequence[str]) -> Mapping[str, str]:
        asked.extend(urls)
        return {url: f"https://storks.example/{number}" for number, url in enumerate(urls)}

    researcher.harness.resolve = resolve
    researcher = ResearchClient(researcher.harness, await researcher.harness.connect())

    said = await researcher.report()

    assert all("grounding-api-redirect" in url for url in asked)
    assert "Sources:\n1. example.com — https://storks.example/0\n2. example.org —" in said.piece
    assert "grounding-api-redirect" not in said.text
    assert "https://storks.example/0" in path(said).read_text("utf-8")
    assert (await researcher.check(said.id)).text == said.text


async def test_a_report_without_a_heading_has_the_question_as_its_title(
    researcher: ResearchClient,
) -> None:
    said = await finished(researcher, model_output({"type": "text", "text": "Ten pairs."}))

    assert said.piece == f"# {QUESTION}\n\nTen pairs."


async def test_a_report_ends_with_what_it_took(researcher: ResearchClient) -> None:
    said = await researcher.report()

    assert said.tail.splitlines()[0] == "The research took 20 min 0 s."
    assert re.search(
        r"^research r_\w+ · conversation c_\w+ · turn 1 · deep-research-preview-04-2026 · "
        r"1,117,031 tokens \(428,865 in, 22,294 out, 26,213 thinking, "
        r"639,659 tool use\) · ~\$[\d.]+$",
        said.footer,
    )


async def test_how_long_it_took_is_googles_word_not_when_somebody_looked(
    researcher: ResearchClient,
) -> None:
    started = await researcher.start()
    await researcher.client.disconnect()
    researcher.harness.clock.advance(8 * 3600)

    said = await ResearchClient(researcher.harness, await researcher.harness.connect()).check(
        started.id, wait_seconds=10
    )

    assert "The research took 20 min 0 s." in said.tail


async def test_half_a_report_is_a_report(researcher: ResearchClient) -> None:
    researcher.harness.control.research_next("incomplete")

    said = await researcher.report()

    assert said.status == "incomplete"
    assert "## Findings" in said.piece
    assert "## Outlook" not in said.piece
    assert path(said).exists()


# -- the charts ---------------------------------------------------------------------------


async def test_charts_are_files_beside_the_report_linked_where_they_stand(
    researcher: ResearchClient,
) -> None:
    researcher.harness.control.report_charts = 3

    said = await researcher.report()

    charts = CHART.findall(said.piece)
    assert [number for number, _, _ in charts] == ["1", "2", "3"]
    assert CHART.findall(path(said).read_text("utf-8")) == charts
    for number, id, name in charts:
        file = path(said).parent / name
        assert file.read_bytes().startswith(b"\x89PNG")
        assert name == f"chart-{number}-how-many-storks-nest-in-zurich-{id}.png"
    after = [said.piece.index(f"*Chart {number}:") for number in (2, 3)]
    links = [said.piece.index(f"![Chart {number} ") for number in (2, 3)]
    assert links[0] < after[0] < links[1] < after[1]
    assert f"Charts, beside the report: {', '.join(id for _, id, _ in charts)}." in said.tail
    assert "[image" not in said.piece


async def test_a_charts_id_is_an_image_like_any_other(researcher: ResearchClient) -> None:
    said = await researcher.report()
    ((_, id, _),) = CHART.findall(said.piece)

    listed = await researcher.client.history(kind="images")
    edited = await researcher.client.call(
        "gemini_generate_image", prompt="Make the bars blue.", conversation_id=id
    )

    assert listed.piece.startswith(id)
    assert edited.status == "completed"
    assert researcher.harness.last["previous_interaction_id"] == said.interaction


async def test_words_that_look_like_a_chart_are_left_alone(researcher: ResearchClient) -> None:
    said = await finished(
        researcher,
        model_output({"type": "text", "text": "# Storks\n\nSee [image 1] and [image 2]."}),
    )

    assert said.piece == "# Storks\n\nSee [image 1] and [image 2]."


async def test_a_chart_that_cannot_be_kept_does_not_cost_the_report(
    researcher: ResearchClient,
) -> None:
    researcher.harness.folder.mkdir(parents=True, exist_ok=True)
    (researcher.harness.folder / "research").write_text("no folder")

    said = await researcher.report()

    assert said.status == "completed"
    assert said.piece.startswith(f"# {QUESTION}")
    assert "A chart could not be kept" in said.tail
    assert "path" not in said.facts


async def test_a_chart_that_is_no_image_costs_no_other(researcher: ResearchClient) -> None:
    good = {"type": "image", "mime_type": "image/png", "data": PIXEL}
    bad = {**good, "data": "!!!"}

    said = await finished(researcher, model_output(bad, good, {"type": "text", "text": "Many."}))

    assert said.status == "completed"
    assert [(number, name) for number, _, name in CHART.findall(said.piece)] == [
        ("2", researcher.files[0].name)
    ]
    assert "A chart could not be kept: it came from Google as no image" in said.tail


async def test_a_chart_that_google_does_not_hand_out_costs_only_itself(
    researcher: ResearchClient,
) -> None:
    uri = "https://generativelanguage.googleapis.com/v1beta/files/gone"
    far = {"type": "image", "mime_type": "image/png", "uri": uri}

    said = await finished(researcher, model_output(far, {"type": "text", "text": "Many."}))

    assert said.status == "completed"
    assert "A chart could not be kept: it could not be fetched from Google." in said.tail


async def test_tokens_without_their_sorts_are_told_without_a_price(
    researcher: ResearchClient,
) -> None:
    researcher.harness.control.hold_background()
    started = await researcher.start()
    told = {"text": "Many.", "usage": {"total_tokens": 1_117_031}}
    researcher.harness.control.finish(started.interaction, told)

    said = await researcher.check(started.id, wait_seconds=10)

    assert said.footer.endswith(" · 1,117,031 tokens")
    assert "1,117,031 tokens" in path(said).read_text("utf-8")
    assert "estimated" not in path(said).read_text("utf-8")


# -- the file -----------------------------------------------------------------------------


@pytest.mark.parametrize(("title", "name"), [("コウノトリ", "コウノトリ"), ("!?", "report")])
async def test_a_report_is_a_file_named_in_the_script_of_its_title(
    researcher: ResearchClient, title: str, name: str
) -> None:
    said = await finished(
        researcher, model_output({"type": "text", "text": f"# {title}\n\nいる。"})
    )

    assert path(said).name == f"{name}-{said.id}.md"


async def test_a_report_is_a_file_with_a_plain_name_for_this_user_only(
    researcher: ResearchClient,
) -> None:
    said = await researcher.report()

    file = path(said)
    assert file == researcher.harness.folder / "research" / f"{NAME}-{said.id}.md"
    assert f"The report as a file: {file}" in said.tail
    assert file.stat().st_mode & 0o077 == 0
    assert file.parent.stat().st_mode & 0o077 == 0
    text, _, closing = file.read_text("utf-8").rpartition("\n\n---\n")
    assert text == said.piece
    assert re.fullmatch(
        r"Gemini Deep Research \(deep-research-preview-04-2026\) · 20 min 0 s · "
        r"1,117,031 tokens · estimated ~\$[\d.]+\n",
        closing,
    )


async def test_a_long_report_is_read_on_exactly_and_written_to_one_file_only(
    researcher: ResearchClient,
) -> None:
    researcher.harness.control.report_bytes = 150_000
    researcher = ResearchClient(
        researcher.harness, await researcher.harness.connect(name="codex-mcp-client")
    )
    first = await researcher.report()

    pieces = [first]
    while (offset := pieces[-1].facts.get("next_offset")) is not None:
        more = (
            f'More follows: call check_research with research_id "{first.id}" and offset {offset}.'
        )
        assert more in pieces[-1].tail
        pieces.append(await researcher.check(first.id, offset=offset))
        assert len(pieces) < 40

    whole = path(first).read_text("utf-8").rpartition("\n\n---\n")[0]
    assert "".join(said.piece for said in pieces) == whole
    assert len(pieces) > 10
    assert all(len(said.text.encode()) <= 11_000 for said in pieces)
    assert not (researcher.harness.folder / "texts").exists()
    assert [file.suffix for file in researcher.files] == [".png", ".md"]


async def test_gemini_result_reads_a_long_report_on_as_well(researcher: ResearchClient) -> None:
    researcher.harness.control.report_bytes = 50_000
    researcher = ResearchClient(
        researcher.harness, await researcher.harness.connect(name="codex-mcp-client")
    )
    report = await researcher.report()

    first = await researcher.client.result(report.id)
    second = await researcher.client.result(report.id, offset=first.facts["next_offset"])

    assert f'call gemini_result with id "{report.id}" and offset' in first.tail
    assert (first.piece + second.piece) == path(report).read_text("utf-8")[
        : len(first.piece + second.piece)
    ]


# -- the resource -------------------------------------------------------------------------


async def read(client: McpClient, uri: str) -> str:
    (contents,) = (await client.sdk_client.read_resource(uri)).contents
    assert isinstance(contents, TextResourceContents)
    assert contents.mime_type == "text/markdown"
    return contents.text


async def test_a_report_is_a_resource(researcher: ResearchClient) -> None:
    researcher.harness.control.report_bytes = 100_000
    said = await researcher.report()

    text = await read(researcher.client, f"gemini://research/{said.id}/report")

    assert text == path(said).read_text("utf-8").rpartition("\n\n---\n")[0]


async def test_there_is_no_resource_before_there_is_a_report(researcher: ResearchClient) -> None:
    plan = await researcher.plan()
    running = await researcher.start("And in Basel?")

    for id, state in ((plan.id, "has a plan that waits"), (running.id, "is still running")):
        with pytest.raises(MCPError, match=f"{id} has no report yet: it {state}"):
            await read(researcher.client, f"gemini://research/{id}/report")
    with pytest.raises(MCPError, match="There is no research 'r_0000000000' here"):
        await read(researcher.client, "gemini://research/r_0000000000/report")


# -- what survives ------------------------------------------------------------------------


async def test_a_report_outlives_googles_copy(researcher: ResearchClient) -> None:
    report = await researcher.report()
    researcher.harness.clock.advance(60 * 24 * 3600)
    researcher.harness.control.expire_all()
    await researcher.client.disconnect()
    later = ResearchClient(researcher.harness, await researcher.harness.connect())

    said = await later.check(report.id)

    assert said.text == report.text
    assert await read(later.client, f"gemini://research/{report.id}/report") == report.piece


async def test_where_only_ids_are_kept_the_report_is_read_from_google(
    researcher: ResearchClient,
) -> None:
    researcher.harness.set(GEMINI_MCP_TRANSCRIPTS="off")
    researcher = ResearchClient(researcher.harness, await researcher.harness.connect())
    started = await researcher.start()
    researcher.harness.clock.advance(RUN)
    first = await researcher.check(started.id, wait_seconds=10)
    await researcher.client.disconnect()
    later = ResearchClient(researcher.harness, await researcher.harness.connect())

    said = await later.check(started.id)
    result = await later.client.result(started.id)

    assert first.piece.startswith(f"# {QUESTION}")
    assert (said.piece, result.piece) == (first.piece, first.piece)
    assert [file.suffix for file in researcher.files] == [".png"]
    for file in researcher.harness.folder.rglob("*.db*"):
        assert b"storks" not in file.read_bytes()


async def test_where_only_ids_are_kept_a_call_that_joins_a_finished_run_has_its_words(
    researcher: ResearchClient,
) -> None:
    researcher.harness.set(GEMINI_MCP_TRANSCRIPTS="off")
    researcher = ResearchClient(researcher.harness, await researcher.harness.connect())
    await researcher.start()
    researcher.harness.clock.advance(RUN)
    await until(lambda: running_count(researcher.client) == 0)
    researcher.harness.clock.advance(-RUN + 60)

    said = await researcher.start()

    assert "nothing was sent twice" in said.tail
    assert said.piece.startswith(f"# {QUESTION}")


async def test_looking_twice_at_once_makes_one_report(researcher: ResearchClient) -> None:
    researcher.harness.control.research_next("zombie")
    started = await researcher.start()
    researcher.harness.clock.advance(4300)
    others = [
        ResearchClient(researcher.harness, await researcher.harness.connect()) for _ in range(2)
    ]
    while (await researcher.check(started.id)).status != "stalled":
        pass
    researcher.harness.control.finish(started.interaction)

    async with anyio.create_task_group() as tasks:
        for each in (researcher, *others):
            tasks.start_soon(each.check, started.id)

    said = await researcher.check(started.id)
    assert said.status == "completed"
    assert [file.suffix for file in researcher.files] == [".png", ".md"]
    assert len(CHART.findall(said.piece)) == 1
