"""MIME sniffing: the type of a file, read from its bytes, since extensions lie.

Neither sniffer on PyPI fits: `filetype` has had no release since 2022, and `puremagic` keeps
one line for Python 3.11 and another for 3.12, of which the first calls every office document
a Word file unless it is shown the extension. What Gemini takes is a short, closed list.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass, replace
from typing import BinaryIO, Literal

from .text_decoding import encoding_of, may_be_text

HEAD = 65536
"""As much as is ever looked at of a file's beginning, and of a ZIP's end."""

Type = Literal["text", "image", "audio", "video", "document", ""]


@dataclass(frozen=True, slots=True)
class FileType:
    """`type` is the Interactions content type, "" for what Gemini does not take.

    `called` is what people say; `advice` what to do with what is not taken; `encoding` is
    that of a text.
    """

    type: Type
    mime: str
    extension: str
    called: str
    advice: str = ""
    encoding: str = ""


TEXT = FileType("text", "text/plain", ".txt", "text")
PDF = FileType("document", "application/pdf", ".pdf", "PDF")
RTF = FileType("document", "text/rtf", ".rtf", "RTF document")

PNG = FileType("image", "image/png", ".png", "PNG image")
JPEG = FileType("image", "image/jpeg", ".jpg", "JPEG image")
WEBP = FileType("image", "image/webp", ".webp", "WebP image")
HEIC = FileType("image", "image/heic", ".heic", "HEIC image")
HEIF = FileType("image", "image/heif", ".heif", "HEIF image")
GIF = FileType("image", "image/gif", ".gif", "GIF image")
BMP = FileType("image", "image/bmp", ".bmp", "BMP image")
TIFF = FileType("image", "image/tiff", ".tiff", "TIFF image")

WAV = FileType("audio", "audio/wav", ".wav", "WAV audio")
MP3 = FileType("audio", "audio/mp3", ".mp3", "MP3 audio")
AIFF = FileType("audio", "audio/aiff", ".aiff", "AIFF audio")
AAC = FileType("audio", "audio/aac", ".aac", "AAC audio")
OGG = FileType("audio", "audio/ogg", ".ogg", "Ogg audio")
OPUS = FileType("audio", "audio/opus", ".opus", "Opus audio")
FLAC = FileType("audio", "audio/flac", ".flac", "FLAC audio")
M4A = FileType("audio", "audio/m4a", ".m4a", "M4A audio")
WEBM_AUDIO = FileType("audio", "audio/webm", ".weba", "WebM audio")

MP4 = FileType("video", "video/mp4", ".mp4", "MP4 video")
MPEG = FileType("video", "video/mpeg", ".mpg", "MPEG video")
MOV = FileType("video", "video/mov", ".mov", "QuickTime video")
AVI = FileType("video", "video/avi", ".avi", "AVI video")
FLV = FileType("video", "video/x-flv", ".flv", "Flash video")
WEBM = FileType("video", "video/webm", ".webm", "WebM video")
WMV = FileType("video", "video/wmv", ".wmv", "Windows Media file")
THREEGP = FileType("video", "video/3gpp", ".3gp", "3GPP video")

_OOXML = "application/vnd.openxmlformats-officedocument."
DOCX = FileType("document", _OOXML + "wordprocessingml.document", ".docx", "Word document")
XLSX = FileType("document", _OOXML + "spreadsheetml.sheet", ".xlsx", "Excel workbook")
PPTX = FileType("document", _OOXML + "presentationml.presentation", ".pptx", "PowerPoint slides")
DOC = FileType("document", "application/msword", ".doc", "Word document")
XLS = FileType("document", "application/vnd.ms-excel", ".xls", "Excel workbook")
PPT = FileType("document", "application/vnd.ms-powerpoint", ".ppt", "PowerPoint slides")
_ODF = "application/vnd.oasis.opendocument."
ODT = FileType("document", _ODF + "text", ".odt", "OpenDocument text")
ODS = FileType("document", _ODF + "spreadsheet", ".ods", "OpenDocument spreadsheet")
ODP = FileType("document", _ODF + "presentation", ".odp", "OpenDocument slides")

_TO_IMAGE = "Convert it to PNG or JPEG."
_TO_VIDEO = "Convert it to MP4."
AVIF = FileType("", "image/avif", ".avif", "AVIF image", _TO_IMAGE)
ICON = FileType("", "image/x-icon", ".ico", "Windows icon", _TO_IMAGE)
PSD = FileType("", "image/vnd.adobe.photoshop", ".psd", "Photoshop file", _TO_IMAGE)
MKV = FileType("", "video/x-matroska", ".mkv", "Matroska video", _TO_VIDEO)
TS = FileType("", "video/mp2t", ".ts", "MPEG transport stream", _TO_VIDEO)
OGV = FileType("", "video/ogg", ".ogv", "Ogg video", _TO_VIDEO)
MIDI = FileType("", "audio/midi", ".mid", "MIDI file", "Render it to MP3.")
AMR = FileType("", "audio/amr", ".amr", "AMR audio", "Convert it to MP3.")
EPUB = FileType("", "application/epub+zip", ".epub", "EPUB book", "Convert it to PDF.")
ARCHIVE = FileType("", "application/zip", ".zip", "archive", "Unpack it and name the files.")
DATABASE = FileType("", "application/vnd.sqlite3", ".db", "SQLite database", "Export what matters.")
PROGRAM = FileType("", "application/octet-stream", "", "program", "Name its source instead.")
UNKNOWN = FileType(
    "",
    "application/octet-stream",
    "",
    "kind of file Gemini does not take",
    "It takes text, code, images, PDF, audio, video and office documents.",
)

UNSURE_TEXT = FileType("", "text/plain", ".txt", "text in an encoding that cannot be told for sure")
# Raw streams and old containers begin with anything.
_BY_NAME = {
    ".aac": AAC,
    ".mp3": MP3,
    ".wav": WAV,
    ".flac": FLAC,
    ".ogg": OGG,
    ".m4a": M4A,
    ".mpg": MPEG,
    ".mpeg": MPEG,
    ".mov": MOV,
    ".qt": MOV,
    ".mp4": MP4,
    ".m4v": MP4,
    ".avi": AVI,
    ".wmv": WMV,
    ".flv": FLV,
    ".3gp": THREEGP,
}

_BEGINNINGS: tuple[tuple[bytes, FileType], ...] = (
    (b"\x89PNG\r\n\x1a\n", PNG),
    (b"\xff\xd8\xff", JPEG),
    (b"GIF87a", GIF),
    (b"GIF89a", GIF),
    (b"II*\0", TIFF),
    (b"MM\0*", TIFF),
    (b"8BPS", PSD),
    (b"\0\0\1\0", ICON),
    (b"ID3", MP3),
    (b"fLaC", FLAC),
    (b"#!AMR", AMR),
    (b"MThd", MIDI),
    (b"FLV\1", FLV),
    (b"\0\0\1\xba", MPEG),
    (b"\0\0\1\xb3", MPEG),
    (bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c"), WMV),
    (b"SQLite format 3\0", DATABASE),
    (b"\x1f\x8b", ARCHIVE),
    (b"BZh", ARCHIVE),
    (b"7z\xbc\xaf\x27\x1c", ARCHIVE),
    (b"Rar!\x1a\7", ARCHIVE),
    (b"\xfd7zXZ\0", ARCHIVE),
    (b"\x28\xb5\x2f\xfd", ARCHIVE),
    (b"\x7fELF", PROGRAM),
    (b"MZ", PROGRAM),
    (b"\xcf\xfa\xed\xfe", PROGRAM),
    (b"\xca\xfe\xba\xbe", PROGRAM),
)


def kind_of(file: BinaryIO) -> FileType:
    """What an open file is; it is left at its beginning."""
    file.seek(0)
    head = file.read(HEAD)
    kind = kind_of_bytes(head)
    if kind is ARCHIVE and head.startswith(b"PK"):
        kind = _kind_of_zip(head + _end_of(file, len(head)))
    elif kind is UNKNOWN and head.startswith(_OLE):
        kind = _kind_of_ole(head + _ole_directory(file, head))
    file.seek(0)
    return kind


def kind_of_bytes(head: bytes) -> FileType:
    """What begins like this. Of ZIP and OLE containers it says no more than that."""
    if re.match(rb"(?:\xef\xbb\xbf)?\s*%PDF-\d\.\d\s*[\r\n]", head):
        return PDF
    if re.match(rb"\{\\rtf\d", head):
        return RTF
    # Text first: a note may well begin with BM, GIF89a or ID3.
    if encoding := encoding_of(head):
        return replace(TEXT, encoding=encoding)
    kind = kind_by_signature(head)
    return _older_text(head) if kind is UNKNOWN else kind


def _older_text(head: bytes) -> FileType:
    """A text in an encoding of before UTF-8, where that is sure; else its guesses."""
    from . import encoding_detection  # unicodedata and patterns: for those who have such a text

    if encoding := encoding_detection.unmarked_utf16(head):
        return replace(TEXT, encoding=encoding)
    if not may_be_text(head):
        return UNKNOWN
    guess = encoding_detection.detect(head)
    if guess.encoding:
        return replace(TEXT, encoding=guess.encoding)
    if not guess.guesses:
        return UNKNOWN
    named = ", ".join(encoding_detection.title_of(each) for each in guess.guesses)
    return replace(UNSURE_TEXT, advice=f"It may be in {named}. Save it as UTF-8, and send that.")


def kind_by_name(name: str) -> FileType:
    """What the name alone says of sounds and films whose bytes say nothing."""
    return _BY_NAME.get(name[name.rfind(".") :].lower(), UNKNOWN)


def kind_by_signature(head: bytes) -> FileType:
    """What begins like this, if it is known to be no text."""
    for beginning, kind in _BEGINNINGS:
        if head.startswith(beginning):
            return kind
    for look in (_iso_media, _riff, _matroska, _ogg, _bitmap, _audio_frames, _transport):
        if found := look(head):
            return found
    if b"%PDF-" in head[:1024]:
        return PDF
    return ARCHIVE if head.startswith(b"PK\3\4") else UNKNOWN


def _iso_media(head: bytes) -> FileType | None:
    """MP4, QuickTime, HEIC and their family: a box that lists the brands it may be read as."""
    box = head[4:8]
    if box != b"ftyp":
        is_old_quicktime = box in (b"moov", b"mdat", b"wide", b"pnot") and head[:2] == b"\0\0"
        return MOV if is_old_quicktime else None
    (length,) = struct.unpack(">I", head[:4])
    brands = [head[at : at + 4] for at in (8, *range(16, min(length, 512, len(head)), 4))]
    first = brands[0]
    if first in (b"avif", b"avis") or (first == b"mif1" and b"avif" in brands):
        return AVIF
    if first in (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"):
        return HEIC
    if first in (b"mif1", b"msf1", b"heif"):
        return HEIC if {b"heic", b"heix", b"hevc"} & set(brands) else HEIF
    if first == b"qt  ":
        return MOV
    if first in (b"M4A ", b"M4B ", b"M4P ", b"F4A ", b"F4B "):
        return M4A
    return THREEGP if first[:3] in (b"3gp", b"3g2") else MP4


def _riff(head: bytes) -> FileType | None:
    if head[:4] in (b"RIFF", b"RF64"):
        return {b"WAVE": WAV, b"AVI ": AVI, b"WEBP": WEBP}.get(head[8:12])
    if head[:4] == b"FORM":
        return {b"AIFF": AIFF, b"AIFC": AIFF}.get(head[8:12])
    return None


def _matroska(head: bytes) -> FileType | None:
    if not head.startswith(b"\x1a\x45\xdf\xa3"):
        return None
    if b"webm" not in head[:64]:
        return MKV
    is_sound = b"A_OPUS" in head or b"A_VORBIS" in head
    return WEBM_AUDIO if is_sound and b"V_VP" not in head and b"V_AV1" not in head else WEBM


def _ogg(head: bytes) -> FileType | None:
    if not head.startswith(b"OggS\0"):
        return None
    if b"theora" in head[:256]:
        return OGV
    return OPUS if b"OpusHead" in head[:256] else OGG


def _bitmap(head: bytes) -> FileType | None:
    """BM alone is too little: the size of the second header, and the zeros between, count."""
    if head[:2] != b"BM" or len(head) < 18 or head[6:10] != b"\0\0\0\0":
        return None
    return BMP if head[14] in (12, 40, 52, 56, 64, 108, 124) and not any(head[15:18]) else None


def _audio_frames(head: bytes) -> FileType | None:
    """MP3 and AAC without a header: eleven bits set, then fields of which some values are void."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    layer = head[1] & 0x06
    if layer == 0:
        return AAC if head[1] & 0xF0 == 0xF0 and head[2] & 0x3C < 0x34 else None
    is_void = head[1] & 0x18 == 0x08 or head[2] & 0xF0 == 0xF0 or head[2] & 0x0C == 0x0C
    return None if is_void else MP3


def _transport(head: bytes) -> FileType | None:
    packets = head[: 188 * 5 : 188]
    return TS if len(packets) >= 3 and set(packets) == {0x47} else None


# ZIP: OpenDocument says what it is in its first entry, Microsoft's formats by a folder's name.


def _kind_of_zip(data: bytes) -> FileType:
    first = re.match(rb"PK\x03\x04.{22}\x08\x00(..)mimetype", data, re.S)
    if first:
        (extra,) = struct.unpack("<H", first[1])
        mime = data[38 + extra : 38 + extra + 60]
        for kind in (ODT, ODS, ODP, EPUB):
            if mime.startswith(kind.mime.encode()):
                return kind
    # The names in local headers (46 bytes shorter than those in the directory at the end).
    names = re.findall(rb"PK(?:\x03\x04.{26}|\x01\x02.{42})(word|xl|ppt)/", data, re.S)
    return {b"word": DOCX, b"xl": XLSX, b"ppt": PPTX}[names[0]] if names else ARCHIVE


def _end_of(file: BinaryIO, start: int) -> bytes:
    size = file.seek(0, 2)
    file.seek(max(start, size - HEAD))
    return file.read(HEAD)


# OLE: the old Microsoft formats are small file systems; a stream's name says whose.

_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


def _kind_of_ole(data: bytes) -> FileType:
    for stream, kind in (
        ("WordDocument", DOC),
        ("Workbook", XLS),
        ("Book", XLS),
        ("PowerPoint Document", PPT),
    ):
        # An entry is the name in UTF-16, filled with zeros to 64 bytes, then its length.
        name = stream.encode("utf-16-le")
        if name.ljust(64, b"\0") + struct.pack("<H", len(name) + 2) in data:
            return kind
    return UNKNOWN


def _ole_directory(file: BinaryIO, head: bytes) -> bytes:
    if len(head) < 52:
        return b""
    (shift,) = struct.unpack_from("<H", head, 30)
    (sector,) = struct.unpack_from("<I", head, 48)
    file.seek(min((sector + 1) << min(shift, 12), 2**40))
    return file.read(8192)
