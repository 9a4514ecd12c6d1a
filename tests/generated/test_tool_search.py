"""The right tool is found: hosts hide tools until a search, and people's words must lead there.

Two kinds of search are known among hosts. Codex ranks by BM25 over a tool's name, title,
description and parameters. Claude Code and Qwen Code score each word of the query: most for a
part of the name, less for a search hint (which Claude Code alone reads), least for the
description. Both are imitated here as far as they can be seen from outside; what matters is that
one and the same list of tools serves both. The requests are what people type, in languages whose
words are parted by blanks, since neither search cuts words out of Chinese or Japanese.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import pytest

from gemini_interactions.config.setting_table import DEFAULT_TOOLSETS
from gemini_interactions.tools.registry import tools

ASK, GO_ON, RESULT, HISTORY = "gemini_ask", "gemini_continue", "gemini_result", "gemini_history"
IMAGE, RESEARCH = "gemini_generate_image", "start_deep_research"
PLAN, CHECK, CANCEL = "approve_research_plan", "check_research", "cancel_research"

REQUESTS: dict[str, dict[str, str]] = {
    "English": {
        "ask gemini what it thinks of this design": ASK,
        "get a second opinion from another model": ASK,
        "ask google gemini": ASK,
        "search the web with google": ASK,
        "let gemini run this code in a sandbox": ASK,
        "have gemini review this file": ASK,
        "start a conversation with gemini": ASK,
        "web search with sources": ASK,
        "continue the conversation with gemini": GO_ON,
        "follow up with gemini": GO_ON,
        "ask gemini a follow-up question": GO_ON,
        "send function results back to gemini": GO_ON,
        "get the result of the call that was still running": RESULT,
        "read on in the long answer of gemini": RESULT,
        "collect the outcome of an earlier gemini call": RESULT,
        "list past gemini conversations": HISTORY,
        "find the conversation id again": HISTORY,
        "gemini history": HISTORY,
        "make an image of a cat": IMAGE,
        "draw a logo": IMAGE,
        "edit this picture": IMAGE,
        "generate an illustration": IMAGE,
        "create a picture with nano banana": IMAGE,
        "deep research on battery prices": RESEARCH,
        "start a deep research": RESEARCH,
        "research this question and write a report with sources": RESEARCH,
        "write a cited report": RESEARCH,
        "approve the research plan": PLAN,
        "change the plan of the research": PLAN,
        "how is the research going": CHECK,
        "check the research status": CHECK,
        "is the research report done": CHECK,
        "stop the research": CANCEL,
        "cancel research": CANCEL,
    },
    "German": {
        "frag Gemini nach einer zweiten Meinung": ASK,
        "Gemini fragen": ASK,
        "mach ein Bild von einer Katze": IMAGE,
        "erzeuge ein Bild mit Gemini": IMAGE,
        "starte eine Recherche mit Deep Research": RESEARCH,
    },
    "French": {
        "demande à Gemini": ASK,
        "fais une image d'un chat": IMAGE,
        "crée une image avec Gemini": IMAGE,
        "lance une recherche Deep Research": RESEARCH,
        "continue la conversation avec Gemini": GO_ON,
    },
    "Spanish": {
        "pregunta a Gemini": ASK,
        "haz una imagen de un gato": IMAGE,
        "genera una imagen con Gemini": IMAGE,
        "investigación con Deep Research": RESEARCH,
        "deep research sobre baterías": RESEARCH,
    },
    "Portuguese": {
        "pergunta ao Gemini": ASK,
        "faz uma imagem de um gato": IMAGE,
        "cria uma imagem com o Gemini": IMAGE,
        "pesquisa com Deep Research": RESEARCH,
        "deep research sobre baterias": RESEARCH,
    },
    "Italian": {
        "chiedi a Gemini": ASK,
        "fai un'immagine di un gatto": IMAGE,
        "crea un'immagine con Gemini": IMAGE,
        "avvia una ricerca con Deep Research": RESEARCH,
        "deep research sulle batterie": RESEARCH,
    },
}
LISTED = {
    name: tool.listed for name, tool in tools(DEFAULT_TOOLSETS).items() if "_view_" not in name
}
Search = Callable[[str], list[str]]


def words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", text.lower())


def bm25(query: str) -> list[str]:
    """Names by BM25 (k1 1.2, b 0.75), as the Rust library that Codex uses has it."""
    texts = {
        name: words(
            " ".join(
                [name, tool.title or "", tool.description or "", *tool.input_schema["properties"]]
            )
        )
        for name, tool in LISTED.items()
    }
    average = sum(map(len, texts.values())) / len(texts)
    score: dict[str, float] = dict.fromkeys(LISTED, 0.0)
    for word in words(query):
        having = sum(word in text for text in texts.values())
        weight = math.log(1 + (len(texts) - having + 0.5) / (having + 0.5))
        for name, text in texts.items():
            often = text.count(word)
            length = 1 - 0.75 + 0.75 * len(text) / average
            score[name] += weight * often * 2.2 / (often + 1.2 * length)
    return ranked(score)


def keywords(query: str, *, with_hints: bool) -> list[str]:
    """Names by where each word stands: in the name, in the hint, in the description."""
    score: Counter[str] = Counter()
    for word in words(query):
        for name, tool in LISTED.items():
            hint = str((tool.meta or {}).get("anthropic/searchHint", "")) if with_hints else ""
            text = words(f"{tool.title} {tool.description}")
            score[name] += 10 * (word in words(name.replace("_", " ")))
            score[name] += 4 * (word in words(hint)) + 2 * (word in text)
    return ranked(score)


def ranked(score: Mapping[str, float]) -> list[str]:
    """The best first; of equals the one that is listed first."""
    found = [name for name in LISTED if score[name] > 0]
    return sorted(found, key=lambda name: -score[name])


SEARCHES: dict[str, Search] = {
    "BM25": bm25,
    "keywords and hints": lambda query: keywords(query, with_hints=True),
    "keywords": lambda query: keywords(query, with_hints=False),
}
ALL: Sequence[tuple[str, str]] = [pair for each in REQUESTS.values() for pair in each.items()]


def test_there_are_sixty_requests_or_so_in_six_languages() -> None:
    assert len(REQUESTS) == 6
    assert len(ALL) >= 59
    assert {tool for _, tool in ALL} == set(LISTED)


@pytest.mark.parametrize("search", SEARCHES)
@pytest.mark.parametrize(("request_text", "tool"), ALL, ids=[text for text, _ in ALL])
def test_what_people_say_finds_the_tool_among_the_first_three(
    request_text: str, tool: str, search: str
) -> None:
    assert tool in SEARCHES[search](request_text)[:3]
