"""The SDK builds its wrapper models once, not at every call."""

from __future__ import annotations

import select
import socket
from types import ModuleType
from typing import Any

import pydantic
import pytest

from gemini_emulator import Emulator, EmulatorControl
from gemini_interactions.domain.types import CreateRequest
from gemini_interactions.gemini import Gemini
from gemini_interactions.gemini.sdk import sdk_memoization

CONFIG = pydantic.ConfigDict(arbitrary_types_allowed=True)


class Maker:
    """Counts what `create_model` is asked for."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def __call__(self, name: str, /, **fields: Any) -> Any:
        self.names.append(name)
        return pydantic.create_model(name, **fields)


def test_a_model_of_one_name_and_type_is_made_once() -> None:
    maker = Maker()
    create = sdk_memoization.remembering(maker)

    first = create("Marshaller", body=(int, ...), __config__=CONFIG)
    again = create("Marshaller", body=(int, ...), __config__=CONFIG)
    other = create("Marshaller", body=(str, ...), __config__=CONFIG)

    assert first is again
    assert other is not first
    assert maker.names == ["Marshaller", "Marshaller"]


def test_unions_that_differ_only_in_order_are_two_types() -> None:
    create = sdk_memoization.remembering(pydantic.create_model)

    one = create("Unmarshaller", body=(int | str, ...), __config__=CONFIG)
    other = create("Unmarshaller", body=(str | int, ...), __config__=CONFIG)

    assert one is not other


def test_a_model_of_another_shape_is_left_to_pydantic() -> None:
    maker = Maker()
    create = sdk_memoization.remembering(maker)

    create("Other", value=(int, ...))
    create("Other", value=(int, ...))

    assert maker.names == ["Other", "Other"]


def test_an_sdk_that_makes_its_models_another_way_is_left_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from google.genai._gaos.utils import serializers

    own = Maker()
    monkeypatch.setattr(serializers, "create_model", own)

    sdk_memoization.install()

    assert vars(serializers)["create_model"] is own


async def test_a_second_create_makes_no_model(
    gemini: Gemini, control: EmulatorControl, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    from google.genai._gaos.utils import serializers

    await gemini.create(CreateRequest("one", model="gemini-3.8-flash"))  # which installs it
    maker = Maker()
    monkeypatch.setattr(serializers, "create_model", sdk_memoization.remembering(maker))
    await gemini.create(CreateRequest("two", model="gemini-3.8-flash"))
    made = len(maker.names)

    await gemini.create(CreateRequest("three", model="gemini-3.8-flash"))

    assert len(maker.names) == made <= 2


def test_a_name_that_a_package_looks_up_is_looked_up_once() -> None:
    package = ModuleType("lazy")
    asked: list[str] = []

    def look_up(name: str) -> str:
        if name != "known":
            raise AttributeError(name)
        asked.append(name)
        return "found"

    look_up.__module__ = "lazy"
    setattr(package, "__getattr__", look_up)  # noqa: B010  a function of the module
    sdk_memoization.remember_names(package)

    assert (package.known, package.known) == ("found", "found")
    assert asked == ["known"]
    with pytest.raises(AttributeError):
        package.unknown  # noqa: B018


async def test_a_second_create_looks_up_no_name_of_the_sdk(
    gemini: Gemini, control: EmulatorControl, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    from google.genai._gaos.utils import dynamic_imports

    await gemini.create(CreateRequest("one", model="gemini-3.8-flash"))  # which installs it
    names: list[str] = []
    look_up = dynamic_imports.dynamic_import

    def noted(package: str, name: str, *more: int) -> Any:
        names.append(name)
        return look_up(package, name, *more)

    monkeypatch.setattr(dynamic_imports, "dynamic_import", noted)

    await gemini.create(CreateRequest("two", model="gemini-3.8-flash"))

    assert names == []


def test_a_prepared_poll_sees_what_arrives_and_what_is_closed() -> None:
    def is_readable(_socket: object) -> bool:
        raise AssertionError("asked although there are polls")

    near, far = socket.socketpair()
    with near, far:
        look = sdk_memoization.prepared_poll(near, is_readable)
        before = look()
        far.send(b"!")
        arrived = look()
        near.recv(1)
        far.close()
        ended = look()
    assert (before, arrived, ended, look()) == (False, True, True, True)


def test_without_a_socket_or_polls_the_library_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    assert sdk_memoization.prepared_poll(None, lambda given: given is None)()
    monkeypatch.delattr(select, "poll")
    near, far = socket.socketpair()
    with near, far:
        assert sdk_memoization.prepared_poll(near, lambda given: given is near)()
