"""`access list` and `access revoke`: what was signed in, from a terminal."""

from __future__ import annotations

import anyio
import pytest

from gemini_interactions.cli.command_line import main
from tests.end_to_end.http.test_sign_in_tokens import KNOWN
from tests.support.gateway_harness import GatewayHarness
from tests.support.oauth_client import RawOAuthClient


async def command(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    capsys.readouterr()
    code = await anyio.to_thread.run_sync(main, ["access", *arguments])
    said = capsys.readouterr()
    return code, said.out + said.err


async def test_what_was_signed_in_is_listed_and_ended_one_by_one(
    app: RawOAuthClient, capsys: pytest.CaptureFixture[str]
) -> None:
    anns, bobs = await app.signed_in("anns-token"), await app.signed_in("bobs-token")
    await app.code()  # nobody has come back with this one

    _, listed = await command(capsys, "list", "--owner", "ann")
    id = listed.splitlines()[1].split()[0]
    code, ended = await command(capsys, "revoke", id)

    assert listed.startswith("ID ")
    assert len(listed.splitlines()) == 2
    assert "By hand" in listed
    assert (code, ended) == (0, f"Ended {id}: By hand for ann.\n")
    assert await app.status(anns["access_token"]) == 401
    assert await app.status(bobs["access_token"]) == KNOWN


async def test_everything_of_one_owner_can_be_ended(
    app: RawOAuthClient, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [await app.signed_in("anns-token") for _ in range(2)]

    await command(capsys, "revoke", "--owner", "ann")

    assert [await app.status(each["access_token"]) for each in given] == [401, 401]
    assert await command(capsys, "list") == (0, "Nothing is signed in.\n")


async def test_access_that_is_revoked_ends_its_streams_and_no_other(
    gateways: GatewayHarness, app: RawOAuthClient, capsys: pytest.CaptureFixture[str]
) -> None:
    given = await app.signed_in("anns-token")
    by_app = await gateways.raw_client(legacy=True, token=given["access_token"])
    by_token = await gateways.raw_client(legacy=True, token="anns-token")

    async with (
        by_app.http.stream("GET", "/mcp", headers=by_app.headers) as ended,
        by_token.http.stream("GET", "/mcp", headers=by_token.headers) as goes_on,
    ):
        await command(capsys, "revoke", "--owner", "ann")
        await gateways.latest.gateway.end_removed()
        with anyio.fail_after(60):
            await ended.aread()
        with anyio.move_on_after(0.05) as wait:
            await goes_on.aread()

    assert wait.cancelled_caught


async def test_what_is_not_there_is_refused(
    app: RawOAuthClient, capsys: pytest.CaptureFixture[str]
) -> None:
    await app.signed_in()

    assert (await command(capsys, "revoke", "g_none"))[0] == 2
    assert (await command(capsys, "revoke"))[0] == 2
    assert (await command(capsys, "list", "g_none"))[0] == 2
