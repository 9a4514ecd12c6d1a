"""JSON-RPC messages as clients really write them: read where that loses nothing, else refused.

The SDK drops what it cannot read, and reads a request whose id it does not like as a
notification: its client would wait for an answer until its own time-out. Here every message
that expects an answer gets one, under the id it came with.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mcp_types import INVALID_PARAMS, INVALID_REQUEST, PARSE_ERROR
from pydantic_core import from_json

Message = dict[str, Any]


@dataclass(eq=False)
class InvalidMessage(Exception):
    """A message that is answered with an error; `id` is what it came with, None for no id."""

    code: int
    message: str
    id: Any = None

    def as_json(self) -> str:
        error = {"code": self.code, "message": self.message}
        return json.dumps({"jsonrpc": "2.0", "id": self.id, "error": error})


def read(text: str) -> list[Message | InvalidMessage]:
    """The messages of one line: one, or those of a batch; none for what asks for no answer."""
    text = text.strip("\ufeff \t\r\n")
    if not text:
        return []
    try:
        parsed = from_json(text)
    except ValueError:
        return [InvalidMessage(PARSE_ERROR, "Parse error: that is not JSON.")]
    if parsed == []:
        return [InvalidMessage(INVALID_REQUEST, "Invalid request: the batch is empty.")]
    # A batch (2025-03-26) is answered message by message: clients find answers by their ids.
    messages = parsed if isinstance(parsed, list) else [parsed]
    return [each for message in messages if (each := _checked(message)) is not None]


def _checked(message: Any) -> Message | InvalidMessage | None:
    try:
        return normalized(message)
    except InvalidMessage as problem:
        is_request = not isinstance(message, Mapping) or "id" in message
        return problem if is_request or "method" not in message else None


def normalized(message: Any) -> Message:
    """The message with whole numbers for ids and tokens (JSON knows no difference between 2 and
    2.0); raises InvalidMessage for what is no message."""
    if not isinstance(message, dict):
        raise InvalidMessage(INVALID_REQUEST, "Invalid request: a message is a JSON object.")
    id = _identifier(message["id"]) if "id" in message else None
    if "id" in message and id is None and "error" not in message:
        problem = "Invalid request: `id` must be text or a whole number."
        raise InvalidMessage(INVALID_REQUEST, problem, _echo(message["id"]))
    if message.get("jsonrpc") != "2.0":
        raise InvalidMessage(INVALID_REQUEST, 'Invalid request: `jsonrpc` must be "2.0".', id)
    if "method" not in message:
        if not {"result", "error"} & message.keys():
            raise InvalidMessage(INVALID_REQUEST, "Invalid request: `method` is missing.", id)
        return message
    if not isinstance(message["method"], str):
        raise InvalidMessage(INVALID_REQUEST, "Invalid request: `method` must be text.", id)
    params = message.get("params")
    if params is not None and not isinstance(params, dict):
        raise InvalidMessage(INVALID_PARAMS, "`params` must be an object.", id)
    if id is not None and id is not message["id"]:
        message = {**message, "id": id}
    return _with_readable_token(message, id)


def _with_readable_token(message: Message, id: Any) -> Message:
    """No token for a null one; a wrong one is refused, since no progress could carry it."""
    params = message.get("params")
    meta = params.get("_meta") if isinstance(params, dict) else None
    if not isinstance(params, dict) or not isinstance(meta, dict) or "progressToken" not in meta:
        return message
    given = meta["progressToken"]
    token = _identifier(given)
    if token is not None and token is given:
        return message
    if token is None and given is not None:
        raise InvalidMessage(
            INVALID_PARAMS, "`_meta.progressToken` must be text or a whole number.", id
        )
    others = {name: value for name, value in meta.items() if name != "progressToken"}
    meta = others if token is None else {**others, "progressToken": token}
    return {**message, "params": {**params, "_meta": meta}}


def _identifier(given: Any) -> str | int | None:
    """An id or token as the protocol knows it; None for any other value."""
    if isinstance(given, str) or (isinstance(given, int) and not isinstance(given, bool)):
        return given
    if isinstance(given, float) and given.is_integer():
        return int(given)
    return None


def _echo(id: Any) -> Any:
    """What an error may carry as its id."""
    is_scalar = isinstance(id, bool) or (isinstance(id, float) and math.isfinite(id))
    return id if is_scalar else None
