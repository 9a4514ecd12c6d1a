"""Everything a client can do, again over HTTP, in both protocol eras."""

from __future__ import annotations

import anyio
import pytest

from tests.http.site import Site
from tests.product.house import House

ERAS = pytest.mark.parametrize("legacy", [False, True], ids=["modern", "legacy"])


@ERAS
async def test_a_chain_and_a_branch_go_to_google_as_such(
    site: Site, house: House, legacy: bool
) -> None:
    await site.open()
    guest = await site.visit(legacy=legacy)

    first = await guest.ask("one")
    second = await guest.follow("two", conversation_id=first.conversation)
    branch = await guest.follow("other", conversation_id=first.conversation, turn=1)

    assert [each.id for each in (second, branch)] == [
        f"{first.conversation}/2",
        f"{first.conversation}/3",
    ]
    assert [body.get("previous_interaction_id") for body in house.bodies] == [
        None,
        first.interaction,
        first.interaction,
    ]
