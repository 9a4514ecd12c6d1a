"""File search stores as requests: stores, their documents, and the resumable upload into them."""

from typing import TYPE_CHECKING

from ..api_errors import ApiError
from ..responders.scripted_answer import Json

if TYPE_CHECKING:
    from ..file_search_stores import Document
    from .request_handler import RequestHandler

UPLOAD = ":uploadToFileSearchStore"


class StoresApi:
    """One visit about stores and documents."""

    def __init__(self, handler: "RequestHandler") -> None:
        self._handler = handler
        self._exchange = handler.exchange
        self._stores = handler.service.stores
        self._headers = handler.exchange.headers

    async def run(self) -> None:
        await self._handler.sleep(self._handler.plan.delay.seconds)
        await self._handler.gate("before_response")
        if self._handler.request.kind == "store_chunk":
            await self._chunk()
        elif self._handler.rest.endswith(UPLOAD):
            await self._start()
        else:
            with self._handler.service.lock:
                body = self._answer()
            await self._handler.show(body)

    def _answer(self) -> Json:
        method, rest = self._exchange.method, self._handler.rest
        name = f"fileSearchStores/{rest}"
        is_forced = self._handler.request.query.get("force", "").lower() == "true"
        store, _, below = rest.partition("/")
        match method, below:
            case "POST", "" if not rest:
                return self._stores.create(self._handler.body)
            case "GET", "" if not rest:
                found = [each.public() for each in self._stores.all.values()]
                return self._handler.page("fileSearchStores", found, 10)
            case "GET", "":
                return self._stores.look(name).public()
            case "DELETE", "" if rest:
                self._stores.delete(name, force=is_forced)
                return {}
            case "GET", "documents":
                documents = self._stores.look(f"fileSearchStores/{store}").documents
                return self._handler.page("documents", [d.public() for d in documents.values()], 10)
            case "GET", _ if below.startswith("documents/"):
                return self._stores.document(name).public()
            case "DELETE", _ if below.startswith("documents/"):
                self._stores.delete_document(name, force=is_forced)
                return {}
            case "GET", _ if "operations/" in below:
                return self._stores.operation(name)
        raise ApiError(404, shape="google")

    async def _start(self) -> None:
        if self._headers.get("x-goog-upload-protocol") != "resumable":
            raise ApiError(400, "Only resumable uploads are supported.", shape="google")
        store = f"fileSearchStores/{self._handler.rest.removesuffix(UPLOAD)}"
        mime_type = self._headers.get("x-goog-upload-header-content-type", "")
        title = self._headers.get("x-goog-upload-file-name", "")
        with self._handler.service.lock:
            document = self._stores.start(store, self._handler.body, mime_type, title)
            id = document.name.rpartition("/")[2]
            self._handler.service.store_uploads[id] = document
        host, path = self._headers.get("host", ""), self._exchange.path
        url = f"http://{host}{path}?upload_id={id}&upload_protocol=resumable"
        await self._say("active", document, {"X-Goog-Upload-URL": url})

    async def _chunk(self) -> None:
        """What follows the start; the address is the secret, as with all uploads."""
        id = self._exchange.query.get("upload_id", "")
        document = self._handler.service.store_uploads.get(id)
        if document is None:
            raise ApiError(404, shape="google")
        self._handler.request.bytes = 0
        async for piece in self._exchange.pieces():
            document.add(piece)
            self._handler.request.bytes += len(piece)
        if "finalize" not in self._headers.get("x-goog-upload-command", ""):
            await self._say("active", document)
            return
        with self._handler.service.lock:
            del self._handler.service.store_uploads[id]
            operation = self._stores.finish(document)
        self._handler.answered(200)
        await self._exchange.respond_json(200, operation, {"X-Goog-Upload-Status": "final"})

    async def _say(
        self, status: str, document: "Document", headers: dict[str, str] | None = None
    ) -> None:
        self._handler.answered(200)
        said = {
            "X-Goog-Upload-Status": status,
            "X-Goog-Upload-Size-Received": str(document.size),
            **(headers or {}),
        }
        await self._exchange.respond(200, b"", headers=said)
