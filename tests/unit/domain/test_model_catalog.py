"""Which model serves a wish, what stands in for it, and what it costs."""

from datetime import date
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemini_interactions.domain.models import model_catalog
from gemini_interactions.domain.models.model_catalog import (
    Choice,
    agent_of,
    choose,
    is_agent,
    known,
    level,
    price,
)
from gemini_interactions.domain.types import Usage

TODAY = date(2026, 11, 22)
DECEMBER = date(2026, 12, 1)
MILLION = Usage(input=1_000_000, output=1_000_000)


def chosen_model(model: str, kind: Literal["text", "image"] = "text", today: date = TODAY) -> str:
    return choose(model, kind=kind, default="", today=today).model


# -------------------------------------------------------------------------------------- choice


def test_no_wish_means_the_default() -> None:
    assert choose("", kind="text", default="my-tuned", today=TODAY) == Choice("my-tuned")
    assert choose(" ", kind="text", default="", today=TODAY) == Choice("gemini-3.8-flash")
    assert choose("", kind="image", default="", today=TODAY) == Choice("gemini-nano-banana-2.1")


def test_a_default_may_be_an_alias_or_retired() -> None:
    assert choose("", kind="text", default="lite", today=TODAY).model == "gemini-3.5-flash-lite"
    assert choose("", kind="text", default="gemini-1.5-flash", today=TODAY).note


@pytest.mark.parametrize(
    ("alias", "model"),
    [
        ("fast", "gemini-3.8-flash"),
        ("pro", "gemini-4-argon"),
        ("lite", "gemini-3.5-flash-lite"),
        ("image", "gemini-nano-banana-2.1"),
        ("image-pro", "gemini-3-pro-image"),
        (" PRO ", "gemini-4-argon"),
    ],
)
def test_an_alias_is_the_current_model_of_its_name(alias: str, model: str) -> None:
    assert choose(alias, kind="text", default="", today=TODAY) == Choice(model)


def test_an_alias_of_text_draws_with_the_model_that_draws() -> None:
    assert chosen_model("pro", "image") == "gemini-3-pro-image"
    assert chosen_model("fast", "image") == "gemini-nano-banana-2.1"
    assert chosen_model("image-pro", "image") == "gemini-3-pro-image"


@pytest.mark.parametrize(
    "model", ["gemini-9-neon", "tunedModels/Mine-1", "Some-Model", "gemini-20"]
)
def test_an_unknown_id_passes_through_untouched(model: str) -> None:
    assert choose(model, kind="text", default="", today=TODAY) == Choice(model)


def test_the_prefix_of_resource_names_and_spaces_are_taken_off() -> None:
    assert choose(" models/Gemini-4-Argon\n", kind="text", default="", today=TODAY) == (
        Choice("gemini-4-argon")
    )


@pytest.mark.parametrize(
    ("dead", "successor"),
    [
        ("gemini-2.0-flash", "gemini-3.8-flash"),
        ("gemini-2.0-flash-001", "gemini-3.8-flash"),
        ("gemini-2.0-flash-thinking-exp", "gemini-3.8-flash"),
        ("gemini-2.0-flash-lite", "gemini-3.5-flash-lite"),
        ("gemini-2.0-pro-exp-02-05", "gemini-3.1-pro-preview"),
        ("gemini-exp-1206", "gemini-3.1-pro-preview"),
        ("gemini-1.5-pro-latest", "gemini-3.1-pro-preview"),
        ("gemini-1.5-flash", "gemini-3.8-flash"),
        ("gemini-1.5-flash-8b", "gemini-3.5-flash-lite"),
        ("gemini-1.0-pro", "gemini-3.1-pro-preview"),
        ("gemini-pro", "gemini-3.1-pro-preview"),
        ("gemini-pro-vision", "gemini-3.1-pro-preview"),
        ("gemini-3-pro-preview", "gemini-3.1-pro-preview"),
        ("gemini-3.1-flash-lite-preview", "gemini-3.1-flash-lite"),
        ("gemini-3-pro-image-preview", "gemini-3-pro-image"),
        ("gemini-3.1-flash-image-preview", "gemini-nano-banana-2.1"),
        ("gemini-2.5-flash-image-preview", "gemini-2.5-flash-image"),
        ("gemini-2.0-flash-preview-image-generation", "gemini-nano-banana-2.1"),
        ("gemini-2.5-pro-preview-06-05", "gemini-2.5-pro"),
    ],
)
def test_a_retired_model_is_replaced_and_the_answer_says_so(dead: str, successor: str) -> None:
    assert choose(dead, kind="text", default="", today=TODAY) == Choice(
        successor, f"Model {dead} is retired; {successor} was used instead."
    )


def test_a_retired_agent_is_replaced_too() -> None:
    assert choose("deep-research-pro-preview-12-2025", today=TODAY) == Choice(
        "deep-research-preview-04-2026",
        "Agent deep-research-pro-preview-12-2025 is retired; "
        "deep-research-preview-04-2026 was used instead.",
    )
    assert chosen_model("antigravity-preview-05-2026") == "antigravity-preview-09-2026"


def test_what_replaces_a_retired_model_for_an_image_can_draw() -> None:
    assert chosen_model("gemini-2.0-flash", "image") == "gemini-nano-banana-2.1"
    assert chosen_model("gemini-3-pro-image-preview", "image") == "gemini-3-pro-image"


def test_a_model_is_replaced_from_the_day_it_ends() -> None:
    assert choose("gemini-2.5-pro", today=date(2026, 11, 30)) == Choice("gemini-2.5-pro")
    assert chosen_model("gemini-2.5-pro", today=DECEMBER) == "gemini-3.8-flash"
    assert chosen_model("gemini-2.5-flash", today=DECEMBER) == "gemini-3.5-flash-lite"
    assert chosen_model("gemini-2.5-pro-preview-06-05", today=DECEMBER) == "gemini-3.8-flash"
    assert chosen_model("gemini-2.5-flash-lite", today=DECEMBER) == "gemini-2.5-flash-lite"


# Every id in the skill people paste into their agents, with its patterns spelled out.
SEEN_IN_THE_WILD = [
    "gemini-3.1-pro-preview",
    "gemini-3-flash-preview",
    "gemini-3.1-flash-lite-preview",
    "gemini-3-pro-image-preview",
    "gemini-3.1-flash-image-preview",
    "gemini-2.5-pro",
    "gemini-2.5-flash",
    "deep-research-pro-preview-12-2025",
    "gemini-2.0-flash",
    "gemini-1.5-pro",
]


@pytest.mark.parametrize("today", [TODAY, DECEMBER])
@pytest.mark.parametrize("model", SEEN_IN_THE_WILD)
def test_every_id_people_paste_is_usable_or_substituted_with_a_note(
    model: str, today: date
) -> None:
    choice = choose(model, today=today)

    assert choice.model in {row.id for row in known()}
    assert bool(choice.note) == (choice.model != model)


ids = (
    st.sampled_from([*SEEN_IN_THE_WILD, *model_catalog.ALIASES, *(row.id for row in known()), ""])
    | st.from_regex(
        r"( |models/|Models/)*gemini-[123]\.[05]-(pro|flash|image)?(-preview)?", fullmatch=True
    )
    | st.text(max_size=30)
)


@given(ids, st.sampled_from(["text", "image"]), st.dates(date(2025, 1, 1), date(2028, 1, 1)))
def test_a_choice_is_its_own_choice(
    model: str, kind: Literal["text", "image"], today: date
) -> None:
    first = choose(model, kind=kind, default="", today=today)

    assert choose(first.model, kind=kind, default="", today=today) == Choice(first.model)


# -------------------------------------------------------------------------------------- levels


@pytest.mark.parametrize(
    ("model", "asked", "used"),
    [
        ("gemini-3.8-flash", "low", "low"),
        ("gemini-3.8-flash", "minimal", "low"),
        ("gemini-3.8-flash", "xhigh", "high"),
        ("gemini-4-carbon", "xhigh", "high"),
        ("gemini-4-hydrogen", "xhigh", "xhigh"),
        ("gemini-nano-banana-2.1", "low", "minimal"),
        ("gemini-nano-banana-2.1", "high", "high"),
        ("models/gemini-3.8-flash", "minimal", "low"),
        ("gemini-9-neon", "minimal", "minimal"),
        ("gemini-3.8-flash", "", ""),
        ("gemini-3.8-flash", "ultra", "ultra"),
    ],
)
def test_a_level_a_model_lacks_becomes_the_nearest(model: str, asked: str, used: str) -> None:
    assert level(model, asked)[0] == used


def test_a_changed_level_is_noted_and_a_kept_one_is_not() -> None:
    assert level("gemini-3.8-flash", "high") == ("high", "")
    assert level("gemini-3.8-flash", "minimal")[1] == (
        "gemini-3.8-flash has no thinking level minimal; low was used instead."
    )


# -------------------------------------------------------------------------------------- prices


@pytest.mark.parametrize(
    ("model", "today", "dollars"),
    [
        ("gemini-3.8-flash", date(2026, 12, 31), 0.75 + 3.75),
        ("gemini-3.8-flash", date(2027, 1, 1), 1.50 + 7.50),
        ("gemini-4-argon", date(2026, 11, 30), 2 + 10),
        ("gemini-4-argon", DECEMBER, 4 + 20),
        ("gemini-4-carbon", DECEMBER, 4 + 20),
        ("gemini-3.5-flash-lite", TODAY, 0.30 + 2.50),
        ("gemma-4-31b-it", TODAY, 0),
        ("gemini-2.5-pro", DECEMBER, 0.75 + 3.75),
    ],
)
def test_a_price_holds_from_its_day_on(model: str, today: date, dollars: float) -> None:
    assert price(model, MILLION, today) == pytest.approx(dollars)


def test_thoughts_are_billed_as_output_and_tool_prompts_as_input() -> None:
    usage = Usage(input=1_000_000, output=1_000_000, thought=1_000_000, tool_use=1_000_000)

    assert price("gemini-3.6-flash", usage, TODAY) == pytest.approx(2 * 1.50 + 2 * 7.50)


@pytest.mark.parametrize(
    ("model", "today", "dollars"),
    [
        ("gemini-3.6-flash", TODAY, 0.15),
        ("gemini-3.5-flash-lite", TODAY, 0.03),
        ("gemini-3.8-flash", TODAY, 0.075),
        ("gemini-4-hydrogen", TODAY, 0.075),
        ("gemini-4-neon", TODAY, 0.15),
        ("gemini-4-argon", date(2026, 12, 1), 0.20),
        ("gemini-3.1-flash-lite", TODAY, 0.25),
    ],
)
def test_cached_input_has_its_own_price_where_one_is_known(
    model: str, today: date, dollars: float
) -> None:
    usage = Usage(input=1_000_000, cached=1_000_000)

    assert price(model, usage, today) == pytest.approx(dollars)


@pytest.mark.parametrize(
    ("model", "today", "dollars"),
    [
        ("gemini-4-neon", TODAY, 18),
        ("gemini-4-hydrogen", TODAY, 9),
        ("gemini-4-argon", date(2026, 12, 1), 24),
        ("gemini-3.8-flash", date(2026, 12, 31), 4.5),
        ("gemini-3.8-flash", date(2027, 1, 1), 9),
        ("gemini-3-flash-preview", TODAY, 3.5),
        ("gemini-2.5-flash", TODAY, 2.8),
        ("gemini-2.5-flash-lite", TODAY, 0.5),
        ("gemini-2.5-pro", TODAY, 11.25),
        ("gemini-3.1-flash-lite", TODAY, 1.75),
    ],
)
def test_the_prices_of_november_2026(model: str, today: date, dollars: float) -> None:
    assert price(model, MILLION, today) == pytest.approx(dollars)


@pytest.mark.parametrize(("tier", "times"), [("flex", 0.5), ("priority", 1.8), ("standard", 1)])
def test_a_tier_has_its_share_of_the_price(tier: str, times: float) -> None:
    standard = price("gemini-4-neon", MILLION, TODAY)

    assert price("gemini-4-neon", MILLION, TODAY, tier) == pytest.approx((standard or 0) * times)


def test_a_picture_its_text_and_its_thoughts_have_three_prices() -> None:
    usage = Usage(input=1_000_000, output=2_000_000, image=1_000_000, thought=1_000_000)

    assert price("gemini-nano-banana-2.1", usage, TODAY) == pytest.approx(1.5 + 30 + 7.5 + 7.5)


@pytest.mark.parametrize(
    ("gone", "successor"),
    [
        ("gemini-3.7-flash", "gemini-3.8-flash"),
        ("gemini-3.5-flash", "gemini-3.6-flash"),
        ("gemini-3.1-flash-image", "gemini-nano-banana-2.1"),
        ("deep-research-pro-preview-12-2025", "deep-research-preview-04-2026"),
    ],
)
def test_routes_of_autumn_2026(gone: str, successor: str) -> None:
    assert choose(gone, today=TODAY).model == successor


def test_the_alias_fast_changes_on_a_day() -> None:
    assert choose("fast", today=date(2026, 12, 31)).model == "gemini-3.8-flash"
    assert choose("fast", today=date(2027, 1, 1)).model == "gemini-4-hydrogen"
    assert choose("", today=date(2027, 1, 1)).model == "gemini-4-hydrogen"


@pytest.mark.parametrize(
    ("model", "asked", "sent"),
    [
        ("gemini-3.6-flash", "minimal", "minimal"),
        ("gemini-3.5-flash-lite", "xhigh", "high"),
        ("gemini-3.8-flash", "minimal", "low"),
        ("gemini-3.8-flash", "xhigh", "high"),
        ("gemini-4-neon", "xhigh", "xhigh"),
        ("gemini-4-hydrogen", "xhigh", "xhigh"),
        ("gemini-4-argon", "xhigh", "high"),
        ("gemini-nano-banana-2.1", "low", "minimal"),
    ],
)
def test_levels_of_autumn_2026(model: str, asked: str, sent: str) -> None:
    assert level(model, asked)[0] == sent


def test_every_row_says_who_says_so() -> None:
    prices = [price for row in known() for price in row.prices]

    assert all(row.source for row in known())
    assert all(price.source for price in prices)


LOW = ("low", "medium", "high")
UP_FROM_MINIMAL = ("minimal", *LOW)
UP_TO_XHIGH = (*LOW, "xhigh")


@pytest.mark.parametrize(
    ("model", "levels", "prices"),
    [
        ("gemini-3.8-flash", LOW, (0.75, 3.75, 0.075)),
        ("gemini-4-hydrogen", UP_TO_XHIGH, (1.5, 7.5, 0.075)),
        ("gemini-4-argon", LOW, (4, 20, 0.2)),
        ("gemini-4-carbon", LOW, (4, 20, 0.2)),
        ("gemini-4-neon", UP_TO_XHIGH, (3, 15, 0.15)),
        ("gemini-3.6-flash", UP_FROM_MINIMAL, (1.5, 7.5, 0.15)),
        ("gemini-3.5-flash-lite", UP_FROM_MINIMAL, (0.3, 2.5, 0.03)),
        ("gemini-3.1-pro-preview", (), (2, 12, 0)),
        ("gemini-3.1-pro-preview-customtools", (), (2, 12, 0)),
        ("gemini-3.1-flash-lite", (), (0.25, 1.5, 0)),
        ("gemini-3-flash-preview", (), (0.5, 3, 0)),
        ("gemini-2.5-flash-lite", (), (0.1, 0.4, 0)),
        ("gemma-4-26b-a4b-it", (), (0, 0, 0)),
        ("gemma-4-31b-it", (), (0, 0, 0)),
        ("gemini-nano-banana-2.1", ("minimal", "medium", "high"), (1.5, 30, 0)),
        ("gemini-3-pro-image", ("minimal", "medium", "high"), (2, 120, 0)),
        ("nano-banana-pro-preview", ("minimal", "medium", "high"), (2, 120, 0)),
        ("gemini-flash-latest", (), None),
        ("gemini-flash-lite-latest", (), None),
        ("gemini-pro-latest", (), None),
        ("antigravity-preview-09-2026", (), None),
    ],
)
def test_the_rows_of_december_2026(
    model: str, levels: tuple[str, ...], prices: tuple[float, float, float] | None
) -> None:
    (row,) = (row for row in known() if row.id == model)
    cost = row.price(DECEMBER)

    assert row.levels == levels
    assert (cost and (cost.input, cost.output, cost.cached)) == prices


def test_long_input_costs_more_where_google_says_so() -> None:
    model = "gemini-3.1-pro-preview"

    assert price(model, Usage(input=200_000, output=1_000), TODAY) == pytest.approx(0.412)
    assert price(model, Usage(input=200_001, output=1_000), TODAY) == pytest.approx(0.818004)


@pytest.mark.parametrize(
    ("model", "tokens", "dollars"),
    [
        ("gemini-nano-banana-2.1", 1_120, 0.034),
        ("gemini-3-pro-image", 1_120, 0.134),
        ("gemini-3-pro-image", 2_000, 0.24),
    ],
)
def test_an_image_costs_what_google_says_an_image_costs(
    model: str, tokens: int, dollars: float
) -> None:
    assert price(model, Usage(output=tokens), TODAY) == pytest.approx(dollars, abs=0.0007)


def test_a_typical_research_costs_the_middle_of_what_google_says() -> None:
    fast = price(agent_of("fast"), Usage(input=250_000, output=60_000), TODAY)
    most = price(agent_of("max"), Usage(input=900_000, output=80_000), TODAY)

    assert fast == pytest.approx(2, abs=0.5)
    assert most == pytest.approx(5, abs=0.5)


def test_tokens_of_which_nobody_says_what_they_were_have_no_price() -> None:
    assert price(agent_of("fast"), Usage(total=1_117_031), TODAY) is None
    assert price(agent_of("fast"), Usage(), TODAY) == 0


def test_a_model_nobody_knows_has_no_price() -> None:
    assert price("gemini-9-neon", MILLION, TODAY) is None


# --------------------------------------------------------------------------------------- table


def test_every_row_is_named_once_and_its_successor_is_a_row() -> None:
    rows = {row.id: row for row in known()}

    assert len(rows) == len(known())
    for row in known():
        assert bool(row.ends) == bool(row.successor)
        assert not row.successor or row.successor in rows
        assert [cost.since for cost in row.prices] == sorted(cost.since for cost in row.prices)


def test_aliases_and_defaults_are_rows() -> None:
    rows = {row.id: row for row in known()}

    named = {model for dated in model_catalog.ALIASES.values() for _, model in dated}
    assert rows["gemini-3.8-flash"].aliases(TODAY) == ("fast",)
    assert {*named, model_catalog.TEXT, model_catalog.IMAGE} <= rows.keys()


def test_agents_are_told_from_models() -> None:
    assert agent_of("fast") == "deep-research-preview-04-2026"
    assert agent_of("max") == "deep-research-max-preview-04-2026"
    assert is_agent("deep-research-pro-preview-12-2025")
    assert is_agent(agent_of("max"))
    assert not is_agent("gemini-3.8-flash")
