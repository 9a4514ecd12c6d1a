"""Pictures through the whole product: made, edited, delivered as files, seen as previews."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import stat
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp_types import ImageContent
from PIL import Image

from tests.support.app_harness import AppHarness, McpClient, ToolResult
from tests.support.event_loop_probe import watch_loop

PREVIEW_BYTES = 60_000
RESULT_BYTES = 100_000


async def draw(client: McpClient, prompt: str, **more: Any) -> ToolResult:
    return await client.call("gemini_generate_image", prompt=prompt, **more)


def previews(said: ToolResult) -> list[ImageContent]:
    return [block for block in said.raw.content if isinstance(block, ImageContent)]


def contents(body: dict[str, Any]) -> list[dict[str, Any]]:
    """What a POST says, whether as one step or by itself."""
    given: list[dict[str, Any]] = body["input"]
    return given[0]["content"] if given[0]["type"] == "user_input" else given


async def test_a_picture_is_a_file_under_an_honest_name_for_this_user_only(
    client: McpClient,
) -> None:
    said = await draw(client, "A red Café on the roof, 日本", aspect_ratio="16:9", size="2K")

    path = Path(said.facts["path"])
    assert said.status == "completed"
    assert path.name == f"a-red-cafe-on-the-roof-日本-{said.facts['image_id']}.jpg"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with Image.open(path) as picture:
        assert picture.format == "JPEG"
        assert f"{picture.width}×{picture.height}" in said.tail
    assert said.facts["image_id"] in said.tail
    assert str(path) in said.tail


async def test_the_preview_is_small_and_the_file_never_travels(
    client: McpClient, harness: AppHarness
) -> None:
    harness.control.image_bytes = 1_500_000

    said = await draw(client, "a large one")

    (preview,) = previews(said)
    data = base64.b64decode(preview.data)
    assert preview.mime_type == "image/jpeg"
    assert len(data) <= PREVIEW_BYTES
    with Image.open(io.BytesIO(data)) as small:
        assert max(small.size) <= 512
        assert not small.getexif()
    assert Path(said.facts["path"]).stat().st_size >= 1_500_000
    assert len(said.raw.model_dump_json().encode()) <= RESULT_BYTES


async def test_a_20_mb_picture_arrives_whole(client: McpClient, harness: AppHarness) -> None:
    harness.control.image_bytes = 20_000_000

    said = await draw(client, "a very large one")

    assert Path(said.facts["path"]).stat().st_size >= 20_000_000
    assert len(said.raw.model_dump_json().encode()) <= RESULT_BYTES


async def test_no_step_of_the_loop_is_long_while_a_20_mb_picture_arrives(
    client: McpClient, harness: AppHarness
) -> None:
    await draw(client, "a first one")  # what is imported once is another test's
    harness.control.image_bytes = 20_000_000

    with watch_loop() as watch:
        said = await draw(client, "a very large one")

    assert said.status == "completed"
    assert watch.slow(0.15) == []


async def test_programs_get_the_place_and_no_preview(harness: AppHarness) -> None:
    client = await harness.connect(structured=True)

    said = await draw(client, "a cat")

    assert previews(said) == []
    assert said.raw.structured_content is not None
    assert said.raw.structured_content["image_id"] == said.facts["image_id"]


async def test_what_is_asked_for_reaches_the_model(client: McpClient, harness: AppHarness) -> None:
    await draw(client, "a cat", aspect_ratio="9:16", size="4K", model="image-pro")

    assert harness.last["model"] == "gemini-3-pro-image"
    assert harness.last["response_format"] == [
        {"type": "text"},
        {
            "type": "image",
            "mime_type": "image/jpeg",
            "delivery": "inline",
            "aspect_ratio": "9:16",
            "image_size": "4K",
        },
    ]
    assert "stream" not in harness.last  # streamed pictures cost the SDK seconds


async def test_a_conversation_edits_its_last_picture(
    client: McpClient, harness: AppHarness
) -> None:
    first = await draw(client, "a cat")
    second = await draw(client, "make it blue", conversation_id=first.conversation)
    third = await draw(client, "another hat", conversation_id=first.facts["image_id"])

    assert (second.conversation, second.turn) == (first.conversation, 2)
    assert harness.bodies[1]["previous_interaction_id"] == first.interaction
    assert harness.bodies[2]["previous_interaction_id"] == first.interaction  # a branch
    assert third.turn == 3
    assert len({each.facts["path"] for each in (first, second, third)}) == 3


async def test_a_picture_made_here_is_attached_by_its_path_as_by_its_id(
    client: McpClient, harness: AppHarness
) -> None:
    drawn = await draw(client, "a cat")

    by_path = await client.ask("What is it?", files=[drawn.facts["path"]])
    by_id = await client.ask("What is it?", files=[drawn.facts["image_id"]])

    assert (by_path.status, by_id.status) == ("completed", "completed")
    first, second = (body["input"] for body in harness.bodies[1:])
    assert first == second
    assert first[0]["content"][0]["type"] == "image"


async def test_no_other_path_in_the_folder_of_pictures_is_read(
    client: McpClient, harness: AppHarness
) -> None:
    drawn = await draw(client, "a cat")
    path = Path(drawn.facts["path"])
    (path.parent / f"copy-{drawn.facts['image_id']}.jpg").write_bytes(path.read_bytes())

    for given in (
        f"{path.parent}/copy-{drawn.facts['image_id']}.jpg",
        f"{path}/",
        str(path.parent),
    ):
        said = await client.ask("What is it?", files=[given])
        assert (said.status, said.is_error) == (None, True)

    assert len(harness.bodies) == 1


async def test_without_a_conversation_every_picture_is_a_new_one(client: McpClient) -> None:
    first = await draw(client, "a cat")
    second = await draw(client, "a cat")

    assert first.conversation != second.conversation


async def test_one_chain_goes_from_text_to_picture_to_question_to_research_and_back(
    client: McpClient, harness: AppHarness
) -> None:
    asked = await client.ask("My name is Phil.")
    talk = asked.conversation
    drawn = await draw(client, "draw my name", conversation_id=talk)
    edited = await draw(client, "in green", conversation_id=talk)
    seen = await client.follow("What is in the picture?", conversation_id=talk)
    started = await client.call(
        "start_deep_research", question="Where does that name come from?", conversation_id=talk
    )
    looked = await client.call(
        "check_research", research_id=started.facts["research_id"], wait_seconds=30
    )
    back = await client.follow("What is my name?", conversation_id=talk)

    assert looked.status == "completed"
    chain = [asked, drawn, edited, seen, looked, back]
    assert [each.turn for each in chain] == [1, 2, 3, 4, 5, 6]
    assert harness.control.chain(back.interaction) == [each.interaction for each in chain]
    assert "Phil" in back.piece


async def test_pictures_and_addresses_are_references(
    client: McpClient, harness: AppHarness, work: Path
) -> None:
    Image.new("RGB", (8, 8), "red").save(work / "logo.png")
    first = await draw(client, "a cat")

    await draw(
        client,
        "put the logo on the cat",
        images=["logo.png", first.facts["image_id"], "https://example.com/hat.jpg"],
    )

    (step,) = harness.last["input"]
    kinds = [(each["type"], each.get("mime_type"), each.get("uri")) for each in step["content"]]
    assert kinds == [
        ("image", "image/png", None),
        ("image", "image/jpeg", None),
        ("image", "image/jpeg", "https://example.com/hat.jpg"),
        ("text", None, None),
    ]


async def test_a_copy_goes_where_it_was_wanted_and_nothing_is_overwritten(
    client: McpClient, work: Path
) -> None:
    (work / "cat.jpg").write_text("mine")

    as_file = await draw(client, "a cat", save_to="cat.jpg")
    in_folder = await draw(client, "a dog", save_to="pictures/")

    assert (work / "cat.jpg").read_text() == "mine"
    assert str(work / "cat-2.jpg") in as_file.tail
    assert (work / "cat-2.jpg").read_bytes() == Path(as_file.facts["path"]).read_bytes()
    assert next((work / "pictures").iterdir()).name.startswith("a-dog-i_")
    assert in_folder.status == "completed"


@pytest.mark.parametrize(
    "target", ["/etc/cat.jpg", "note.txt/cat.jpg", "note.txt/deep/", "https://example.com/cat.jpg"]
)
async def test_a_place_that_cannot_be_written_to_is_refused_before_anything_is_paid(
    client: McpClient, harness: AppHarness, work: Path, target: str
) -> None:
    (work / "note.txt").write_text("a file, not a folder")

    said = await draw(client, "a cat", save_to=target)

    assert said.is_error
    assert "GEMINI_MCP_ALLOWED_DIRS" in said.text
    assert harness.control.posts == []
    assert list(work.iterdir()) == [work / "note.txt"]


async def test_a_picture_that_cannot_be_read_says_so(
    client: McpClient, harness: AppHarness
) -> None:
    for data in (b"\xff\xd8\xff\xe0 and no more", b"no picture at all"):
        content = {"type": "image", "data": base64.b64encode(data).decode()}
        harness.control.answer_next({"steps": [{"type": "model_output", "content": [content]}]})

    broken = await draw(client, "a cat")
    foreign = await draw(client, "a dog")

    assert "JPEG whose pixels cannot be read" in broken.tail
    assert "no image known here" in foreign.tail
    assert previews(broken) == previews(foreign) == []


async def test_a_refusal_in_words_says_that_there_is_no_picture(
    client: McpClient, harness: AppHarness
) -> None:
    harness.control.refuse_next_image()

    said = await draw(client, "something it declines")

    assert said.is_error
    assert said.status == "failed"
    assert "Gemini made no image" in said.tail
    assert said.piece


@pytest.mark.parametrize("code", ["image_safety", "no_image"])
@pytest.mark.parametrize("where", ["errors", "step"])
async def test_a_refusal_by_code_is_explained(
    client: McpClient, harness: AppHarness, code: str, where: Any
) -> None:
    harness.control.refuse_next_image(code, where=where)

    said = await draw(client, "something it declines")

    assert said.is_error
    assert said.status == "failed"
    assert code in said.text


async def test_a_picture_that_cannot_be_kept_is_refused_before_it_is_paid_for(
    harness: AppHarness, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("no folder")
    client = await harness.connect(images_dir=tmp_path / "file" / "images")

    said = await draw(client, "a cat")

    assert said.is_error
    assert "GEMINI_MCP_IMAGES_DIR" in said.text
    assert harness.control.posts == []


async def test_a_picture_there_was_no_room_for_is_fetched_again_and_not_paid_for_again(
    harness: AppHarness, tmp_path: Path
) -> None:
    images = tmp_path / "pictures"
    client = await harness.connect(images_dir=images)
    gate = harness.control.hold_next(on="create")
    said: list[ToolResult] = []
    async with anyio.create_task_group() as tasks:

        async def order() -> None:
            said.append(await draw(client, "a cat"))

        tasks.start_soon(order)
        await anyio.to_thread.run_sync(
            harness.control.wait_until, lambda: bool(harness.control.posts)
        )
        images.rmdir()
        images.write_text("in its place")
        gate.release()
    (lost,) = said
    still = await client.result(lost.id)
    images.unlink()
    found = await client.result(lost.id)
    again = await client.result(lost.id)

    assert (lost.status, still.status) == ("interrupted", "interrupted")
    assert "GEMINI_MCP_IMAGES_DIR" in lost.text
    assert f'gemini_result with id "{lost.id}"' in lost.text
    assert (found.status, again.status) == ("completed", "completed")
    assert Path(found.facts["path"]).parent == images
    assert again.facts["path"] == found.facts["path"]
    assert len(harness.control.posts) == 1
    usage = (await client.sdk_client.read_resource("gemini://usage")).contents[0].model_dump_json()
    assert f"{found.facts['usage']['total_tokens']:,}" in usage  # once, not twice


async def test_a_picture_google_gives_by_its_address_is_fetched(
    client: McpClient, harness: AppHarness
) -> None:
    data = io.BytesIO()
    Image.new("RGB", (40, 30), "red").save(data, "JPEG")
    name = harness.control.add_file(data.getvalue(), "image/jpeg")
    uri = f"https://generativelanguage.googleapis.com/v1beta/{name}"
    content = {"type": "image", "mime_type": "image/jpeg", "uri": uri}
    harness.control.answer_next({"steps": [{"type": "model_output", "content": [content]}]})

    said = await draw(client, "a cat")

    assert said.status == "completed"
    assert Path(said.facts["path"]).read_bytes() == data.getvalue()


async def test_a_picture_that_does_not_come_holds_up_no_result(
    client: McpClient, harness: AppHarness
) -> None:
    hasty = await harness.connect(max_wait_seconds=2)
    name = harness.control.add_file(b"a picture", "image/jpeg")
    uri = f"https://generativelanguage.googleapis.com/v1beta/{name}"
    content = {"type": "image", "mime_type": "image/jpeg", "uri": uri}
    harness.control.answer_next({"steps": [{"type": "model_output", "content": [content]}]})
    harness.control.fail_next(503, on="download")
    lost = await draw(client, "a cat")
    harness.control.hold_next("download")

    with anyio.fail_after(60):
        still = await hasty.result(lost.id)

    assert (lost.status, still.status) == ("interrupted", "interrupted")


async def test_a_damaged_picture_costs_only_itself(client: McpClient, harness: AppHarness) -> None:
    data = io.BytesIO()
    Image.new("RGB", (40, 30), "red").save(data, "JPEG")
    whole = {"type": "image", "data": base64.b64encode(data.getvalue()).decode()}
    broken = {"type": "image", "data": "!!!"}
    for contents in ([broken, whole], [broken]):
        harness.control.answer_next({"steps": [{"type": "model_output", "content": contents}]})

    one_of_two = await draw(client, "two cats")
    the_only = await draw(client, "a cat")

    assert one_of_two.status == "completed"
    assert "came damaged" in one_of_two.tail
    assert Path(one_of_two.facts["path"]).read_bytes() == data.getvalue()
    assert the_only.status == "failed"
    assert "came damaged" in the_only.text
    assert the_only.facts["usage"]  # it was paid for


async def test_an_answer_in_words_outlives_its_picture(harness: AppHarness, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    client = await harness.connect(images_dir=tmp_path / "file" / "images")
    contents = [{"type": "text", "text": "The sum is 4."}, {"type": "image", "data": "aGk="}]
    harness.control.answer_next({"steps": [{"type": "model_output", "content": contents}]})

    said = await client.ask("Draw the sum of 2 and 2.")

    assert said.status == "completed"
    assert "The sum is 4." in said.piece
    assert "picture of this answer is missing" in said.tail


async def test_a_key_without_quota_is_told_so_once(client: McpClient, harness: AppHarness) -> None:
    harness.control.fail_next(429, message="Quota exceeded, limit: 0", on="create")

    said = await draw(client, "a cat")

    assert "needs a paid key" in said.text
    assert len(harness.control.posts) == 1


async def test_a_detached_picture_is_collected_with_its_file(harness: AppHarness) -> None:
    client = await harness.connect(max_wait_seconds=0.1)
    gate = harness.control.hold_next(on="create", point="before_response")

    said = await draw(client, "a slow one", save_to="slow.jpg")
    assert said.status == "running"
    gate.release()
    collected = await client.result(said.id, wait_seconds=10)
    while collected.status == "running":
        collected = await client.result(said.id, wait_seconds=10)

    assert collected.status == "completed"
    assert Path(collected.facts["path"]).is_file()
    assert previews(collected)
    assert Path("slow.jpg").is_file()


async def test_a_picture_of_a_store_false_conversation_must_be_given_itself(
    client: McpClient, harness: AppHarness
) -> None:
    asked = await client.ask("hello", store=False)

    said = await draw(client, "a cat", conversation_id=asked.conversation)

    assert said.is_error
    assert "store=false" in said.text
    assert len(harness.control.posts) == 1


async def test_a_picture_is_edited_even_when_google_has_forgotten_its_conversation(
    client: McpClient, harness: AppHarness
) -> None:
    first = await draw(client, "a cat")
    harness.control.expire_all()
    harness.clock.advance(200)

    second = await draw(client, "make it blue", conversation_id=first.conversation)

    _, text = contents(harness.last)
    (picture,) = harness.control.posts[-1].attachments
    file = Path(first.facts["path"]).read_bytes()
    assert second.status == "completed"
    assert "Google had forgotten this conversation" in second.tail
    assert picture["sha256"] == hashlib.sha256(file).hexdigest()
    assert text == {"type": "text", "text": "make it blue"}
    assert "previous_interaction_id" not in harness.last


async def test_a_forgotten_conversation_without_a_picture_is_told_again(
    client: McpClient, harness: AppHarness
) -> None:
    asked = await client.ask("My cat is called Phil.")
    harness.control.expire_all()
    harness.clock.advance(200)

    drawn = await draw(client, "draw my cat", conversation_id=asked.conversation)

    assert drawn.status == "completed"
    assert "rebuilt" in drawn.tail
    assert "Phil" in str(harness.last["input"])


@pytest.mark.parametrize("model", ["deep-research-preview-04-2026", "x" * 300])
async def test_what_is_no_model_is_refused_before_anything_is_paid(
    client: McpClient, harness: AppHarness, model: str
) -> None:
    said = await draw(client, "a cat", model=model)

    assert said.is_error
    assert "`model`" in said.text
    assert harness.control.posts == []


async def test_pictures_are_listed_and_seen_again(client: McpClient) -> None:
    drawn = await draw(client, "a cat with a hat")

    listed = await client.history(kind="images", query="hat")
    again = await client.result(drawn.facts["image_id"])

    assert drawn.facts["image_id"] in listed.text
    assert again.facts["path"] == drawn.facts["path"]
    assert previews(again)


async def test_a_deleted_file_is_no_error(client: McpClient) -> None:
    drawn = await draw(client, "a cat")
    Path(drawn.facts["path"]).unlink()

    again = await client.result(drawn.facts["image_id"])

    assert again.status == "completed"
    assert previews(again) == []


async def test_facts_stay_small(client: McpClient) -> None:
    said = await draw(client, "a " + "very " * 200 + "long prompt")

    assert len(json.dumps(dict(said.facts)).encode()) <= 2048
