"""The Files API as requests: the resumable upload in its steps, then get, list, delete, fetch."""

from collections.abc import Callable, Mapping
from typing import Any

from ..api_errors import ApiError
from ..json_types import Json
from ..resources.files import Upload
from .request_context import RequestContext

KINDS = ("upload", "chunk", "file", "files", "delete_file", "download")
_BROKEN = ("reset", "fin", "hang")


def is_chunk(headers: Mapping[str, str]) -> bool:
    """Whether this request brings bytes of a file, of which there may be many."""
    return "upload" in headers.get("x-goog-upload-command", "")


class FilesApi:
    """One request about files."""

    def __init__(self, context: RequestContext) -> None:
        self._context = context
        self._exchange = context.exchange
        self._files = context.service.files
        self._headers = context.exchange.headers

    async def run(self) -> None:
        handlers: dict[str, Callable[[], Any]] = {
            "upload": self._start,
            "chunk": self._chunk,
            "file": self._get,
            "files": self._list,
            "delete_file": self._delete,
            "download": self._download,
        }
        await self._context.sleep(self._context.plan.delay.seconds)
        if self._context.request.kind != "chunk":  # whose response comes after its bytes
            await self._context.gate("before_response")
        await handlers[self._context.request.kind]()

    @property
    def _name(self) -> str:
        return f"files/{self._context.rest.removesuffix(':download')}"

    async def _start(self) -> None:
        if self._headers.get("x-goog-upload-protocol") != "resumable":
            raise ApiError(400, "Only resumable uploads are supported.", shape="google")
        body = self._context.body if isinstance(self._context.body, dict) else {}
        wanted: Json = body.get("file") or {}
        mime_type = self._headers.get("x-goog-upload-header-content-type")
        mime_type = mime_type or wanted.get("mimeType") or wanted.get("mime_type")
        size = self._headers.get("x-goog-upload-header-content-length", "")
        with self._context.service.lock:
            upload = self._files.start(
                wanted,
                mime_type or "application/octet-stream",
                int(size) if size.isdigit() else None,
                self._context.key,
            )
        host, path = self._headers.get("host", ""), self._exchange.path
        url = f"http://{host}{path}?upload_id={upload.id}&upload_protocol=resumable"
        await self._say(upload, {"X-Goog-Upload-URL": url, "X-Goog-Upload-Control-URL": url})

    async def _chunk(self) -> None:
        """What follows the start. These requests carry no key: their URL is the secret."""
        upload = self._files.upload(self._exchange.query.get("upload_id", ""))
        given = self._headers.get("x-goog-upload-command", "")
        commands = {command.strip() for command in given.split(",")}
        if commands & {"query", "cancel"} or upload.status != "active":
            if "cancel" in commands:
                upload.status = "cancelled"
            await self._say(upload)
            return
        if "upload" in commands:
            self._check(upload, is_last="finalize" in commands)
            await self._receive(upload)
        if "finalize" in commands:
            with self._context.service.lock:
                self._files.finish(upload)
        await self._context.gate("before_response")
        await self._say(upload)

    def _check(self, upload: Upload, *, is_last: bool) -> None:
        offset = self._headers.get("x-goog-upload-offset", "0")
        if offset != str(upload.received):
            raise ApiError(
                400, f"Invalid offset {offset}: {upload.received} bytes are here.", shape="google"
            )
        length = self._exchange.length
        if not is_last and length % self._files.granularity:
            raise ApiError(
                400,
                f"A chunk of {length} bytes is no multiple of {self._files.granularity}.",
                shape="google",
            )

    async def _receive(self, upload: Upload) -> None:
        fault = self._context.has(*_BROKEN)
        most = None
        if fault is not None:
            most = int(self._exchange.length * float(fault.options.get("kept", 0.5)))
        request = self._context.request
        request.bytes = 0
        async for piece in self._exchange.pieces():
            is_broken = most is not None and request.bytes + len(piece) >= most
            kept = piece if most is None else piece[: most - request.bytes]
            upload.add(kept)
            request.bytes += len(kept)
            if fault is not None and is_broken:
                await self._context.break_off(fault)

    async def _say(self, upload: Upload, headers: dict[str, str] | None = None) -> None:
        """How far the upload is."""
        self._context.answered(200)
        said = {
            "X-Goog-Upload-Status": upload.status,
            "X-Goog-Upload-Size-Received": str(upload.received),
            "X-Goog-Upload-Chunk-Granularity": str(self._files.granularity),
            **(headers or {}),
        }
        if upload.file is None:
            await self._exchange.respond(200, b"", headers=said)
        else:
            file = upload.file.public(self._context.service.now())
            await self._exchange.respond_json(200, {"file": file}, said)

    async def _get(self) -> None:
        with self._context.service.lock:
            shown = self._files.look(self._name, self._context.key)
        await self._context.show(shown)

    async def _list(self) -> None:
        with self._context.service.lock:
            files = self._files.listed(self._context.key)
        await self._context.show(self._context.page("files", files, 10))

    async def _delete(self) -> None:
        with self._context.service.lock:
            self._files.delete(self._name, self._context.key)
        await self._context.show({})

    async def _download(self) -> None:
        with self._context.service.lock:
            file = self._files.download(self._name, self._context.key)
        await self._context.send(file.data or b"", file.mime_type)
