"""The tools that run on Google's side: plausible calls, results and citations."""

import re
from collections.abc import Sequence

from ..json_types import Json
from .scripted_answer import Turn

REDIRECT = "https://vertexaisearch.cloud.google.com/grounding-api-redirect/"
# Google sends about five kilobytes of styled HTML for every query.
_STYLE = "<style>.container{align-items:center;border-radius:8px;display:flex}" + (
    ".chip{display:inline-block;border:solid 1px;border-radius:16px;min-width:14px}" * 60
)


def steps(turn: Turn, tools: Sequence[Json] | None = None) -> list[Json]:
    """A call and a result for every server tool this request offers, or for these."""
    made: list[Json] = []
    for tool in turn.tools if tools is None else tools:
        make = _MAKERS.get(tool.get("type", ""))
        if make:
            made += make(turn, tool, turn.call_id())
    return made


def cite(turn: Turn, text: str) -> tuple[str, list[Json]]:
    """The answer with one more sentence per source, and its annotations in UTF-8 bytes."""
    annotations: list[Json] = []
    for tool in turn.tools:
        source = _found(turn, tool) or _SOURCES.get(tool.get("type", ""))
        if source is None:
            continue
        # A dash of more than one byte: offsets counted in characters come out wrong.
        sentence, annotation = f" — {source[0]}", dict(source[1])
        start = len(text.encode()) + 1
        text += sentence
        annotations.append({**annotation, "start_index": start, "end_index": len(text.encode())})
    return text, annotations


def _found(turn: Turn, tool: Json) -> tuple[str, Json] | None:
    """What a search in stores that are known here finds about the prompt."""
    if tool.get("type") != "file_search":
        return None
    names = tool.get("file_search_store_names")
    found = turn.search(names if isinstance(names, list) else [], turn.prompt)
    if found is None:
        return None
    return f"The store says: {found['line']}", {"type": "file_citation", **found["citation"]}


_SOURCES: dict[str, tuple[str, Json]] = {
    "google_search": (
        "The web agrees, says example.com.",
        {"type": "url_citation", "url": f"{REDIRECT}example", "title": "example.com"},
    ),
    "url_context": (
        "The page was read.",
        {"type": "url_citation", "url": "https://example.com", "title": "Example Domain"},
    ),
    "file_search": (
        "So says the handbook.",
        {
            "type": "file_citation",
            "file_name": "handbook.pdf",
            "document_uri": "fileSearchStores/s/documents/d",
            "page_number": 3,
        },
    ),
    "google_maps": (
        "It is near Cafe Emulator.",
        {
            "type": "place_citation",
            "place_id": "places/1",
            "name": "Cafe Emulator",
            "url": "https://maps.google.com/?cid=1",
        },
    ),
}


def search(queries: Sequence[str], turn: Turn, call_id: str) -> list[Json]:
    """One search: its call and its result."""
    chips = "".join(f'<a class="chip" href="#">{query}</a>' for query in queries)
    html = f'{_STYLE}</style><div class="container">{chips}</div>'
    return [
        {
            "type": "google_search_call",
            "id": call_id,
            "arguments": {"queries": list(queries)},
            "signature": turn.signature(),
        },
        {
            "type": "google_search_result",
            "call_id": call_id,
            "result": [{"search_suggestions": html}],
            "signature": turn.signature(),
        },
    ]


def read(urls: Sequence[str], call_id: str) -> list[Json]:
    """Pages that were read: the call and its result."""
    result = [{"url": url, "status": "success"} for url in urls]
    return _pair("url_context", call_id, {"urls": list(urls)}, result)


def _search(turn: Turn, tool: Json, call_id: str) -> list[Json]:
    return search([turn.prompt[:80] or "the question"], turn, call_id)


def _url_context(turn: Turn, tool: Json, call_id: str) -> list[Json]:
    found = re.findall(r"https?://[^\s\"'<>)]+", turn.prompt)
    return read([url.rstrip(".,;:!?") for url in found] or ["https://example.com"], call_id)


def _code(turn: Turn, tool: Json, call_id: str) -> list[Json]:
    arguments = {"language": "python", "code": "print(2**10)"}
    call, result = _pair("code_execution", call_id, arguments, "1024\n")
    return [call, {**result, "is_error": False}]


def _maps(turn: Turn, tool: Json, call_id: str) -> list[Json]:
    place = {
        "name": "Cafe Emulator",
        "place_id": "places/1",
        "url": "https://maps.google.com/?cid=1",
    }
    return _pair("google_maps", call_id, {"queries": [turn.prompt[:80]]}, [{"places": [place]}])


def _files(turn: Turn, tool: Json, call_id: str) -> list[Json]:
    # On the wire file search shows neither its arguments nor its results.
    return [
        {"type": "file_search_call", "id": call_id},
        {"type": "file_search_result", "call_id": call_id},
    ]


def _mcp(turn: Turn, tool: Json, call_id: str) -> list[Json]:
    allowed = [name for rule in tool.get("allowed_tools") or [] for name in rule.get("tools", [])]
    names = {"name": allowed[0] if allowed else "look", "server_name": tool.get("name", "server")}
    arguments = {"query": turn.prompt[:80]}
    call, result = _pair("mcp_server_tool", call_id, arguments, "ok")
    return [{**call, **names}, {**result, **names}]


def _pair(tool: str, call_id: str, arguments: Json, result: object) -> list[Json]:
    return [
        {"type": f"{tool}_call", "id": call_id, "arguments": arguments},
        {"type": f"{tool}_result", "call_id": call_id, "result": result},
    ]


_MAKERS = {
    "google_search": _search,
    "url_context": _url_context,
    "code_execution": _code,
    "google_maps": _maps,
    "file_search": _files,
    "mcp_server": _mcp,
}
