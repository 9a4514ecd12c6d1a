"""docs/reference/models.md: the dated table of models, for people."""

# ruff: noqa: E501  # one sentence of a page is one line

from __future__ import annotations

from docs.generator.tables import joined, table
from gemini_interactions.domain import model_catalog
from gemini_interactions.domain.model_catalog import Model, Price

HEAD = """\
# Models

A call names a model by an alias, by its id, or not at all; ids that are not in this table are passed on as they are.
`gemini://models` is this table merged with what your key may use.

Prices are US dollars for a million tokens, and estimates: Google's bill is what counts.
"""

ALIASES = """\
## Aliases
"""

RETIRED = """\
## Retired models

A model that Google has retired is replaced by its successor, and the answer says so.
The same goes for 1.x, 2.0 and the previews of models that have been released since.
A thinking level that a model does not have becomes the nearest it has, and the answer says that too.
"""

_KINDS = {
    "text": "## Text",
    "image": "## Images",
    "speech": "## Speech",
    "music": "## Music",
    "video": "## Video",
    "agent": "## Agents",
}


def page() -> str:
    """The whole page."""
    defaults = {
        model_catalog.TEXT: "the default for text",
        model_catalog.IMAGE: "the default for images",
    }
    aliases = [
        [f"`{alias}`", f"`{model}`", defaults.get(model, "")]
        for alias, model in model_catalog.ALIASES.items()
    ]
    parts = [HEAD, ALIASES, table(["alias", "model", ""], aliases)]
    for kind, heading in _KINDS.items():
        rows = [_row(model) for model in model_catalog.known() if model.kind == kind]
        parts += [heading, table(["id", "what it is", "thinking", "in / out"], rows)]
    ending = [
        [f"`{model.id}`", f"{model.ends:%Y-%m-%d}", f"`{model.successor}`"]
        for model in model_catalog.known()
        if model.ends
    ]
    return joined([*parts, RETIRED, table(["model", "until", "then"], ending)])


def _row(model: Model) -> list[str]:
    prices = [_price(price, i > 0) for i, price in enumerate(model.prices)]
    return [
        f"`{model.id}`",
        model.title,
        ", ".join(model.levels),
        ", ".join(prices) or "not published",
    ]


def _price(price: Price, is_later: bool) -> str:
    since = f", from {price.since:%Y-%m-%d} " if is_later else ""
    long = f" (above 200k: {price.long[0]:g} / {price.long[1]:g})" if price.long else ""
    return f"{since}{price}{long}".removeprefix(", ")
