"""google-genai is imported late and out of the way."""

from __future__ import annotations

import gc
import subprocess
import sys

import anyio
import pytest

from gemini_interactions.gemini import Gemini
from gemini_interactions.gemini.sdk import sdk_loader

WARMING = """
import sys, anyio
from gemini_interactions.gemini import Gemini

assert not {"google", "httpx2", "pydantic"} & set(sys.modules)

async def main():
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(Gemini(lambda: "").warm)
        while "google" not in sys.modules:
            await anyio.sleep(0)
        tasks.cancel_scope.cancel()

anyio.run(main)
assert "google.genai._gaos.google_genai" not in sys.modules
"""


@pytest.mark.processes
def test_a_process_may_end_while_the_sdk_is_still_being_imported() -> None:
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", WARMING], capture_output=True, text=True, check=False
    )

    assert (ended.returncode, ended.stderr) == (0, "")


async def test_warming_many_times_at_once_builds_one_client(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    built: list[str] = []
    monkeypatch.setattr(sdk_loader, "client", lambda key, *_: built.append(key))
    gemini = Gemini(lambda: "some-key")

    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(gemini.warm)

    assert built == ["some-key"]


async def test_a_client_that_could_not_be_built_is_built_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gemini = Gemini(lambda: "some-key")

    def broken(*_: str) -> None:
        raise ValueError

    monkeypatch.setattr(sdk_loader, "client", broken)
    with pytest.raises(ValueError):  # noqa: PT011 - bare as it is raised
        await gemini.warm()
    monkeypatch.setattr(sdk_loader, "client", lambda *_: None)

    await gemini.warm()


async def test_warming_leaves_the_interpreter_as_it_was() -> None:
    before = sys.getswitchinterval()
    sdk_loader._warm.cache_clear()

    await sdk_loader.finished(sdk_loader.off_the_loop(sdk_loader._warm))

    assert sys.getswitchinterval() == before
    assert gc.isenabled()


@pytest.mark.parametrize(
    ("enterprise", "vertex", "chosen"),
    [
        (None, None, False),
        ("1", None, True),
        ("TRUE", None, True),
        (None, "true", True),
        ("false", "true", False),
        ("yes", None, False),
    ],
)
def test_enterprise_is_chosen_as_the_sdk_chooses_it(
    monkeypatch: pytest.MonkeyPatch, enterprise: str | None, vertex: str | None, chosen: bool
) -> None:
    for name, value in (
        ("GOOGLE_GENAI_USE_ENTERPRISE", enterprise),
        ("GOOGLE_GENAI_USE_VERTEXAI", vertex),
    ):
        if value is not None:
            monkeypatch.setenv(name, value)

    assert sdk_loader.is_enterprise() is chosen
