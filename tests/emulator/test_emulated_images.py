"""Pictures: of any ratio and size, edited along a chain, refused, and looked at by others."""

import base64
import io

import pytest
from google.genai._interactions import BadRequestError
from PIL import Image

from gemini_emulator import Answer, Emulator, EmulatorControl
from gemini_emulator.media_writers import jpeg_writer
from tests.emulator.constants import FAST, MODEL

PAINTER = "gemini-nano-banana-2.1"
LITE = "gemini-3.1-flash-lite-image"
PROMPT = "A naïve stork over Kehl"


def response_format(**image):
    return [{"type": "text"}, {"type": "image", "mime_type": "image/jpeg", **image}]


async def paint(gemini, prompt=PROMPT, after=None, *, model=PAINTER, **options):
    if after is not None:
        options["previous_interaction_id"] = after.id
    return await gemini.create(model=model, input=prompt, **options)


def images(answer):
    outputs = [step for step in answer.steps if step.type == "model_output"]
    return [p for step in outputs for p in step.content or [] if p.type == "image"]


def open_image(part):
    image = Image.open(io.BytesIO(base64.b64decode(part.data)))
    image.load()
    return image


@pytest.mark.parametrize("ratio", jpeg_writer.RATIOS)
async def test_a_picture_has_the_ratio_that_was_asked_for(gemini, ratio):
    answer = await paint(gemini, response_format=response_format(aspect_ratio=ratio))

    width, height = map(int, ratio.split(":"))
    image = open_image(answer.output_image)
    assert image.format == "JPEG"
    assert image.width / image.height == pytest.approx(width / height, rel=0.04)


@pytest.mark.parametrize(
    ("model", "size", "width"),
    [
        (PAINTER, "1K", 1376),
        (PAINTER, "2K", 2752),
        (PAINTER, "4K", 5504),
        ("gemini-3-pro-image", "2K", 2752),
        ("gemini-3.1-flash-image", "512", 688),
        (LITE, "1K", 1376),
    ],
)
async def test_a_picture_has_the_size_that_was_asked_for(gemini, model, size, width):
    answer = await paint(
        gemini, model=model, response_format=response_format(aspect_ratio="16:9", image_size=size)
    )

    assert open_image(answer.output_image).width == width
    assert answer.usage.output_tokens_by_modality[0].tokens == (2000 if size == "4K" else 1120)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"response_format": response_format(image_size="512")}, "image_size"),
        ({"response_format": response_format(image_size="8K")}, "image_size"),
        ({"response_format": response_format(aspect_ratio="7:3")}, "aspect_ratio"),
        ({"response_format": response_format(delivery="uri")}, "delivery"),
        ({"response_format": {"type": "image", "mime_type": "image/png"}}, "image/jpeg"),
        ({"background": True}, "background"),
        ({"generation_config": {"thinking_level": "low"}}, "thinking_level"),
        (
            {
                "model": "gemini-3.1-flash-lite-image",
                "response_format": response_format(image_size="2K"),
            },
            "2K",
        ),
    ],
)
async def test_what_image_models_do_not_take_is_refused(raw, options, words):
    body = {"model": PAINTER, "input": PROMPT, **options}
    answer = await raw.post("/v1/interactions", json=body)

    assert answer.status_code == 400
    assert words in answer.json()["error"]["message"]


@pytest.mark.parametrize("level", ["minimal", "medium", "high"])
async def test_inline_delivery_and_every_thinking_level_are_taken(gemini, level):
    answer = await paint(
        gemini,
        response_format=response_format(delivery="inline"),
        generation_config={"thinking_level": level},
    )

    assert images(answer)


async def test_fourteen_references_are_taken_and_fifteen_refused(gemini):
    made = await paint(gemini)
    reference = {"type": "image", "mime_type": "image/jpeg", "data": made.output_image.data}
    words = {"type": "text", "text": "All of them, please"}
    answer = await paint(gemini, [words, *[reference] * 14])

    with pytest.raises(BadRequestError, match="at most 14"):
        await paint(gemini, [words, *[reference] * 15])
    assert images(answer)


async def test_words_stand_beside_a_picture_only_when_they_are_wanted(gemini):
    both = await paint(gemini)
    alone = await paint(gemini, response_format={"type": "image"})
    words = await paint(gemini, response_format={"type": "text"})

    assert "picture" in both.steps[0].content[0].text
    assert [step.type for step in alone.steps] == ["thought", "model_output"]
    assert [part.type for part in alone.steps[-1].content] == ["image"]
    assert images(words) == []


@pytest.mark.parametrize("prompt", ["Three storks: three different images", "Paint 3 variants"])
async def test_several_pictures_come_in_one_answer(gemini, prompt):
    answer = await paint(gemini, prompt)

    assert len({image.data for image in images(answer)}) == 3
    assert answer.output_image.data == images(answer)[-1].data
    assert answer.usage.output_tokens_by_modality[0].tokens == 3 * 1120


async def test_drafts_stand_in_the_thoughts_and_the_last_one_is_the_picture(
    gemini, control: EmulatorControl
):
    usual = await paint(gemini)
    hard = await paint(gemini, generation_config={"thinking_level": "high"})
    control.image_drafts = 0
    none = await paint(gemini)

    thoughts = [
        next(step for step in answer.steps if step.type == "thought")
        for answer in (usual, hard, none)
    ]
    assert [len(thought.summary or []) for thought in thoughts] == [1, 2, 0]
    assert thoughts[1].summary[-1].data == hard.output_image.data
    assert thoughts[1].summary[0].data != hard.output_image.data
    assert all(thought.signature for thought in thoughts)


@pytest.mark.parametrize("size", [100_000, 1_500_000, 20_000_000])
async def test_a_picture_can_have_any_number_of_bytes(gemini, control: EmulatorControl, size):
    control.image_bytes = size
    answer = await paint(gemini)

    assert len(base64.b64decode(answer.output_image.data)) == size
    assert open_image(answer.output_image).size == (1024, 1024)


async def test_one_large_picture_can_be_wished_for(gemini, control: EmulatorControl):
    control.answer_next(Answer(image_bytes=200_000, images=2))
    large = await paint(gemini)
    usual = await paint(gemini)

    sizes = [len(base64.b64decode(image.data)) for image in images(large)]
    assert sizes == [200_000, 200_000]
    assert len(base64.b64decode(usual.output_image.data)) < 100_000


async def test_equal_prompts_give_equal_pictures_and_others_another_colour(
    gemini, emulator: Emulator, control: EmulatorControl
):
    first, other = await paint(gemini), await paint(gemini, "A crane")
    emulator.control = EmulatorControl()
    second = await paint(gemini)

    assert first.output_image.data == second.output_image.data
    assert center_pixel(first) != center_pixel(other)


def center_pixel(answer):
    image = open_image(answer.output_image)
    return image.getpixel((image.width // 2, image.height // 2))


def edits_of(answer):
    shown = jpeg_writer.read(answer.output_image.data)
    assert shown is not None
    return shown.edits


async def test_the_words_of_a_picture_are_large_enough_for_a_preview_of_it(gemini):
    image = open_image((await paint(gemini)).output_image)
    image.thumbnail((256, 256))

    corner = image.crop((0, image.height * 3 // 4, image.width, image.height)).convert("L")
    written = corner.point(lambda grey: 255 * (grey > 160)).getbbox()
    assert written is not None
    left, top, right, bottom = written
    assert right - left > image.width // 3
    assert bottom - top >= 8


async def test_an_edit_keeps_the_picture_and_leaves_a_mark(gemini):
    first = await paint(gemini, response_format=response_format(aspect_ratio="3:2"))
    second = await paint(gemini, "Add a hat", first)
    third = await paint(gemini, "And a scarf", second)

    shown = [edits_of(answer) for answer in (first, second, third)]
    assert shown == [(), ("Add a hat",), ("Add a hat", "And a scarf")]
    assert center_pixel(first) == center_pixel(second) == center_pixel(third)
    assert len({answer.output_image.data for answer in (first, second, third)}) == 3
    assert open_image(third.output_image).size == open_image(first.output_image).size


async def test_an_edit_can_change_the_ratio(gemini):
    first = await paint(gemini)
    second = await paint(
        gemini, "Wider", first, response_format=response_format(aspect_ratio="21:9")
    )

    assert open_image(second.output_image).size == (1584, 672)
    assert center_pixel(first) == center_pixel(second)


async def test_a_chain_goes_from_text_to_picture_to_edit_to_question_to_research_and_back(
    gemini, control: EmulatorControl
):
    text = await gemini.create(model=MODEL, input="My name is Phil")
    picture = await paint(gemini, PROMPT, text)
    edited = await paint(gemini, "Add a hat", picture)
    asked = await paint(gemini, "What does the picture show?", edited, model=MODEL)
    made = await gemini.create(
        agent=FAST, input="Where do storks fly?", background=True, previous_interaction_id=asked.id
    )
    report = await gemini.get(made.id)
    name = await paint(gemini, "What is my name?", report, model=MODEL)
    again = await paint(gemini, "And a scarf", name)

    assert f"shows “{PROMPT}”, then “Add a hat” (1024×1024)" in asked.output_text
    assert report.status == "completed"
    assert "Phil" in name.output_text
    assert edits_of(again) == ("Add a hat", "And a scarf")
    assert len(control.chain(again.id)) == 7


async def test_a_picture_from_elsewhere_gives_its_colour(gemini):
    file = io.BytesIO()
    Image.new("RGB", (40, 40), (200, 30, 90)).save(file, "PNG")
    data = base64.b64encode(file.getvalue()).decode()
    reference = {"type": "image", "mime_type": "image/png", "data": data}
    answer = await paint(gemini, [{"type": "text", "text": "Make it larger"}, reference])

    assert center_pixel(answer) == pytest.approx((200, 30, 90), abs=3)


async def test_what_is_no_picture_at_all_is_painted_over(gemini):
    nothing = {"type": "image", "mime_type": "image/png", "data": "aGk="}
    forged = base64.b64encode(b'\xff\xd8\xff\xfe\x00\x0d{"painted"}').decode()
    answers = [
        await paint(gemini, [{"type": "text", "text": "More"}, {**nothing, "data": data}])
        for data in ("aGk=", forged)
    ]

    assert all(images(answer) for answer in answers)


def replay(first, *, signed):
    steps = [step.model_dump(exclude_none=True) for step in first.steps]
    steps = [step for step in steps if signed or step["type"] != "thought"]
    said = [{"type": "user_input", "content": [{"type": "text", "text": PROMPT}]}]
    change = {"type": "user_input", "content": [{"type": "text", "text": "Add a hat"}]}
    return [*said, *steps, change]


async def test_a_replayed_picture_needs_its_thought_signature(gemini):
    first = await paint(gemini)
    second = await paint(gemini, replay(first, signed=True), store=False)

    with pytest.raises(BadRequestError, match="Image part is missing a thought_signature"):
        await paint(gemini, replay(first, signed=False))
    assert edits_of(second) == ("Add a hat",)
    assert center_pixel(first) == center_pixel(second)


async def test_a_prompt_can_be_refused_in_words(gemini):
    answer = await paint(gemini, "Paint what you would refuse to paint")

    assert answer.status == "completed"
    assert images(answer) == []
    assert "cannot" in answer.output_text


@pytest.mark.parametrize("code", ["image_safety", "no_image"])
async def test_a_picture_can_be_refused_with_a_code(gemini, control: EmulatorControl, code):
    control.refuse_next_image(code)
    control.refuse_next_image(code, status="failed", where="step")
    first, second = await paint(gemini), await paint(gemini)

    assert (first.status, first.errors[0].code, first.output_text) == ("completed", code, "")
    assert second.status == "failed"
    assert second.steps[-1].error.message.startswith(code)
    assert images(await paint(gemini))


async def test_a_text_model_sees_what_a_picture_shows(gemini):
    made = await paint(gemini)
    part = {"type": "image", "mime_type": "image/jpeg", "data": made.output_image.data}
    answer = await gemini.create(model=MODEL, input=[{"type": "text", "text": "Hm?"}, part])

    assert f"The picture shows “{PROMPT}”" in answer.output_text


async def test_every_attachment_is_named_with_its_size_or_address(gemini, control: EmulatorControl):
    answer = await gemini.create(
        model=MODEL,
        input=[
            {"type": "text", "text": "Look"},
            {
                "type": "audio",
                "mime_type": "audio/wav",
                "data": base64.b64encode(b"12345").decode(),
            },
            {
                "type": "document",
                "mime_type": "application/pdf",
                "uri": "https://example.com/a.pdf",
            },
            {"type": "video", "uri": "https://www.youtube.com/watch?v=x"},
        ],
    )

    for words in (
        "audio (audio/wav) of 5 bytes",
        "document (application/pdf) at https://example.com/a.pdf",
        "video (https://www.youtube.com/watch?v=x)",
    ):
        assert words in answer.output_text


async def test_the_log_keeps_sizes_and_hashes_of_large_media(gemini, control: EmulatorControl):
    small = base64.b64encode(b"x").decode()
    large = base64.b64encode(bytes(3_000_000)).decode()
    parts = [{"type": "image", "mime_type": "image/png", "data": data} for data in (small, large)]
    await gemini.create(model=MODEL, input=[{"type": "text", "text": "Look"}, *parts])

    (post,) = control.posts
    content = post.body["input"][0]["content"]
    assert content[1]["data"] == small
    assert content[2]["data"] == "(3000000 bytes, not kept)"
    assert [each["bytes"] for each in post.attachments] == [1, 3_000_000]
    assert all(len(each["sha256"]) == 64 for each in post.attachments)
    assert post.bytes > 4_000_000
