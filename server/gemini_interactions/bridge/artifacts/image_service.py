"""Images: draw a new picture, or go on with one."""

from __future__ import annotations

from ...domain.errors import BadArgument
from ..requests import Caller, ImageRequest, Reply
from ..runtime import Runtime
from ..turns.handlers.image import ImageHandler
from ..turns.new_turn import NewTurn
from ..turns.submission import TurnSubmission
from ..turns.validation import check_model, check_prompt


class Images:
    def __init__(self, runtime: Runtime, submission: TurnSubmission, handler: ImageHandler) -> None:
        self._runtime = runtime
        self._submission = submission
        self._handler = handler

    async def generate(self, caller: Caller, order: ImageRequest) -> Reply:
        """Draw a new picture, or edit the last one of a conversation."""
        if not order.prompt.strip():
            raise BadArgument("`prompt` is empty. Say what to draw.")
        check_prompt(self._runtime.config, order.prompt)
        check_model(order.model, "image, image-pro")
        queue = self._runtime.resolver.queue_of(order.conversation_id)
        new = NewTurn(caller, "image", order.prompt, order, queue, order.references)
        return await self._submission.submit(new, self._handler)
