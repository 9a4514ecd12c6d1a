"""What the emulator's tests share: one running emulator, a fresh control, the real client."""

from collections.abc import AsyncIterator, Iterator

import httpx2
import pytest
from google import genai
from google.genai.types import HttpOptions, HttpRetryOptions

from gemini_emulator import Emulator, EmulatorControl


@pytest.fixture(scope="session")
def emulator() -> Iterator[Emulator]:
    with Emulator() as emulator:
        yield emulator


@pytest.fixture
def control(emulator: Emulator) -> Iterator[EmulatorControl]:
    emulator.control = EmulatorControl()
    yield emulator.control
    emulator.control.let_go()


@pytest.fixture(scope="module")  # a wider one would keep a loop open beside other tests' own
async def one_client(emulator: Emulator) -> AsyncIterator[genai.Client]:
    """The real google-genai client, unchanged; without its retries, so one call is one request."""
    once = HttpRetryOptions(attempts=1)
    options = HttpOptions(base_url=emulator.url, retry_options=once)
    client = genai.Client(api_key="test-key", http_options=options)
    yield client
    await client.aio.aclose()
    client.close()


@pytest.fixture
def client(one_client: genai.Client, control: EmulatorControl) -> genai.Client:
    return one_client


@pytest.fixture
async def gemini(client: genai.Client):
    return client.aio.interactions


@pytest.fixture
async def raw(emulator: Emulator, control: EmulatorControl) -> AsyncIterator[httpx2.AsyncClient]:
    """For what the real client refuses to send."""
    headers = {"x-goog-api-key": "test-key"}
    async with httpx2.AsyncClient(base_url=emulator.url, headers=headers) as raw:
        yield raw
