"""What Google fetches itself: web addresses, YouTube videos, files that are already there.

We never fetch any of them. Everything that is no address is the path of a local file.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from posixpath import splitext
from typing import Any
from urllib.parse import SplitResult, parse_qs, quote, unquote, urlsplit

from ..domain.file_errors import BadAddress
from . import mime_sniffing

GOOGLE = ("https://generativelanguage.googleapis.com",)
"""Where uploaded files have their addresses."""

LONGEST = 8192

_YOUTUBE = re.compile(
    r"(?:https?://)?(?:(?:www|m|music)\.)?(?:youtube(?:-nocookie)?\.com|youtu\.be)(?:/|$)", re.I
)
_VIDEO = re.compile(r"[A-Za-z0-9_-]{11}")
_FILE = re.compile(r"files/[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?")
# A name, or a number in brackets: what else stands there is read in one way here and in another
# by whoever fetches it.
_HOST = re.compile(r"[a-z0-9._-]+|[0-9a-f]*:[0-9a-f:.]+(?:%.+)?", re.I)
_API = re.compile(r"(?:[a-z0-9-]+-)?generativelanguage\.(?:[a-z0-9-]+\.)?googleapis\.com")

_TYPES = {
    each.extension: (each.type, each.mime)
    for each in vars(mime_sniffing).values()
    if isinstance(each, mime_sniffing.FileType) and each.type and each.extension
} | {
    ".jpeg": ("image", "image/jpeg"),
    ".tif": ("image", "image/tiff"),
    ".aif": ("audio", "audio/aiff"),
    ".mpeg": ("video", "video/mpeg"),
    ".m4v": ("video", "video/mp4"),
    ".txt": ("document", "text/plain"),
    ".md": ("document", "text/plain"),
    ".csv": ("document", "text/csv"),
    ".css": ("document", "text/css"),
    ".js": ("document", "text/javascript"),
    ".json": ("document", "application/json"),
    ".xml": ("document", "text/xml"),
}
_PAGES = {"", ".html", ".htm", ".xhtml", ".php", ".asp", ".aspx", ".jsp"}


@dataclass(frozen=True, slots=True)
class Address:
    """Something Google has or can fetch.

    `file` is the name of an uploaded one (``files/…``), whose type only Google knows:
    `content` must be told it. `uri` is empty where only that name was given.
    """

    uri: str
    type: str = ""
    mime: str = ""
    file: str = ""
    label: str = ""

    def content(self, *, uri: str = "", mime: str = "") -> dict[str, Any]:
        """The Interactions content; for a `file`, with what Google says of it."""
        mime = mime or self.mime
        content: dict[str, Any] = {"type": self.type or type_of(mime), "uri": uri or self.uri}
        return content | ({"mime_type": mime} if mime else {})


def address_of(given: str, google: Sequence[str] = GOOGLE) -> Address | None:
    """What address this is, None if it is a path; BadAddress if nobody can fetch it.

    `google` holds the base addresses of the Gemini API, whose files are known as such.
    """
    text = given.strip()
    if _FILE.fullmatch(text):
        return Address("", file=text, label=text)
    if _YOUTUBE.match(text):
        return _youtube(text)
    if re.match(r"data:", text, re.I):
        raise BadAddress(
            text[:16] + "…",
            "a data: address holds the bytes themselves",
            "Save them as a file and give its path, or give an https address.",
        )
    scheme = re.match(r"([a-z][a-z0-9+.-]+)://", text, re.I)
    if not scheme or scheme[1].lower() == "file":
        return None
    for base in google:
        name = re.fullmatch(re.escape(base.rstrip("/")) + rf"/v\w+/({_FILE.pattern})", text)
        if name:
            return Address(text, file=name[1], label=name[1])
    if scheme[1].lower() != "https":
        raise _not_https(given, scheme[1].lower())
    return _web(given, text, google)


def type_of(mime: str) -> str:
    """The content type for a MIME type: whatever is no image, sound or film is a document."""
    first = mime.split("/")[0]
    return first if first in ("image", "audio", "video") else "document"


def _not_https(given: str, scheme: str) -> BadAddress:
    if scheme == "http":
        why = "over http anybody on the way could read or change it"
        return BadAddress(given, why, "Give its https address, or download it and give the path.")
    why = f"Google does not fetch {scheme}:// addresses"
    return BadAddress(given, why, "Give an https address (a signed one, for cloud storage).")


def _youtube(text: str) -> Address:
    url = urlsplit(text if "://" in text else f"https://{text}")
    parts = [part for part in url.path.split("/") if part]
    if url.netloc.lower().endswith("youtu.be"):
        video = parts[0] if parts else ""
    elif parts and parts[0] in ("shorts", "live", "embed", "v", "e"):
        video = parts[1] if len(parts) > 1 else ""
    else:
        video = parse_qs(url.query).get("v", [""])[0]
    if not _VIDEO.fullmatch(video):
        raise BadAddress(
            text,
            "it names no single YouTube video",
            "Give the address of one video, such as https://www.youtube.com/watch?v=….",
        )
    return Address(
        f"https://www.youtube.com/watch?v={video}", "video", label=f"YouTube video {video}"
    )


def _web(given: str, text: str, google: Sequence[str]) -> Address:
    try:
        url = urlsplit(text)
        host = _plain(url.hostname or "").rstrip(".")
        is_whole = bool(_HOST.fullmatch(host)) and url.port != 0 and len(text) <= LONGEST
    except ValueError:
        is_whole, host, url = False, "", SplitResult("", "", "", "", "")
    is_broken = any(each <= " " or each == "\x7f" for each in text.replace(" ", ""))
    if not is_whole or is_broken:
        raise BadAddress(given, "it is not a whole https address", "Check it and try again.")
    if url.username is not None or url.password is not None:
        raise BadAddress(
            f"https://…@{host}", "it has a user name or password in it", "Give it without."
        )
    if _is_googles(host, google):
        return _at_google(given, url)
    if _is_near(host):
        raise BadAddress(
            given,
            "Google fetches it, and cannot reach this machine or a private network",
            "Download it and give the path of the file.",
        )
    # The fragment is for browsers; blanks and letters beyond ASCII are written as % signs.
    kept = url._replace(
        path=quote(url.path, safe="/%:@!$&'()*+,;=~"),
        query=quote(url.query, safe="/%:@!$&'()*+,;=~?[]"),
        fragment="",
    )
    extension = splitext(url.path)[1].lower()
    type_, mime = _TYPES.get(extension, ("document", "text/html" if extension in _PAGES else ""))
    return Address(kept.geturl(), type_, mime, label=f"{url.hostname}{_shortened(url.path)}")


def _plain(host: str) -> str:
    """The host's name as it is looked up: other scripts' letters and dots are written in ASCII."""
    return host if host.isascii() else host.encode("idna").decode()


def _is_googles(host: str, google: Sequence[str]) -> bool:
    """Whether the Gemini API answers there, where a file's address opens it to any key's owner."""
    ours = {urlsplit(base).hostname for base in google}
    return host.lower() in ours or bool(_API.fullmatch(host.lower()))


def _at_google(given: str, url: SplitResult) -> Address:
    """An uploaded file, however its address is spelled: whose it is, is asked by its name."""
    path = re.sub("/+", "/", unquote(url.path)).rstrip("/")
    name = re.fullmatch(rf"(?:/[\w.-]+)*/({_FILE.pattern})(?::download)?", path)
    if name is None:
        raise BadAddress(
            given,
            "it is an address of the Gemini API itself, not of a page",
            "Give the name of an uploaded file (files/…).",
        )
    return Address("", file=name[1], label=name[1])


def _is_near(host: str) -> bool:
    import ipaddress  # 1 ms, for those who attach addresses

    try:
        return not ipaddress.ip_address(host.split("%")[0]).is_global
    except ValueError:
        near = ("localhost", "local", "internal", "lan", "home", "intranet")
        last = host.lower().rsplit(".", 1)[-1]
        # Browsers read 127.1 and 0x7f.1 as numbers, too: no name ends in one.
        return "." not in host or last in near or bool(re.fullmatch(r"\d+|0x[\da-f]*", last))


def _shortened(path: str) -> str:
    return path if len(path) <= 60 else "…" + path[-59:]
