"""The files clients have uploaded: counted and hashed, not kept, and gone after two days."""

import base64
import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ..api_errors import ApiError
from ..ids import Mint
from ..json_types import Json, timestamp
from ..requests import attachments

KEPT_FOR = timedelta(hours=48)
LARGEST = 2 * 1024**3
GRANULARITY = 256 * 1024  # every chunk but the last is a multiple of this
_GOOGLE = "https://generativelanguage.googleapis.com/v1beta/"
_OURS = re.compile(
    r"(?:https?://(?:generativelanguage\.googleapis\.com|127\.0\.0\.1|localhost)[^?]*/)?"
    r"files/([a-z0-9-]+)"
)
_NAME = re.compile(r"files/[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?")


@dataclass(eq=False)
class File:
    """One file as the service knows it."""

    name: str
    mime_type: str
    size: int
    digest: bytes
    created: datetime
    display_name: str | None = None
    key: str | None = None  # whose it is
    data: bytes | None = None  # only of files made here: uploads cannot be downloaded
    looks: int = 0  # that still find it in processing
    ready: datetime | None = None
    error: str | None = None  # what its processing ends with
    is_gone: bool = False

    def state(self, now: datetime) -> str:
        if self.looks > 0 or (self.ready is not None and self.ready > now):
            return "PROCESSING"
        return "FAILED" if self.error else "ACTIVE"

    def public(self, now: datetime) -> Json:
        body: Json = {
            "name": self.name,
            "mimeType": self.mime_type,
            "sizeBytes": str(self.size),
            "createTime": timestamp(self.created, "microseconds"),
            "updateTime": timestamp(self.created, "microseconds"),
            "expirationTime": timestamp(self.created + KEPT_FOR, "microseconds"),
            "sha256Hash": base64.b64encode(self.digest).decode(),
            "uri": f"{_GOOGLE}{self.name}",
            "state": self.state(now),
            "source": "UPLOADED" if self.data is None else "GENERATED",
        }
        if self.display_name is not None:
            body["displayName"] = self.display_name
        if self.data is not None:
            body["downloadUri"] = f"{_GOOGLE}{self.name}:download?alt=media"
        if body["state"] == "FAILED":
            body["error"] = {"code": 3, "message": self.error}
        return body


@dataclass(eq=False)
class Upload:
    """A file on its way: its bytes are counted and hashed as they come, and forgotten."""

    id: str
    name: str | None
    display_name: str | None
    mime_type: str
    declared: int | None
    key: str | None
    status: str = "active"  # or final, or cancelled
    received: int = 0
    hash: "hashlib._Hash" = field(default_factory=hashlib.sha256)
    file: File | None = None

    def add(self, piece: bytes) -> None:
        self.hash.update(piece)
        self.received += len(piece)


@dataclass
class Processing:
    """How long the service works on new files before they can be used."""

    types: tuple[str, ...] = ("video", "audio")
    looks: int = 1
    seconds: float = 0.0


class Files:
    """All files, and those on their way."""

    def __init__(self, mint: Mint, now: Callable[[], datetime]) -> None:
        self._mint = mint
        self._now = now
        self.all: dict[str, File] = {}
        self.uploads: dict[str, Upload] = {}
        self.processing = Processing()
        self.failures: list[str] = []  # what becomes of the next files
        self.isolated = False
        self.granularity = GRANULARITY

    # Uploading

    def start(self, wanted: Json, mime_type: str, size: int | None, key: str | None) -> Upload:
        name = wanted.get("name") or None
        if name is not None and not _NAME.fullmatch(str(name)):
            raise ApiError(400, f"Invalid file name '{name}'.", shape="google")
        if name in self.all and not self._is_gone(self.all[name]):
            raise ApiError(
                409, f"The file '{name}' exists already.", "already_exists", shape="google"
            )
        if size is not None and size > LARGEST:
            message = f"The file is too large: {size} bytes, at most {LARGEST}."
            raise ApiError(400, message, shape="google")
        display_name = wanted.get("displayName", wanted.get("display_name"))
        upload = Upload(self._mint.file(), name, display_name, mime_type, size, key)
        self.uploads[upload.id] = upload
        return upload

    def upload(self, upload_id: str) -> Upload:
        try:
            return self.uploads[upload_id]
        except KeyError:
            raise ApiError(404, shape="google") from None

    def finish(self, upload: Upload) -> File:
        """All of it is here: from now on it is a file."""
        if upload.declared is not None and upload.received != upload.declared:
            raise ApiError(
                400,
                f"The upload has {upload.received} bytes, and {upload.declared} were announced.",
                shape="google",
            )
        upload.status = "final"
        upload.file = self._keep(
            File(
                upload.name or f"files/{self._mint.file()}",
                upload.mime_type,
                upload.received,
                upload.hash.digest(),
                self._now(),
                upload.display_name,
                upload.key,
            )
        )
        return upload.file

    def add(
        self, data: bytes, mime_type: str, display_name: str | None, *, is_ready: bool = False
    ) -> File:
        """A file the service made itself: it can be downloaded; what a model made is ready."""
        name = f"files/{self._mint.file()}"
        digest = hashlib.sha256(data).digest()
        file = File(name, mime_type, len(data), digest, self._now(), display_name, data=data)
        if is_ready:
            self.all[name] = file
            return file
        return self._keep(file)

    @staticmethod
    def uri(file: File) -> str:
        """How an interaction names a file of its own."""
        return f"{_GOOGLE}{file.name}"

    def _keep(self, file: File) -> File:
        if file.mime_type.startswith(self.processing.types):
            file.looks = self.processing.looks
            file.ready = self._now() + timedelta(seconds=self.processing.seconds)
        if self.failures:
            file.error = self.failures.pop(0)
        self.all[file.name] = file
        return file

    # What becomes of them

    def find(self, name: str, key: str | None) -> File:
        """The file, or the words with which Google hides whether there is one."""
        file = self.all.get(name)
        if file is None or not self._is_for(file, key):
            raise ApiError(
                403,
                f"You do not have permission to access the File {name.removeprefix('files/')} "
                "or it may not exist.",
                shape="google",
            )
        return file

    def look(self, name: str, key: str | None) -> Json:
        """What a GET shows; each look brings the end of the processing nearer."""
        file = self.find(name, key)
        shown = file.public(self._now())
        file.looks = max(0, file.looks - 1)
        return shown

    def listed(self, key: str | None) -> list[Json]:
        """The files of this key, the newest first."""
        mine = [file for file in self.all.values() if self._is_for(file, key)]
        return [file.public(self._now()) for file in reversed(mine)]

    def everything(self) -> list[Json]:
        here = [file for file in self.all.values() if not self._is_gone(file)]
        return [file.public(self._now()) for file in reversed(here)]

    def delete(self, name: str, key: str | None) -> None:
        self.find(name, key).is_gone = True

    def download(self, name: str, key: str | None) -> File:
        file = self.find(name, key)
        if file.data is None:
            message = "Only generated files can be downloaded."
            raise ApiError(400, message, "failed_precondition", shape="google")
        return file

    def _is_for(self, file: File, key: str | None) -> bool:
        return not self._is_gone(file) and (not self.isolated or file.key in (None, key))

    def _is_gone(self, file: File) -> bool:
        return file.is_gone or file.created + KEPT_FOR <= self._now()

    def check_input(self, steps: Sequence[Json], key: str | None) -> None:
        """Refuse a prompt that names a file which is not there, or not ready."""
        for step in steps:
            for part in step.get("content") or []:
                match = _OURS.fullmatch(str(part.get("uri"))) if isinstance(part, dict) else None
                if match is None or part.get("type") not in attachments.MEDIA:
                    continue
                file = self.find(f"files/{match[1]}", key)
                if file.state(self._now()) != "ACTIVE":
                    raise ApiError(
                        400,
                        f"The File {match[1]} is not in an ACTIVE state and usage is not allowed.",
                        "failed_precondition",
                        shape="google",
                    )
