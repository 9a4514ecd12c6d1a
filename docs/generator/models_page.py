"""docs/reference/models.md: the dated table of models, for people."""

# ruff: noqa: E501  # one sentence of a page is one line

from __future__ import annotations

from datetime import date

from docs.generator.tables import joined, table
from gemini_interactions.domain.models import model_catalog
from gemini_interactions.domain.models.model_catalog import Model, Price

HEAD = """\
# Models

A call names a model by an alias, by its id, or not at all; ids that are not in this table are passed on as they are.
`gemini://models` is this table merged with what your key may use.

Prices are US dollars for a million tokens in the standard tier, and estimates: Google's bill is what counts.
With `service_tier` flex a call costs half of them, with priority 1.8 times as much.
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
        [f"`{alias}`", f"`{model}`", _from(since) or defaults.get(model, "")]
        for alias, rows in model_catalog.ALIASES.items()
        for since, model in rows
    ]
    parts = [HEAD, ALIASES, table(["alias", "model", ""], aliases)]
    for kind, heading in _KINDS.items():
        rows = [_row(model) for model in model_catalog.known() if model.kind == kind]
        parts += [heading, table(["id", "what it is", "thinking", "in / out", "source"], rows)]
    ending = [
        [f"`{model.id}`", f"{model.ends:%Y-%m-%d}", f"`{model.successor}`"]
        for model in model_catalog.known()
        if model.ends
    ]
    return joined([*parts, RETIRED, table(["model", "until", "then"], ending)])


def _from(since: date) -> str:
    return f"from {since:%Y-%m-%d}" if since > date.min else ""


def _row(model: Model) -> list[str]:
    prices = [_price(price, i > 0) for i, price in enumerate(model.prices)]
    return [
        f"`{model.id}`",
        "; ".join(each for each in (model.title, model.note) if each),
        ", ".join(model.levels),
        ", ".join(prices) or "not published",
        model.source or next((price.source for price in model.prices), "SDK 3.4.0"),
    ]


def _price(price: Price, is_later: bool) -> str:
    since = f", from {price.since:%Y-%m-%d} " if is_later else ""
    long = f" (above 200k: {price.long[0]:g} / {price.long[1]:g})" if price.long else ""
    more = f" (cached in: {price.cached:g})" if price.cached else ""
    more += f" (text out: {price.text:g})" if price.text else ""
    return f"{since}{price}{long}{more}".removeprefix(", ")
