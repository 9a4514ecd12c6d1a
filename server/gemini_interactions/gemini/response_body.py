"""Bodies of responses that are no stream of events."""

from __future__ import annotations

import json
from typing import Any

import anyio

from gemini_interactions.domain.errors import Garbled, UpstreamError
from gemini_interactions.domain.unicode_repair import replace_lone_surrogates
from gemini_interactions.gemini import error_mapping
from gemini_interactions.gemini.sse_parser import LARGE

_PAGE_HEAD = 16_384


async def read_error(answer: Any) -> UpstreamError:
    """What an answer is that is neither JSON nor events; a page's title stands at its beginning."""
    head = b""
    async for chunk in answer.iter_bytes():
        head += chunk
        if len(head) > _PAGE_HEAD:
            break
    text = head.decode("utf-8", "replace")
    return error_mapping.page(answer.status_code, text) or Garbled(status=answer.status_code)


async def read_json(answer: Any) -> Any:
    data: bytes = await answer.read()
    try:
        if len(data) > LARGE:
            return await anyio.to_thread.run_sync(_parsed, data)
        return _parsed(data)
    except (ValueError, RecursionError):
        raise Garbled(status=200) from None


def _parsed(data: bytes) -> Any:
    return replace_lone_surrogates(json.loads(data))
