"""docs/reference/settings.md: the table of settings, for people."""

# ruff: noqa: E501  # one sentence of a page is one line

from __future__ import annotations

from collections.abc import Sequence

from docs.generator.tables import joined, sentence, table
from gemini_interactions.config.setting_table import SETTINGS, Setting

HEAD = """\
# Settings

Each setting is an environment variable and the flag of the same name; a flag beats the variable.
An empty variable, or a literal `${…}` that some host did not fill in, counts as not set.
Flags stand before or after the word `serve`, those for HTTP after it, and are read once, at the start.
"""

KEY = """\
## The key

A key has no flag, because everybody on a machine can read command lines.
Without either variable the file that [`gemini-interactions-mcp key`](commands.md#key) wrote is used.
"""

GOOGLE = """\
## Google's own variables

google-genai's own variables work too: `GOOGLE_GENAI_USE_VERTEXAI`, `GOOGLE_CLOUD_PROJECT` and `GOOGLE_CLOUD_LOCATION` choose Vertex AI, with `GOOGLE_APPLICATION_CREDENTIALS` or the account you are logged in with.
"""

HTTP = """\
## Only with `serve --http`
"""


def page() -> str:
    """The whole page."""
    offered = [each for each in SETTINGS if each.available]
    http = [each for each in offered if each.scope == "http"]
    secrets = [each for each in offered if each.secret and each not in http]
    everywhere = [each for each in offered if each not in http and each not in secrets]
    keys = table(
        ["variable", "what it is"],
        [[f"`{each.variable}`", sentence(each.help)] for each in secrets],
    )
    return joined([HEAD, _table(everywhere), HTTP, _table(http), KEY, keys, GOOGLE])


def _table(settings: Sequence[Setting]) -> str:
    rows = [
        [
            f"`{each.variable}`",
            f"`{each.flag}`" if each.flag else "none",
            _default(each),
            sentence(each.help),
        ]
        for each in settings
    ]
    return table(["variable", "flag", "default", "what it is"], rows)


def _default(setting: Setting) -> str:
    return f"`{setting.default}`" if setting.default else setting.otherwise
