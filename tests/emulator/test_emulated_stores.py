"""File search stores: made, filled, searched with citations, emptied and deleted."""

import io

import pytest
from google.genai.errors import ClientError

from gemini_emulator import EmulatorControl
from tests.emulator.constants import MODEL


@pytest.fixture
def stores(client):
    return client.aio.file_search_stores


async def add(stores, store, text, title, **more):
    return await stores.upload_to_file_search_store(
        file_search_store_name=store.name,
        file=io.BytesIO(text.encode()),
        config={"display_name": title, "mime_type": "text/plain", **more},
    )


async def test_a_store_is_filled_and_searched_with_citations(client, stores, gemini):
    store = await stores.create(config={"display_name": "Handbook"})
    metadata = [{"key": "sha256", "string_value": "abc"}]
    done = await add(stores, store, "Herons nest in April.\nOwls hunt.", "birds.txt",
                     custom_metadata=metadata)  # fmt: skip
    await add(stores, store, "Trains leave at noon.", "trains.txt")
    tools = [{"type": "file_search", "file_search_store_names": [store.name]}]
    answer = await gemini.create(model=MODEL, input="When do herons nest?", tools=tools)

    assert done.done
    assert done.response.document_name.startswith(f"{store.name}/documents/birds-txt-")
    said = answer.steps[-1].content[0]
    assert "The store says: Herons nest in April." in said.text
    assert said.annotations[0].file_name == "birds.txt"
    assert said.annotations[0].document_uri == done.response.document_name
    found = [each async for each in await stores.documents.list(parent=store.name)]
    assert [each.display_name for each in found] == ["birds.txt", "trains.txt"]
    assert found[0].custom_metadata[0].string_value == "abc"
    assert (await stores.get(name=store.name)).active_documents_count == 2


async def test_stores_and_documents_are_deleted(client, stores, gemini, raw):
    store = await stores.create(config={"display_name": "x"})
    made = await add(stores, store, "words", "a.txt")
    with pytest.raises(ClientError, match="non-empty"):
        await stores.delete(name=store.name)
    await stores.documents.delete(name=made.response.document_name, config={"force": True})
    await stores.delete(name=store.name)

    assert [each async for each in await stores.list()] == []
    tools = [{"type": "file_search", "file_search_store_names": [store.name]}]
    body = {"model": MODEL, "input": "x", "tools": tools}
    assert (await raw.post("/v1beta/interactions", json=body)).status_code == 403


async def test_documents_take_their_time_or_fail(client, stores, control: EmulatorControl):
    store = await stores.create()
    control.pending_document_looks = 2
    slow = await add(stores, store, "words", "a.txt")
    assert not slow.done
    assert (await client.aio.operations.get(slow)).done is None
    assert (await client.aio.operations.get(slow)).done
    control.pending_document_looks = 0
    control.fail_next_document()
    failed = await add(stores, store, "words", "b.bin")

    assert failed.error["message"] == "Failed to parse."
    assert (await stores.get(name=store.name)).failed_documents_count == 1
