"""Owners see only their own: what is another's reads exactly like what was never there.

Every tool, parameter, resource, prompt and route has its row; one that is added without a row
fails the first tests here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from mcp.shared.exceptions import MCPError
from mcp_types import PromptReference, ResourceTemplateReference

from gemini_interactions.config.setting_table import TOOLSETS
from gemini_interactions.tools.registry import tools
from tests.support.agent_client import AGENT, run_agent
from tests.support.app_harness import AppHarness, McpClient
from tests.support.gateway_harness import GatewayHarness

TOKENS = {"anns-token": "ann", "bobs-token": "bob"}
API = "https://generativelanguage.googleapis.com"
SECRET = "xylophone"
"""A word of Ann's that Bob must never read."""

FREE = {
    *("prompt", "question", "changes", "model", "tools", "thinking", "system_instruction"),
    *("response_schema", "store", "kind", "wait_seconds", "limit", "offset", "depth"),
    *("plan_first", "report_format", "aspect_ratio", "size", "service_tier"),
    *("text", "voice", "speakers", "language", "format", "task", "duration", "resolution"),
    *("network", "max_total_tokens"),
}
"""Parameters that name nothing anybody owns."""


@dataclass(frozen=True)
class Row:
    """A call whose arguments name something of another owner's, as `{placeholder}`."""

    tool: str
    arguments: dict[str, Any]
    also: dict[str, Any] = field(default_factory=dict)

    def filled(self, names: Mapping[str, str]) -> dict[str, Any]:
        return {**self.also, **_fill(self.arguments, names)}

    def __str__(self) -> str:
        return f"{self.tool} {json.dumps(self.arguments)}"


def _fill(value: Any, names: Mapping[str, str]) -> Any:
    match value:
        case str():
            for placeholder, name in names.items():
                value = value.replace(f"{{{placeholder}}}", name)
            return value
        case list():
            return [_fill(each, names) for each in value]
        case dict():
            return {key: _fill(each, names) for key, each in value.items()}
        case _:
            return value


ANY_ID = (
    *("{conversation}", "{turn}", "{image}", "{audio}", "{video}", "{research}"),
    "{interaction}",
)

ROWS = [
    Row("gemini_ask", {"files": ["{path}"]}, {"prompt": "x"}),
    Row("gemini_ask", {"files": ["{image}"]}, {"prompt": "x"}),
    Row("gemini_ask", {"files": ["files/{word}"]}, {"prompt": "x"}),
    Row("gemini_ask", {"files": [f"{API}/v1beta/files/{{word}}#page=1"]}, {"prompt": "x"}),
    Row("gemini_generate_image", {"images": [f"{API}:443/v1/files/{{word}}"]}, {"prompt": "x"}),
    Row("gemini_ask", {"files": [f"{API}/v1beta/files/{{word}}"]}, {"prompt": "x"}),
    *(Row("gemini_continue", {"conversation_id": id}, {"prompt": "x"}) for id in ANY_ID),
    Row("gemini_continue", {"conversation_id": "{conversation}", "turn": 1}, {"prompt": "x"}),
    Row("gemini_continue", {"conversation_id": "{conversation}", "turn": 9}, {"prompt": "x"}),
    Row(
        "gemini_continue",
        {
            "conversation_id": "{conversation}",
            "function_results": [{"call_id": "{word}", "name": "f", "result": "x"}],
        },
    ),
    Row("gemini_continue", {"files": ["{path}"]}, {"prompt": "x"}),
    *(Row("gemini_result", {"id": id}) for id in ANY_ID),
    Row("gemini_result", {"id": "{conversation}/9"}),
    *(Row("gemini_history", {"id": id}) for id in ANY_ID),
    *(
        Row("gemini_history", {"query": "{word}"}, {"kind": kind})
        for kind in ("conversations", "research", "images", "audio", "video", "agents")
    ),
    *(Row("gemini_generate_image", {"conversation_id": id}, {"prompt": "x"}) for id in ANY_ID),
    Row("gemini_generate_image", {"images": ["{path}"]}, {"prompt": "x"}),
    Row("gemini_generate_image", {"images": ["{image}"]}, {"prompt": "x"}),
    Row("gemini_generate_image", {"save_to": "{path}"}, {"prompt": "x"}),
    *(Row("gemini_ask", {"files": [id]}, {"prompt": "x"}) for id in ("{audio}", "{video}")),
    *(Row("gemini_generate_speech", {"conversation_id": id}) for id in ANY_ID),
    Row("gemini_generate_speech", {"save_to": "{path}"}, {"text": "x"}),
    Row("gemini_generate_music", {"images": ["{image}"]}, {"prompt": "x"}),
    Row("gemini_generate_music", {"save_to": "{path}"}, {"prompt": "x"}),
    *(Row("gemini_generate_video", {"conversation_id": id}, {"prompt": "x"}) for id in ANY_ID),
    Row("gemini_generate_video", {"images": ["{path}"]}, {"prompt": "x"}),
    Row("gemini_generate_video", {"video": "{video}"}, {"prompt": "x"}),
    Row("gemini_generate_video", {"save_to": "{path}"}, {"prompt": "x"}),
    *(Row("start_deep_research", {"conversation_id": id}, {"question": "x"}) for id in ANY_ID),
    Row("start_deep_research", {"files": ["{path}"]}, {"question": "x"}),
    *(
        Row(tool, {"research_id": id})
        for tool in ("check_research", "approve_research_plan", "cancel_research")
        for id in ANY_ID
    ),
    Row("approve_research_plan", {"research_id": "{research}"}, {"changes": "x"}),
    *(Row("gemini_run_agent", {"conversation_id": id}, {"prompt": "x"}) for id in ANY_ID),
    Row("gemini_run_agent", {"conversation_id": "{run}"}, {"prompt": "x"}),
    Row("gemini_run_agent", {"agent": "{agent}"}, {"prompt": "x"}),
    *(
        Row("gemini_run_agent", {"files": [name]}, {"prompt": "x"})
        for name in ("{path}", "{image}", "{file}")
    ),
    *(Row("gemini_agent_files", {"id": id}) for id in (*ANY_ID, "{run}", "{file}")),
    Row("gemini_agent_files", {"id": "{run}", "path": "{word}.md", "save_to": "{path}"}),
    Row("gemini_ask", {"files": ["{file}"]}, {"prompt": "x"}),
    Row("gemini_result", {"id": "{file}"}),
]

VIEWS = [
    *(Row("gemini_view_research", {"research_id": id}) for id in ANY_ID),
    *(Row("gemini_view_images", {"id": id}) for id in ANY_ID),
    *(Row("gemini_view_usage", {"conversation_id": id}) for id in ANY_ID),
]
"""Tools that only clients with views may call."""

TEMPLATES = {
    "gemini://conversations/{id}": ("conversation", "turn", "research", "image"),
    "gemini://research/{id}/report": ("research", "conversation"),
    "gemini://images/{id}": ("image", "conversation"),
    "gemini://audio/{id}": ("audio", "image"),
    "gemini://video/{id}": ("video", "conversation"),
    "gemini://agents/{id}": ("agent",),
}
"""Resource templates and what of another's may be tried in them."""

RESOURCES = {"gemini://models", "gemini://usage", "gemini://agents"}
"""Those that name nothing: they must say the same to everybody who has done nothing."""

PROMPTS = {"ask", "second_opinion", "review", "research", "image"}

ROUTES = {
    "/mcp": "sessions: test_web_sessions.py",
    "/healthz": "nobody's",
    "/readyz": "nobody's",
    "/images/{file_id}/{ticket}": "signed: test_picture_links.py",
    "/audio/{file_id}/{ticket}": "signed: test_picture_links.py",
    "/video/{file_id}/{ticket}": "signed: test_picture_links.py",
    "/agents/{file_id}/{ticket}": "signed: test_agent_files.py",
}


@dataclass(frozen=True)
class Names:
    """Ids of the same kinds: Ann's, and such as never were."""

    anns: dict[str, str]
    nobodys: dict[str, str]


@pytest.fixture
async def bob(gateways: GatewayHarness) -> McpClient:
    await gateways.open(tokens=TOKENS, rate_limit=0, toolsets=TOOLSETS, research_poll_seconds=0.1)
    return await gateways.connect(token="bobs-token")


@pytest.fixture
async def names(gateways: GatewayHarness, harness: AppHarness, bob: McpClient) -> Names:
    """Everything Ann has made, under names that Bob may have seen over her shoulder."""
    ann = await gateways.connect(token="anns-token")
    video = await ann.call("gemini_generate_video", prompt=f"a {SECRET}")
    await ann.result(video.id, wait_seconds=20)
    harness.control.service.create_agent({"id": "anns-agent", "base_agent": AGENT})
    store = (await gateways.latest.gateway.app.bridge()).executor._runtime.store
    await store.names.grant("ann", "agent", "anns-agent", harness.clock())
    ran = await run_agent(ann, f"Write {SECRET}.md with words")
    fetched = await ann.call("gemini_agent_files", id=ran.id, path=f"{SECRET}.md")
    harness.control.hold_background()
    asked = await ann.ask(f"Tell me of the {SECRET}.")
    audio = await ann.call("gemini_generate_speech", text=f"a {SECRET}")
    image = await ann.call("gemini_generate_image", prompt=f"a {SECRET}")
    research = await ann.call("start_deep_research", question=f"Who made the {SECRET}?")
    assert [each.is_error for each in (asked, image, audio, video, research)] == [False] * 5
    stored = next(harness.folder.glob("images/**/*.png"), None) or next(
        file for file in harness.folder.rglob("*") if file.suffix in (".png", ".jpg", ".jpeg")
    )
    return Names(
        {
            "conversation": asked.conversation,
            "turn": asked.id,
            "interaction": asked.interaction,
            "image": str(image.facts["image_id"]),
            "audio": str(audio.facts["audio_id"]),
            "video": str(video.facts["video_id"]),
            "research": str(research.facts["research_id"]),
            "run": ran.id,
            "agent": "anns-agent",
            "file": re.findall(r"f_[0-9a-z]{10}", fetched.text)[0],
            "path": str(stored),
            "word": SECRET,
        },
        {
            "conversation": "c_0000000000",
            "turn": "c_0000000000/1",
            "interaction": harness.control.unknown_id(),
            "image": "i_0000000000",
            "audio": "a_0000000000",
            "video": "v_0000000000",
            "research": "r_0000000000",
            "run": "c_1111111111/1",
            "agent": "nobodys-agent",
            "file": "f_0000000000",
            "path": str(stored.with_stem("0" * len(stored.stem))),
            "word": "qwertyuiop",
        },
    )


def without_names(text: str, names: Mapping[str, str]) -> str:
    """The text with what was asked for taken out; long names are repeated only in part."""
    text = text.replace(Path(names["path"]).name, "<path>")
    for placeholder, name in names.items():
        for shown in (name, f"{name[:39]}…"):
            text = text.replace(shown, f"<{placeholder}>")
    return re.sub(r"\b[criavf]_[0-9a-z]{10}", "<own>", text)


# ------------------------------------------------------------------------ the table is whole


def test_every_tool_has_a_row() -> None:
    assert {row.tool for row in [*ROWS, *VIEWS]} == set(tools(TOOLSETS))


def test_every_parameter_that_could_name_something_has_a_row() -> None:
    tried = {(row.tool, name) for row in [*ROWS, *VIEWS] for name in row.arguments}
    there_are = {
        (tool.name, name)
        for tool in tools(TOOLSETS).values()
        for name in tool.arguments.schema["properties"]
    }

    assert {each for each in there_are if each[1] not in FREE} - tried == set()


async def test_every_resource_and_prompt_has_a_row(bob: McpClient) -> None:
    templates = await bob.sdk_client.list_resource_templates()
    resources = await bob.sdk_client.list_resources()
    prompts = await bob.sdk_client.list_prompts()

    assert {each.uri_template for each in templates.resource_templates} <= set(TEMPLATES)
    assert {str(each.uri) for each in resources.resources} <= RESOURCES
    assert {each.name for each in prompts.prompts} <= PROMPTS


async def test_every_route_has_a_row(gateways: GatewayHarness) -> None:
    place = await gateways.open()

    assert {getattr(route, "path", "") for route in place.gateway.routes} == set(ROUTES)


# ------------------------------------------------------------------------------ and it holds


async def test_what_is_anothers_reads_like_what_never_was(
    harness: AppHarness, bob: McpClient, names: Names, subtests: pytest.Subtests
) -> None:
    for row in ROWS:
        before = len(harness.control.log)

        anns = await bob.call(row.tool, **row.filled(names.anns))
        nobodys = await bob.call(row.tool, **row.filled(names.nobodys))

        told = [json.dumps([each.path, each.body]) for each in harness.control.log[before:]]
        with subtests.test(str(row)):
            assert without_names(anns.text, names.anns) == without_names(
                nobodys.text, names.nobodys
            )
            assert (anns.is_error, anns.status) == (nobodys.is_error, nobodys.status)
            assert SECRET not in without_names(anns.text, names.anns)
            assert [each for each in told for name in names.anns.values() if name in each] == []


async def test_what_is_anothers_reads_like_what_never_was_in_a_view_too(
    gateways: GatewayHarness, bob: McpClient, names: Names, subtests: pytest.Subtests
) -> None:
    wire = await gateways.raw_client(legacy=False, token="bobs-token")
    ui = {"io.modelcontextprotocol/ui": {"mimeTypes": ["text/html;profile=mcp-app"]}}
    capabilities = {"io.modelcontextprotocol/clientCapabilities": {"extensions": ui}}
    for row in VIEWS:
        told = [
            await wire.call(row.tool, **row.filled(whose), _meta=capabilities)
            for whose in (names.anns, names.nobodys)
        ]

        with subtests.test(str(row)):
            anns, nobodys = told
            assert without_names(anns.text, names.anns) == without_names(
                nobodys.text, names.nobodys
            )
            assert anns.is_error
            assert SECRET not in without_names(anns.text, names.anns)


async def test_no_other_name_of_an_upload_reaches_google(
    gateways: GatewayHarness, harness: AppHarness, bob: McpClient
) -> None:
    await bob.ask("warm")
    before = len(harness.control.log)
    said = [
        await bob.ask("x", files=[f"{API}/v1beta/files/abc"]),
        await bob.ask("x", files=[f"{API}:443/v1beta/f%69les/abc"]),
        await bob.ask("x", tools=[{"type": "file_search", "file_search_store_names": ["s"]}]),
        await bob.ask("x", tools=[{"type": "retrieval", "retrieval_types": ["rag_store"]}]),
    ]

    assert [each.is_error for each in said] == [True] * 4
    assert len(harness.control.log) == before


async def test_a_folder_that_was_opened_does_not_open_the_images_of_others(
    gateways: GatewayHarness, harness: AppHarness, tmp_path: Path
) -> None:
    images = tmp_path / "opened" / "images"
    await gateways.open(
        tokens=TOKENS, rate_limit=0, images_dir=images, allowed_dirs=(tmp_path / "opened",)
    )
    ann = await gateways.connect(token="anns-token")
    bob = await gateways.connect(token="bobs-token")
    image = str((await ann.call("gemini_generate_image", prompt="a cat")).facts["image_id"])
    path = next(str(each) for each in images.rglob("*") if each.is_file())
    before = len(harness.control.log)
    tried = [path, str(images), f"{images}/**/*", f"{tmp_path}/opened/**/*", image]
    said = [await bob.ask("x", files=[each]) for each in tried]

    assert [each.is_error for each in said] == [True] * len(tried)
    assert len(harness.control.log) == before


async def test_a_resource_of_anothers_reads_like_one_that_never_was(
    bob: McpClient, names: Names, subtests: pytest.Subtests
) -> None:
    for template, kinds in TEMPLATES.items():
        for kind in kinds:
            refusals = []
            for ids in (names.anns, names.nobodys):
                with pytest.raises(MCPError) as refused:
                    await bob.sdk_client.read_resource(template.replace("{id}", ids[kind]))
                refusals.append(without_names(json.dumps(refused.value.error.model_dump()), ids))

            with subtests.test(f"{template} {kind}"):
                assert refusals[0] == refusals[1]


async def test_a_resource_says_nothing_of_what_others_did(
    gateways: GatewayHarness, bob: McpClient
) -> None:
    listed = (await bob.sdk_client.list_resources()).resources
    before = [await bob.sdk_client.read_resource(each.uri) for each in listed]
    ann = await gateways.connect(token="anns-token")
    await ann.ask(f"Tell me of the {SECRET}.")

    after = [await bob.sdk_client.read_resource(each.uri) for each in listed]

    assert [each.contents for each in after] == [each.contents for each in before]


async def test_nothing_of_anothers_is_suggested(bob: McpClient, names: Names) -> None:
    templates = (await bob.sdk_client.list_resource_templates()).resource_templates
    prompts = (await bob.sdk_client.list_prompts()).prompts
    asked: list[tuple[ResourceTemplateReference | PromptReference, str]]
    asked = [(ResourceTemplateReference(uri=each.uri_template), "id") for each in templates]
    asked += [
        (PromptReference(name=each.name), argument.name)
        for each in prompts
        for argument in each.arguments or []
    ]
    prefixes = ["", *(name[:size] for name in names.anns.values() for size in (2, 99))]

    for reference, argument in asked:
        for prefix in prefixes:
            found = await bob.sdk_client.complete(reference, {"name": argument, "value": prefix})

            assert not set(found.completion.values) & set(names.anns.values())


async def test_lists_hold_only_what_is_ones_own(bob: McpClient, names: Names) -> None:
    own = await bob.ask("mine")
    for kind in ("conversations", "research", "images"):
        listed = await bob.call("gemini_history", kind=kind)

        assert [name for name in names.anns.values() if name in listed.text] == []
        assert (own.conversation in listed.text) is (kind == "conversations")
