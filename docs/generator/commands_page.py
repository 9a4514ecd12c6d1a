"""docs/reference/commands.md: what the command line offers, for people."""

# ruff: noqa: E501  # one sentence of a page is one line

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping

from docs.generator.tables import joined, sentence, table
from gemini_emulator.scripting.fault_injection import FAULTS
from gemini_emulator.scripting.research_scenarios import FATES
from gemini_interactions.cli import command_line
from gemini_interactions.config.setting_table import OFFERED

HEAD = """\
# Commands

`gemini-interactions-mcp` without a word serves MCP over stdio, as hosts expect.
Most commands take the [settings](settings.md) that concern them as flags; those are not repeated here.
A command ends with 0 if it did what it says, with 1 if it could not, and with 2 if it was refused: a word or a setting it does not understand, an id that is not there.
"""


def parsers() -> dict[str, argparse.ArgumentParser]:
    """Every command there is, in the order in which `--help` lists them."""
    # Some commands bring their flags only where they are asked for.
    names = _commands(command_line._parser([]))
    return {name: _commands(command_line._parser([name]))[name] for name in names}


def page() -> str:
    """The whole page."""
    return joined([HEAD, *(_command(name, parser) for name, parser in parsers().items())])


def _commands(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    (action,) = (each for each in parser._actions if hasattr(each, "choices") and _is_sub(each))
    return dict(action.choices or {})


def _is_sub(action: argparse.Action) -> bool:
    return isinstance(action, argparse._SubParsersAction)


def _command(name: str, parser: argparse.ArgumentParser) -> str:
    own = list(_own(parser))
    rows = [[_word(each), sentence(_help(each))] for each in own]
    words = [f"gemini-interactions-mcp {name}"]
    words += [_usage(each) for each in own]
    return joined(
        [
            f"## {name}",
            sentence(parser.description or ""),
            f"```sh\n{' '.join(words)}\n```" if not own else "",
            table(["argument", "what it is"], rows) if own else "",
            _settings(parser),
            *(_named() if name == "emulator" else []),
        ]
    )


def _own(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """The arguments that are not settings."""
    for action in parser._actions:
        if action.dest not in {"help", *(each.name for each in OFFERED)}:
            yield action


def _settings(parser: argparse.ArgumentParser) -> str:
    taken = [each for each in OFFERED if any(a.dest == each.name for a in parser._actions)]
    if not taken:
        return ""
    if len(taken) > 6:
        http = " and those for HTTP" if any(each.scope == "http" for each in taken) else ""
        return f"It takes every [setting](settings.md){http}."
    return f"It takes {', '.join(f'`{each.flag}`' for each in taken)}."


def _word(action: argparse.Action) -> str:
    value = _metavar(action)
    if not action.option_strings:
        return f"`{value}`"
    takes = "" if action.nargs == 0 else f" {value}"
    return f"`{action.option_strings[-1]}{takes}`"


def _usage(action: argparse.Action) -> str:
    return _word(action).strip("`")


def _metavar(action: argparse.Action) -> str:
    if action.choices and not action.metavar:
        return "|".join(map(str, action.choices))
    return str(action.metavar or action.dest.upper())


def _help(action: argparse.Action) -> str:
    return (action.help or "").replace("%%", "%")


def _named() -> list[str]:
    """What the emulator can be told by name."""
    return [
        "### Fates of a research",
        table(["fate", "what becomes of it"], _rows(FATES)),
        "### Faults",
        table(["fault", "what goes wrong"], _rows(FAULTS)),
        "What the server makes of each stands in [faults](faults.md).",
    ]


def _rows(names: Mapping[str, str]) -> list[list[str]]:
    return [[f"`{name}`", sentence(words)] for name, words in names.items()]
