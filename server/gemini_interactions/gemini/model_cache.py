"""Remembers the wrapper models that google-genai would build anew for every call.

`google.genai._gaos.utils.serializers` calls `pydantic.create_model` twice a call, which rebuilds
the validators of the whole request tree: two thirds of the CPU of a create (seen in 3.4.0, 3.5.0
and 3.6.1). Delete this module once the SDK keeps them itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

MOST = 256
"""How many are kept; the SDK needs a handful, one for each type that is sent or read."""


def install() -> None:
    """Put the cache in place; does nothing where the SDK is not as expected."""
    try:
        import pydantic
        from google.genai._gaos.utils import serializers
    except ImportError:
        return
    if getattr(serializers, "create_model", None) is pydantic.create_model:
        setattr(serializers, "create_model", remembering(pydantic.create_model))  # noqa: B010  private


def remembering(create_model: Callable[..., Any]) -> Callable[..., Any]:
    """`create_model` that makes a model of the same name for the same type of body only once."""
    made: dict[tuple[str, Any], Any] = {}

    def create(name: str, /, **fields: Any) -> Any:
        body = fields.get("body")
        if fields.keys() != {"body", "__config__"} or not isinstance(body, tuple):
            return create_model(name, **fields)
        # By identity too: unions of the same types in another order are equal, and read otherwise.
        key = name, id(body[0])
        known = made.get(key)
        if known is not None and known[0] is body[0]:
            return known[1]
        model = create_model(name, **fields)
        if len(made) < MOST:
            made[key] = body[0], model  # which keeps the type, so that no other takes its id
        return model

    return create
