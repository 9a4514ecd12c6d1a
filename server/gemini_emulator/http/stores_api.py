"""File search stores as requests: stores, their documents, and the resumable upload into them."""

from typing import TYPE_CHECKING

from ..api_errors import ApiError
from ..json_types import Json
from .request_context import RequestContext

if TYPE_CHECKING:
    from ..resources.file_search_stores import Document

UPLOAD = ":uploadToFileSearchStore"


class StoresApi:
    """One request about stores and documents."""

    def __init__(self, context: RequestContext) -> None:
        self._context = context
        self._exchange = context.exchange
        self._stores = context.service.stores
        self._headers = context.exchange.headers

    async def run(self) -> None:
        await self._context.before_response()
        if self._context.request.kind == "store_chunk":
            await self._chunk()
        elif self._context.rest.endswith(UPLOAD):
            await self._start()
        else:
            with self._context.service.lock:
                body = self._answer()
            await self._context.show(body)

    def _answer(self) -> Json:
        method, rest = self._exchange.method, self._context.rest
        name = f"fileSearchStores/{rest}"
        is_forced = self._context.request.query.get("force", "").lower() == "true"
        store, _, below = rest.partition("/")
        match method, below:
            case "POST", "" if not rest:
                return self._stores.create(self._context.body)
            case "GET", "" if not rest:
                found = [each.public() for each in self._stores.all.values()]
                return self._context.page("fileSearchStores", found, 10)
            case "GET", "":
                return self._stores.look(name).public()
            case "DELETE", "" if rest:
                self._stores.delete(name, force=is_forced)
                return {}
            case "GET", "documents":
                documents = self._stores.look(f"fileSearchStores/{store}").documents
                return self._context.page("documents", [d.public() for d in documents.values()], 10)
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
        store = f"fileSearchStores/{self._context.rest.removesuffix(UPLOAD)}"
        mime_type = self._headers.get("x-goog-upload-header-content-type", "")
        title = self._headers.get("x-goog-upload-file-name", "")
        with self._context.service.lock:
            document = self._stores.start(store, self._context.body, mime_type, title)
            id = document.name.rpartition("/")[2]
            self._context.service.store_uploads[id] = document
        host, path = self._headers.get("host", ""), self._exchange.path
        url = f"http://{host}{path}?upload_id={id}&upload_protocol=resumable"
        await self._say("active", document, {"X-Goog-Upload-URL": url})

    async def _chunk(self) -> None:
        """What follows the start; the address is the secret, as with all uploads."""
        id = self._exchange.query.get("upload_id", "")
        document = self._context.service.store_uploads.get(id)
        if document is None:
            raise ApiError(404, shape="google")
        self._context.request.bytes = 0
        async for piece in self._exchange.pieces():
            document.add(piece)
            self._context.request.bytes += len(piece)
        if "finalize" not in self._headers.get("x-goog-upload-command", ""):
            await self._say("active", document)
            return
        with self._context.service.lock:
            del self._context.service.store_uploads[id]
            operation = self._stores.finish(document)
        self._context.answered(200)
        await self._exchange.respond_json(200, operation, {"X-Goog-Upload-Status": "final"})

    async def _say(
        self, status: str, document: "Document", headers: dict[str, str] | None = None
    ) -> None:
        self._context.answered(200)
        said = {
            "X-Goog-Upload-Status": status,
            "X-Goog-Upload-Size-Received": str(document.size),
            **(headers or {}),
        }
        await self._exchange.respond(200, b"", headers=said)
