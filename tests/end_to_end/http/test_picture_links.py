"""Links to pictures: they open one picture of one owner for a day, and nothing else."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from urllib.parse import unquote

import pytest

from gemini_interactions.components import links
from gemini_interactions.config.settings import Config
from gemini_interactions.domain.errors import Refused
from tests.support.app_harness import AppHarness, ToolResult
from tests.support.gateway_harness import GatewayHarness

TOKENS = {"anns-token": "ann", "bobs-token": "bob"}
DAY = 24 * 3600


def link_in(made: ToolResult) -> str:
    (link,) = (word for word in made.text.split() if "/images/" in word)
    return link


@pytest.fixture
async def made(gateways: GatewayHarness) -> ToolResult:
    """A picture of Ann's."""
    await gateways.open(tokens=TOKENS)
    ann = await gateways.connect(token="anns-token")
    return await ann.call("gemini_generate_image", prompt="a red square")


async def test_a_picture_is_told_by_a_link_that_needs_no_token(
    gateways: GatewayHarness, harness: AppHarness, made: ToolResult
) -> None:
    (file,) = (harness.folder / "images").iterdir()

    async with gateways.raw() as raw:
        answer = await raw.get(link_in(made))

    assert link_in(made).startswith(gateways.latest.gateway.url)
    assert "(valid for 24 hours)" in made.text
    assert str(harness.folder) not in made.text
    assert answer.status_code == 200
    assert answer.content == file.read_bytes()
    assert answer.headers["content-type"] == "image/jpeg"
    assert int(answer.headers["content-length"]) == file.stat().st_size


async def test_a_copy_is_told_by_its_name_in_the_folder_that_was_opened(
    gateways: GatewayHarness, tmp_path: Path
) -> None:
    opened = tmp_path / "opened"
    opened.mkdir()
    await gateways.open(tokens=TOKENS, allowed_dirs=(opened,))
    ann = await gateways.connect(token="anns-token")

    made = await ann.call("gemini_generate_image", prompt="a red square", save_to="out/red.jpg")
    again = await ann.result(made.facts["image_id"])

    assert (opened / "out" / "red.jpg").is_file()
    for said in (made, again):
        assert "Saved as out/red.jpg" in said.text
        assert str(tmp_path) not in said.raw.model_dump_json()


async def test_a_picture_comes_under_its_own_name_and_is_kept_by_nobody_between(
    gateways: GatewayHarness, harness: AppHarness, made: ToolResult
) -> None:
    (file,) = (harness.folder / "images").iterdir()

    async with gateways.raw() as raw:
        headers = (await raw.head(link_in(made))).headers

    _, _, name = headers["content-disposition"].partition("filename*=UTF-8''")
    assert unquote(name) == file.name
    assert headers["cache-control"].startswith("private")
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"


async def test_links_begin_with_the_public_address(gateways: GatewayHarness) -> None:
    await gateways.open(public_url="https://gemini.example.com/team")
    client = await gateways.connect()

    made = await client.call("gemini_generate_image", prompt="a red square")

    image = made.facts["image_id"]
    assert link_in(made).startswith(f"https://gemini.example.com/team/images/{image}/")


async def test_a_link_ends_after_a_day(
    gateways: GatewayHarness, harness: AppHarness, made: ToolResult
) -> None:
    async with gateways.raw() as raw:
        harness.clock.advance(DAY - 1)
        in_time = await raw.get(link_in(made))
        harness.clock.advance(2)
        too_late = await raw.get(link_in(made))

    assert (in_time.status_code, too_late.status_code) == (200, 404)


async def test_a_path_that_leaves_the_images_is_no_link(
    gateways: GatewayHarness, made: ToolResult
) -> None:
    ticket = link_in(made).rsplit("/", 1)[1]

    async with gateways.raw() as raw:
        answer = await raw.get(f"/images/..%2f..%2fgemini.db/{ticket}")

    assert answer.status_code == 401


async def test_every_link_that_opens_nothing_reads_the_same(
    gateways: GatewayHarness, harness: AppHarness, made: ToolResult
) -> None:
    ann = await gateways.connect(token="anns-token")
    bob = await gateways.connect(token="bobs-token")
    other = await ann.call("gemini_generate_image", prompt="a blue square")
    bobs = await bob.call("gemini_generate_image", prompt="a green square")
    image, ticket = link_in(made).rsplit("/", 2)[1:]
    others, bobs_ticket = (link_in(each).rsplit("/", 1)[1] for each in (other, bobs))
    owner, until, signature = ticket.split(".")
    gone = link_in(other)
    (file,) = (harness.folder / "images").glob(f"*{other.facts['image_id']}*")
    file.unlink()
    paths = [
        gone,
        f"/images/{image}/{others}",
        f"/images/{image}/{bobs_ticket}",
        f"/images/{image}/{bobs_ticket.split('.')[0]}.{until}.{signature}",
        f"/images/{image}/{owner}.{int(until) + 1}.{signature}",
        f"/images/{image}/{owner}.{until}.{'A' * 43}",
        f"/images/{image}/x",
        f"/images/i_0000000000/{ticket}",
        f"/images/..%5c..%5cgemini.db/{ticket}",
        f"/images/%2e%2e/{ticket}",
        f"/images/{image}%00/{ticket}",
    ]

    async with gateways.raw() as raw:
        answers = [await raw.get(path) for path in paths]

    assert {(each.status_code, each.text) for each in answers} == {
        (404, "There is nothing here.\n")
    }


async def test_a_picture_whose_file_became_a_link_to_elsewhere_is_not_served(
    gateways: GatewayHarness, harness: AppHarness, made: ToolResult
) -> None:
    (file,) = (harness.folder / "images").iterdir()
    secret = harness.folder.parent / "secret"
    secret.write_text("of somebody's")
    file.unlink()
    file.symlink_to(secret)

    async with gateways.raw() as raw:
        answer = await raw.get(link_in(made))

    assert answer.status_code == 404


async def test_servers_with_one_key_answer_each_others_links(
    gateways: GatewayHarness, harness: AppHarness
) -> None:
    harness.set(GEMINI_MCP_SIGNING_KEY="the same for both of them")
    await gateways.open(tokens=TOKENS)
    ann = await gateways.connect(token="anns-token")
    made = await ann.call("gemini_generate_image", prompt="a red square")
    await gateways.open(tokens=TOKENS)

    async with gateways.raw() as raw:
        answer = await raw.get(link_in(made)[len(gateways.all[0].gateway.url) :])

    assert answer.status_code == 200
    assert not (harness.folder / "gemini-signing-key").exists()


async def test_without_a_key_one_is_made_and_kept_for_the_next_start(
    gateways: GatewayHarness, harness: AppHarness, made: ToolResult
) -> None:
    await gateways.latest.stop()
    await gateways.open(tokens=TOKENS)

    async with gateways.raw() as raw:
        answer = await raw.get(link_in(made)[len(gateways.all[0].gateway.url) :])

    key = harness.folder / "gemini-signing-key"
    assert answer.status_code == 200
    assert stat.S_IMODE(key.stat().st_mode) == 0o600


async def test_a_short_signing_key_is_refused_without_being_repeated(harness: AppHarness) -> None:
    harness.set(GEMINI_MCP_SIGNING_KEY="too short")

    with pytest.raises(Refused, match="at least 16 characters") as refused:
        links(Config.read(os.environ))

    assert "too short" not in str(refused.value)
