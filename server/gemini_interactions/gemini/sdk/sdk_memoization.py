"""Remembers what google-genai would build anew for every call.

`google.genai._gaos.utils.serializers` calls `pydantic.create_model` twice a call, which rebuilds
the validators of the whole request tree: two thirds of the CPU of a create. `url`, `queryparams`
and `headers` evaluate the annotations of the same few classes at every call: another tenth. Its
packages look up each name they offer lazily with `importlib`, every time one is used, twenty times
a call. And the hook that puts the key into the headers runs in a thread, though it only sets
headers (all seen in 3.4.0, 3.5.0 and 3.6.1). Delete what the SDK does by itself one day.
"""

from __future__ import annotations

import functools
import select
import typing
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from types import ModuleType
from typing import Any

MOST = 256
"""How many are kept; the SDK needs a handful, one for each type that is sent or read."""

_HINTED = ("url", "queryparams", "headers", "forms")
_LAZY = ("utils", "types", "models")


def install() -> None:
    """Put the caches in place; does nothing where the SDK is not as expected."""
    try:
        import pydantic
        from google.genai._gaos.utils import serializers
    except ImportError:
        return
    if getattr(serializers, "create_model", None) is pydantic.create_model:
        setattr(serializers, "create_model", remembering(pydantic.create_model))  # noqa: B010  private
    _remember_sockets()
    for name in _LAZY:
        with suppress(ImportError):
            remember_names(import_module(f"google.genai._gaos.{name}"))
    hints = functools.lru_cache(MOST)(typing.get_type_hints)
    for name in _HINTED:
        try:
            module = import_module(f"google.genai._gaos.utils.{name}")
        except ImportError:
            continue
        if getattr(module, "get_type_hints", None) is typing.get_type_hints:
            # The SDK only reads what it gets.
            setattr(module, "get_type_hints", hints)  # noqa: B010  private


def remember_names(package: ModuleType) -> None:
    """Keep in a package each name that its own `__getattr__` has found."""
    look_up = vars(package).get("__getattr__")
    if look_up is None or look_up.__module__ != package.__name__:
        return

    def remember(name: str) -> Any:
        found = look_up(name)
        setattr(package, name, found)
        return found

    setattr(package, "__getattr__", remember)  # noqa: B010  a function of the module, not a method


def _remember_sockets() -> None:
    """The connection pool looks at every idle connection at every request and again at its end: it
    asks anyio for all that is known of the connection, addresses included, to find its socket, and
    sets up a poll of it."""
    try:
        stream = import_module("httpcore2._backends.anyio").AnyIOStream
        is_readable = import_module("httpcore2._utils").is_socket_readable
        attribute = import_module("anyio.abc").SocketAttribute.raw_socket
        look = stream.get_extra_info
    except (ImportError, AttributeError):
        return

    def get_extra_info(self: Any, info: str) -> Any:
        if info != "is_readable":
            return look(self, info)
        try:
            look_again = self._look_again
        except AttributeError:
            look_up = self._stream.extra
            look_again = self._look_again = prepared_poll(look_up(attribute, None), is_readable)
        return look_again()

    if look.__name__ == "get_extra_info" and look.__module__ == stream.__module__:
        stream.get_extra_info = get_extra_info


def prepared_poll(socket: Any, is_readable: Callable[[Any], bool]) -> Callable[[], bool]:
    """`is_readable` of one socket, with its poll set up once, where the system has polls."""
    number = -1 if socket is None else socket.fileno()
    if number < 0 or not hasattr(select, "poll"):
        return functools.partial(is_readable, socket)
    poll = select.poll()
    poll.register(number, select.POLLIN)
    return lambda: socket.fileno() < 0 or bool(poll.poll(0))


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
