"""File search stores at Google: made, filled with documents, listed and deleted."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from io import BufferedIOBase
from typing import Any

import anyio

from gemini_interactions.domain.errors import Garbled, Rejected
from gemini_interactions.domain.file_search import StoreAtGoogle, StoredDocument
from gemini_interactions.gemini import error_mapping

FIRST_LOOK = 0.5
LONGEST_LOOK = 10.0
PATIENCE = 900.0
"""Seconds Google may take over one document."""
_SHORT = 60.0
_NAME = re.compile(r"fileSearchStores/[a-z0-9-]{1,63}(?:/documents/[A-Za-z0-9._-]{1,127})?")
_PAGE = 20
"""The most Google shows at once."""


class FileSearchStores:
    """Google's side of stores. Every failure is an `UpstreamError`, or `NoKey`.

    `connected` hands out the SDK's client by a deadline of the loop's clock; `version` is that of
    the API these are served by.
    """

    def __init__(
        self,
        connected: Callable[[float], Awaitable[Any]],
        version: str,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
    ) -> None:
        self._connected = connected
        self._version = version
        self._sleep = sleep

    async def create(self, title: str) -> str:
        """A new store; its name (``fileSearchStores/…``)."""
        stores = await self._stores()
        with error_mapping.mapped_errors():
            made = await stores.create(config=self._config(display_name=title))
        return _plain(str(made.name or ""))

    async def all(self) -> list[StoreAtGoogle]:
        """Every store of this key."""
        stores = await self._stores()
        found: list[StoreAtGoogle] = []
        with error_mapping.mapped_errors():
            async for each in await stores.list(config=self._config(page_size=_PAGE)):
                if _NAME.fullmatch(str(each.name or "")):
                    counts = (each.active_documents_count, each.pending_documents_count)
                    found.append(
                        StoreAtGoogle(
                            str(each.name),
                            str(each.display_name or ""),
                            sum(int(count or 0) for count in counts),
                            int(each.size_bytes or 0),
                        )
                    )
        return found

    async def delete(self, name: str) -> None:
        """Delete a store with all that is in it."""
        stores = await self._stores()
        with error_mapping.mapped_errors():
            await stores.delete(name=_plain(name), config=self._config(force=True))

    async def documents(self, store: str) -> list[StoredDocument]:
        """Every document of a store, with what was said of it when it was sent."""
        stores = await self._stores()
        found: list[StoredDocument] = []
        with error_mapping.mapped_errors():
            pages = await stores.documents.list(
                parent=_plain(store), config=self._config(page_size=_PAGE)
            )
            async for each in pages:
                said = {item.key: item.string_value for item in each.custom_metadata or ()}
                state = str(getattr(each.state, "value", "") or "")
                if _NAME.fullmatch(str(each.name or "")) and state != "STATE_FAILED":
                    found.append(
                        StoredDocument(
                            str(each.name),
                            str(said.get("path") or each.display_name or ""),
                            str(said.get("sha256") or ""),
                        )
                    )
        return found

    async def delete_document(self, name: str) -> None:
        stores = await self._stores()
        with error_mapping.mapped_errors():
            await stores.documents.delete(name=_plain(name), config=self._config(force=True))

    async def upload(
        self, store: str, file: BufferedIOBase, mime_type: str, path: str, hash: str
    ) -> str:
        """Put a document into a store and wait until it can be searched; its name."""
        client = await self._connected(anyio.current_time() + _SHORT)
        file.seek(0)
        metadata = [
            {"key": "sha256", "string_value": hash},
            {"key": "path", "string_value": path[:500]},
        ]
        with error_mapping.mapped_errors():
            made = await client.aio.file_search_stores.upload_to_file_search_store(
                file_search_store_name=_plain(store),
                file=file,
                config=self._config(
                    display_name=path[-500:], mime_type=mime_type, custom_metadata=metadata
                ),
            )
        pause = FIRST_LOOK
        with anyio.move_on_after(PATIENCE):
            while not made.done:
                await self._sleep(pause)
                pause = min(pause * 1.5, LONGEST_LOOK)
                with error_mapping.mapped_errors():
                    made = await client.aio.operations.get(made, config=self._config())
        error = made.error
        if isinstance(error, Mapping):
            raise Rejected(str(error.get("message") or "The document could not be taken in."))
        name = str(getattr(made.response, "document_name", None) or "")
        if not made.done or not name:
            raise Garbled()
        # Some answers give the last part of it alone.
        return _plain(name if name.startswith("fileSearchStores/") else f"{store}/documents/{name}")

    async def _stores(self) -> Any:
        return (await self._connected(anyio.current_time() + _SHORT)).aio.file_search_stores

    def _config(self, **named: Any) -> dict[str, Any]:
        if self._version:
            named["http_options"] = {"api_version": self._version}
        return named


def _plain(name: str) -> str:
    """The name itself: the SDK puts names into addresses as they are."""
    if not _NAME.fullmatch(name):
        raise Garbled()
    return name
