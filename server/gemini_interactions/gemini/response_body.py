"""Bodies of responses that are no stream of events."""

from __future__ import annotations

from typing import Any

from gemini_interactions.domain.errors import Garbled, UpstreamError
from gemini_interactions.domain.unicode_repair import replace_lone_surrogates
from gemini_interactions.gemini import error_mapping

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
    await answer.read()
    try:
        return replace_lone_surrogates(await answer.json())
    except (ValueError, RecursionError):
        raise Garbled(status=200) from None
