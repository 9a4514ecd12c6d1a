"""The beginnings of files of every kind, as small as they can be and still be told apart."""

from __future__ import annotations

import gzip
import struct
import wave
import zipfile
from io import BytesIO

from PIL import Image

from gemini_interactions.files import mime_sniffing
from gemini_interactions.files.mime_sniffing import FileType

PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAIAAAACCAIAAAD91JpzAAAAEElEQVR4nGP4z8AARAwQCgAf7gP9i18U1AAAAABJ"
    "RU5ErkJggg=="
)
"""A PNG of two by two pixels, in base64."""


def picture(form: str, mode: str = "RGB", size: tuple[int, int] = (64, 48)) -> bytes:
    buffer = BytesIO()
    Image.new(mode, size, 0).save(buffer, form)
    return buffer.getvalue()


def iso(*brands: bytes) -> bytes:
    """An ISO media file (MP4, HEIC …) of these brands."""
    box = brands[0] + b"\0\0\0\0" + b"".join(brands)
    return struct.pack(">I", 8 + len(box)) + b"ftyp" + box + b"\0\0\0\0mdat" + b"\x01" * 300


def zipped(*names: str, mimetype: str = "") -> bytes:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        if mimetype:
            archive.writestr(zipfile.ZipInfo("mimetype"), mimetype)
        for name in names:
            archive.writestr(name, f"<{name}/>" * 50)
    return buffer.getvalue()


def ole(stream: str, *, sector: int = 0) -> bytes:
    """An OLE file whose directory, in that sector, names one stream."""
    name = stream.encode("utf-16-le")
    entry = name.ljust(64, b"\0") + struct.pack("<H", len(name) + 2) + b"\2\1" + b"\0" * 60
    head = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 16 + b"\x3e\0\3\0\xfe\xff\x09\0"
    head = head.ljust(48, b"\0") + struct.pack("<I", sector)
    return (head.ljust(512, b"\xff") + b"\xfe" * 512 * sector + entry).ljust(4096, b"\0")


def matroska(form: bytes, codec: bytes) -> bytes:
    header = b"\x42\x86\x81\x01\x42\x82" + bytes([0x80 | len(form)]) + form
    return b"\x1a\x45\xdf\xa3" + bytes([0x80 | len(header)]) + header + b"\x86" + codec + b"\0" * 99


def wav() -> bytes:
    buffer = BytesIO()
    with wave.open(buffer, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(b"\0\1" * 400)
    return buffer.getvalue()


def ogg(packet: bytes) -> bytes:
    return b"OggS\0\2" + b"\0" * 20 + b"\1" + bytes([len(packet)]) + packet + b"\0" * 99


OFFICE = ("[Content_Types].xml", "_rels/.rels", "docProps/app.xml")

KINDS: dict[str, tuple[bytes, FileType]] = {
    "a PNG": (picture("PNG"), mime_sniffing.PNG),
    "a JPEG": (picture("JPEG"), mime_sniffing.JPEG),
    "a WebP": (picture("WEBP"), mime_sniffing.WEBP),
    "a GIF": (picture("GIF", "P"), mime_sniffing.GIF),
    "a bitmap": (picture("BMP"), mime_sniffing.BMP),
    "a TIFF": (picture("TIFF"), mime_sniffing.TIFF),
    "a big-endian TIFF": (b"MM\0*\0\0\0\x08" + b"\0" * 90, mime_sniffing.TIFF),
    "an iPhone's photo": (iso(b"heic", b"mif1", b"heic"), mime_sniffing.HEIC),
    "a photo that is HEIC by its second brand": (iso(b"mif1", b"heic"), mime_sniffing.HEIC),
    "a HEIF": (iso(b"mif1", b"miaf"), mime_sniffing.HEIF),
    "an AVIF": (iso(b"avif", b"mif1"), mime_sniffing.AVIF),
    "an icon": (picture("ICO", size=(16, 16)), mime_sniffing.ICON),
    "a Photoshop file": (b"8BPS\0\1" + b"\0" * 90, mime_sniffing.PSD),
    "an MP4": (iso(b"isom", b"iso2", b"avc1", b"mp41"), mime_sniffing.MP4),
    "an MP4 in pieces": (iso(b"iso5", b"dash"), mime_sniffing.MP4),
    "an iTunes video": (iso(b"M4V ", b"mp42"), mime_sniffing.MP4),
    "a QuickTime video": (iso(b"qt  "), mime_sniffing.MOV),
    "an old QuickTime video": (b"\0\0\x10\0moov" + b"\0\1" * 90, mime_sniffing.MOV),
    "a phone's video": (iso(b"3gp5", b"3gp5"), mime_sniffing.THREEGP),
    "an M4A": (iso(b"M4A ", b"mp42"), mime_sniffing.M4A),
    "an audio book": (iso(b"M4B ", b"mp42"), mime_sniffing.M4A),
    "a WebM": (matroska(b"webm", b"V_VP9"), mime_sniffing.WEBM),
    "a WebM without pictures": (matroska(b"webm", b"A_OPUS"), mime_sniffing.WEBM_AUDIO),
    "a Matroska video": (matroska(b"matroska", b"V_MPEG4"), mime_sniffing.MKV),
    "an AVI": (b"RIFF\0\x10\0\0AVI LIST" + b"\0" * 90, mime_sniffing.AVI),
    "a WAV": (wav(), mime_sniffing.WAV),
    "an MP3 with a title": (b"ID3\4\0\0\0\0\0\x0a" + b"\0" * 90, mime_sniffing.MP3),
    "a bare MP3": (b"\xff\xfb\x90\x64" + b"\0" * 413, mime_sniffing.MP3),
    "speech as MP3": (b"\xff\xf3\x80\x64" + b"\0" * 284, mime_sniffing.MP3),
    "an AAC": (b"\xff\xf1\x50\x80\x2e\x7f\xfc" + b"\0" * 364, mime_sniffing.AAC),
    "a FLAC": (b"fLaC\0\0\0\x22" + b"\0" * 90, mime_sniffing.FLAC),
    "an Ogg": (ogg(b"\1vorbis"), mime_sniffing.OGG),
    "an Opus": (ogg(b"OpusHead\1\2"), mime_sniffing.OPUS),
    "an Ogg video": (ogg(b"\x80theora"), mime_sniffing.OGV),
    "an AIFF": (b"FORM\0\0\1\0AIFFCOMM" + b"\0" * 90, mime_sniffing.AIFF),
    "a compressed AIFF": (b"FORM\0\0\1\0AIFCFVER" + b"\0" * 90, mime_sniffing.AIFF),
    "a MIDI file": (b"MThd\0\0\0\6\0\1\0\2" + b"\0" * 90, mime_sniffing.MIDI),
    "an AMR": (b"#!AMR\n\x3c" + b"\0" * 90, mime_sniffing.AMR),
    "a Flash video": (b"FLV\1\5\0\0\0\x09" + b"\0" * 90, mime_sniffing.FLV),
    "a Windows video": (
        bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c") + b"\0" * 90,
        mime_sniffing.WMV,
    ),
    "an MPEG": (b"\0\0\1\xba\x44\0\4\0" + b"\0" * 90, mime_sniffing.MPEG),
    "a transport stream": ((b"\x47\x40\0\x10" + b"\xff" * 184) * 4, mime_sniffing.TS),
    "a PDF": (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n", mime_sniffing.PDF),
    "a PDF all in ASCII": (b"%PDF-1.4\n1 0 obj\n<< >>\n", mime_sniffing.PDF),
    "a PDF after some junk": (b"\0junk\r\n%PDF-1.4\n" + b"\0" * 90, mime_sniffing.PDF),
    "an RTF": (b"{\\rtf1\\ansi Hello}", mime_sniffing.RTF),
    "a Word document": (zipped(*OFFICE, "word/document.xml"), mime_sniffing.DOCX),
    "a Word document by another program": (
        zipped("word/document.xml", *OFFICE),
        mime_sniffing.DOCX,
    ),
    "an Excel workbook": (zipped(*OFFICE, "xl/workbook.xml"), mime_sniffing.XLSX),
    "PowerPoint slides": (zipped(*OFFICE, "ppt/presentation.xml"), mime_sniffing.PPTX),
    "an OpenDocument text": (
        zipped("content.xml", mimetype=mime_sniffing.ODT.mime),
        mime_sniffing.ODT,
    ),
    "an OpenDocument table": (
        zipped("content.xml", mimetype=mime_sniffing.ODS.mime),
        mime_sniffing.ODS,
    ),
    "OpenDocument slides": (
        zipped("content.xml", mimetype=mime_sniffing.ODP.mime),
        mime_sniffing.ODP,
    ),
    "an old Word document": (ole("WordDocument"), mime_sniffing.DOC),
    "an old Excel workbook": (ole("Workbook"), mime_sniffing.XLS),
    "a very old Excel workbook": (ole("Book"), mime_sniffing.XLS),
    "old PowerPoint slides": (ole("PowerPoint Document"), mime_sniffing.PPT),
    "an old document, its directory far on": (ole("WordDocument", sector=500), mime_sniffing.DOC),
    "an old message": (ole("__properties_version1.0"), mime_sniffing.UNKNOWN),
    "a book": (zipped("OEBPS/x.xhtml", mimetype="application/epub+zip"), mime_sniffing.EPUB),
    "an archive": (zipped("word.txt", "xl.txt"), mime_sniffing.ARCHIVE),
    "a gzip": (gzip.compress(b"words"), mime_sniffing.ARCHIVE),
    "a program": (b"\x7fELF\2\1\1" + b"\0" * 90, mime_sniffing.PROGRAM),
    "a program of Windows": (
        b"MZ\x90\0\3\0\0\0\4\0\0\0\xff\xff" + b"\0" * 90,
        mime_sniffing.PROGRAM,
    ),
    "a database": (b"SQLite format 3\0\x10\0" + b"\0" * 90, mime_sniffing.DATABASE),
    "noise": (bytes(range(256)) * 4, mime_sniffing.UNKNOWN),
}
