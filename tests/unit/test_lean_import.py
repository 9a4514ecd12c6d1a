"""google-genai is imported without what is never used here."""

from __future__ import annotations

import importlib
import subprocess
import sys
import threading

import pydantic
import pytest

from gemini_interactions import lean_import

# How many of the SDK's models have built their validators once a first call was rehearsed.
WARMED = """
import sys
import pydantic
from gemini_interactions.gemini.sdk import sdk_loader

def below(model):
    for each in model.__subclasses__():
        yield each
        yield from below(each)

sdk_loader._warm()
models = {each for each in below(pydantic.BaseModel) if "._gaos." in each.__module__}
built = sum(each.__pydantic_complete__ for each in models)
print(len(models) > 100, built < len(models) / 2, "PIL" in sys.modules)
import PIL.Image
"""


def test_models_of_the_sdk_that_no_call_needs_are_not_built_and_pillow_waits() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WARMED], capture_output=True, text=True, check=False
    )

    assert done.stdout == "True True False\n", done.stderr
    assert done.returncode == 0


def test_a_model_builds_its_validators_at_its_first_use() -> None:
    with lean_import.models_built_at_first_use():

        class Late(pydantic.BaseModel):
            number: int

    class Early(pydantic.BaseModel):
        number: int

    assert (Late.__pydantic_complete__, Early.__pydantic_complete__) == (False, True)
    assert Late(number=1).number == 1
    assert Late.__pydantic_complete__


def test_a_setting_that_was_there_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(pydantic.BaseModel.model_config, "defer_build", False)

    with lean_import.models_built_at_first_use():
        pass

    assert pydantic.BaseModel.model_config["defer_build"] is False


def test_a_package_is_hidden_from_one_thread_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[object] = []
    monkeypatch.delitem(sys.modules, "this", raising=False)
    monkeypatch.setattr("sys.stdout", None)  # it prints

    with lean_import.hidden("this"):
        with pytest.raises(ModuleNotFoundError):
            importlib.import_module("this")
        other = threading.Thread(target=lambda: found.append(importlib.import_module("this")))
        other.start()
        other.join()

    assert found
