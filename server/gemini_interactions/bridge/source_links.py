"""Sources: where the links of an answer lead, as far as anybody can find out."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence

from ..domain.types import Step
from ..interactions import answer_text

log = logging.getLogger(__name__)

Resolve = Callable[[Sequence[str]], Awaitable[Mapping[str, str]]]
"""Google's redirects to their targets, "" for those that cannot be resolved. Takes its time, but
never long."""


async def targets(steps: Sequence[Step], resolve: Resolve | None) -> Mapping[str, str]:
    """Where the redirects in these steps lead; an answer never fails for it."""
    urls = answer_text.redirects(steps) if resolve else ()
    if not resolve or not urls:
        return {}
    try:
        return {url: target for url, target in (await resolve(urls)).items() if target}
    except Exception:
        log.warning("source links could not be resolved", exc_info=True)
        return {}
