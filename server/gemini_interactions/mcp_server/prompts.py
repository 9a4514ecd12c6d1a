"""Prompts: what hosts offer people as slash commands. Each tells the host's model which tool to
call with what, and is there where that tool is."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import mcp_types as types

from ..domain.errors import BadArgument
from .resources import Complete, Reader, conversation_ids

Given = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Argument:
    """One blank to fill in, and what it is completed from."""

    name: str
    description: str
    required: bool = False
    complete: Complete | None = None


@dataclass(frozen=True)
class Prompt:
    """One prompt; `tool` is what its text makes the model call."""

    name: str
    title: str
    description: str
    tool: str
    arguments: Sequence[Argument]
    text: Callable[[Given], str]

    @cached_property
    def listed(self) -> types.Prompt:
        arguments = [
            types.PromptArgument(
                name=each.name, description=each.description, required=each.required
            )
            for each in self.arguments
        ]
        return types.Prompt(
            name=self.name, title=self.title, description=self.description, arguments=arguments
        )

    def filled_in(self, given: Given) -> str:
        """The text for these arguments; raises BadArgument naming what is wrong."""
        known = {each.name for each in self.arguments}
        unknown = [name for name in given if name not in known]
        if unknown:
            raise BadArgument(
                f"`{unknown[0][:40]}` is no argument of the prompt {self.name}. "
                f"It takes: {', '.join(each.name for each in self.arguments)}."
            )
        kept = {name: value.strip() for name, value in given.items() if value.strip()}
        missing = [each.name for each in self.arguments if each.required and each.name not in kept]
        if missing:
            raise BadArgument(f"The prompt {self.name} needs `{missing[0]}`.")
        return self.text(kept)

    def completion(self, argument: str) -> Complete | None:
        return next((each.complete for each in self.arguments if each.name == argument), None)


def _with(given: Given, *names: str) -> str:
    """The arguments that were given, as a model passes them on."""
    told = [
        f"{name} {json.dumps(given[name], ensure_ascii=False)}" for name in names if name in given
    ]
    return "".join(f", {each}" for each in told)


def _ask(given: Given) -> str:
    tool = "gemini_continue" if "conversation_id" in given else "gemini_ask"
    options = _with(given, "conversation_id", "model")
    return (
        f"Call {tool} with the text below as `prompt`{options}. Then give me Gemini's answer, "
        f"with its sources.\n\n{given['question']}"
    )


def _second_opinion(given: Given) -> str:
    about = given.get("about", "what we are working on")
    options = _with({"model": "pro", **given}, "model")
    change = given.get("change", "")
    files = f", files {_files(change)}" if change else ""
    hint = (
        ""
        if change
        else ' Where it is about a change in the repository, pass files ["git:diff"] (or '
        '"git:staged", "git:main..HEAD") instead of pasting it.'
    )
    return (
        f"Get a second opinion from Gemini on {about}.\n\n"
        f'Call gemini_ask with thinking "high"{options}{files}. Gemini has seen nothing of this '
        "conversation: put into `prompt` the goal, the facts, the code or text in question and "
        f"your own view, and ask where it disagrees.{hint} Then tell me where you two agree, where "
        "you do not and who is right, and what you now propose."
    )


def _review(given: Given) -> str:
    change = given.get("change", "git:diff")
    options = _with({"model": "pro", **given}, "model")
    focus = f" Look above all at: {given['focus']}." if "focus" in given else ""
    otherwise = "" if "change" in given else ' If nothing has changed, use "git:HEAD" instead.'
    return (
        f'Have Gemini review a change. Call gemini_ask with files {_files(change)}, thinking "high"'
        f"{options} and as `prompt` what the change is for, in your words, followed by the text "
        f"below. The change goes along by itself: do not paste it.{otherwise} Then check each "
        "finding in the code before you tell me of it: which are right, which are not, and what "
        "you propose.\n\n"
        "Review the attached change for errors in logic, races, security, broken callers and "
        "missing tests. Name file and line of each finding, say how sure you are, and give the "
        f"smallest repair. Say so where it is fine.{focus}"
    )


def _files(change: str) -> str:
    entry = change if change.startswith("git:") else f"git:{change}"
    return json.dumps([entry], ensure_ascii=False)


def _research(given: Given) -> str:
    options = _with(given, "depth", "conversation_id")
    return (
        f"Call start_deep_research with the text below as `question`{options}. It takes minutes "
        "to an hour: do other work, and call check_research now and then. When the report is "
        f"there, sum it up for me with its sources.\n\n{given['question']}"
    )


def _image(given: Given) -> str:
    options = _with(given, "conversation_id", "aspect_ratio")
    return (
        f"Call gemini_generate_image with the text below as `prompt`{options}. Then say where the "
        f"file is, and what the picture shows.\n\n{given['prompt']}"
    )


def _one_of(*choices: str) -> Complete:
    async def complete(_reader: Reader, begun: str) -> list[str]:
        return [each for each in choices if each.startswith(begun.strip().lower())]

    return complete


async def _text_models(reader: Reader, begun: str) -> list[str]:
    names = reader.app.models.names("text")
    return [each for each in names if each.startswith(begun.strip().lower())]


_CHANGES = _one_of("git:diff", "git:staged", "git:HEAD", "git:main..HEAD")
_CONVERSATION = Argument(
    "conversation_id", "Go on in this conversation (c_…).", complete=conversation_ids
)
_MODEL = Argument("model", "fast, pro, lite or a Gemini model id.", complete=_text_models)

PROMPTS: tuple[Prompt, ...] = (
    Prompt(
        "ask",
        "Ask Gemini",
        "Put a question to Google Gemini.",
        "gemini_ask",
        (Argument("question", "What to ask.", required=True), _CONVERSATION, _MODEL),
        _ask,
    ),
    Prompt(
        "second_opinion",
        "Second opinion from Gemini",
        "Have Gemini judge what you are working on, and compare.",
        "gemini_ask",
        (
            Argument("about", "What to judge. Default: the work at hand."),
            Argument("change", "A change to send along, such as git:diff.", complete=_CHANGES),
            _MODEL,
        ),
        _second_opinion,
    ),
    Prompt(
        "review",
        "Review of a change by Gemini",
        "Have Gemini review the change you are working on, or a commit.",
        "gemini_ask",
        (
            Argument(
                "change",
                "git:diff, git:staged, git:REV or git:A..B. Default: git:diff.",
                complete=_CHANGES,
            ),
            Argument("focus", "What to look at above all."),
            _MODEL,
        ),
        _review,
    ),
    Prompt(
        "research",
        "Deep Research with Gemini",
        "Have Gemini research a question on the web and write a cited report.",
        "start_deep_research",
        (
            Argument("question", "What to find out.", required=True),
            Argument(
                "depth", "fast, or max: about twice the work.", complete=_one_of("fast", "max")
            ),
            _CONVERSATION,
        ),
        _research,
    ),
    Prompt(
        "image",
        "Image by Gemini",
        "Have Gemini draw a picture, or edit one.",
        "gemini_generate_image",
        (
            Argument("prompt", "What to draw, or what to change.", required=True),
            Argument(
                "conversation_id",
                "Edit the last image of this conversation (c_…).",
                complete=conversation_ids,
            ),
            Argument(
                "aspect_ratio",
                "Shape, such as 16:9.",
                complete=_one_of("1:1", "16:9", "9:16", "4:3", "3:4", "3:2", "2:3", "21:9"),
            ),
        ),
        _image,
    ),
)
