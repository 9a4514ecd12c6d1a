"""What Google fetches itself, and what it cannot."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemini_interactions.domain.file_errors import BadAddress
from gemini_interactions.files.interaction_content import describe
from gemini_interactions.files.remote_urls import Address, address_of, type_of

VIDEO = "https://www.youtube.com/watch?v=dQw4w9WgXcQ"


def content(given: str) -> dict[str, Any]:
    address = address_of(given)
    assert address is not None
    return address.content()


@pytest.mark.parametrize(
    "address",
    [
        "https://www.youtube.com/watch?v=dQw4w9WgXcQ",
        "http://youtube.com/watch?v=dQw4w9WgXcQ&t=42s",
        "https://m.youtube.com/watch?list=PL1&v=dQw4w9WgXcQ",
        "https://music.youtube.com/watch?v=dQw4w9WgXcQ",
        "https://youtu.be/dQw4w9WgXcQ?si=abc",
        "https://www.youtube.com/shorts/dQw4w9WgXcQ",
        "https://www.youtube.com/live/dQw4w9WgXcQ?feature=share",
        "https://www.youtube.com/embed/dQw4w9WgXcQ",
        "https://www.youtube-nocookie.com/embed/dQw4w9WgXcQ",
        "youtube.com/watch?v=dQw4w9WgXcQ",
        "youtu.be/dQw4w9WgXcQ",
        "  HTTPS://WWW.YouTube.com/v/dQw4w9WgXcQ ",
    ],
)
def test_every_form_of_a_youtube_address_is_the_same_video(address: str) -> None:
    assert content(address) == {"type": "video", "uri": VIDEO}


@pytest.mark.parametrize(
    "address",
    [
        "https://www.youtube.com/",
        "https://www.youtube.com/@channel",
        "https://www.youtube.com/playlist?list=PL1",
        "https://youtu.be/",
        "https://youtu.be/short",
        "https://www.youtube.com/watch?v=dQw4w9WgXcQ%0a",
        "youtube.com",
    ],
)
def test_youtube_without_a_video_is_refused(address: str) -> None:
    with pytest.raises(BadAddress, match="no single YouTube video"):
        address_of(address)


@pytest.mark.parametrize("path", ["youtube.community/x", "youtu.bet/x", "notyoutube.com/watch?v=x"])
def test_what_only_looks_like_youtube_is_a_path(path: str) -> None:
    assert address_of(path) is None


@pytest.mark.parametrize(
    ("address", "type_", "mime"),
    [
        ("https://example.com/a/report.PDF?download=1#page=3", "document", "application/pdf"),
        ("https://example.com/photo.jpeg", "image", "image/jpeg"),
        ("https://example.com/photo.webp", "image", "image/webp"),
        ("https://example.com/talk.mp3", "audio", "audio/mp3"),
        ("https://example.com/film.mov", "video", "video/mov"),
        ("https://example.com/data.csv", "document", "text/csv"),
        ("https://example.com/notes.md", "document", "text/plain"),
        ("https://example.com/data.json", "document", "application/json"),
        (
            "https://example.com/a.docx",
            "document",
            "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        ),
        ("https://example.com/article", "document", "text/html"),
        ("https://example.com", "document", "text/html"),
        ("https://example.com/index.html", "document", "text/html"),
        ("https://example.com/thing.xyz", "document", None),
    ],
)
def test_an_addresss_type_is_told_from_its_extension(
    address: str, type_: str, mime: str | None
) -> None:
    told = content(address)

    assert (told["type"], told.get("mime_type")) == (type_, mime)


def test_the_part_for_browsers_is_dropped_and_letters_are_written_out() -> None:
    assert (
        content("https://example.com/für alle/x.pdf?q=ä&sig=a%2Fb+c==#page=2")["uri"]
        == "https://example.com/f%C3%BCr%20alle/x.pdf?q=%C3%A4&sig=a%2Fb+c=="
    )


def test_the_name_of_an_uploaded_file_waits_for_what_google_says_of_it() -> None:
    address = address_of("files/abc-123")

    assert address is not None
    assert address.file == "files/abc-123"
    assert address.content(uri="https://g/v1/files/abc-123", mime="video/mp4") == {
        "type": "video",
        "uri": "https://g/v1/files/abc-123",
        "mime_type": "video/mp4",
    }


def test_the_address_of_an_uploaded_file_is_known_as_such() -> None:
    google = "https://generativelanguage.googleapis.com/v1beta/files/abc-123"
    emulated = "http://127.0.0.1:8080/v1beta/files/abc-123"

    for uri, base in ((google, ()), (emulated, ("http://127.0.0.1:8080/",))):
        address = address_of(uri, base) if base else address_of(uri)
        assert address == Address(uri, file="files/abc-123", label="files/abc-123")


@pytest.mark.parametrize(
    "host",
    [
        "generativelanguage.googleapis.com\\v1beta/files/abc-123?",
        "generativelanguage%2Egoogleapis.com",
        "127.0.0.1\\.example.com",
        "127.0.0.1;example.com",
        "exa mple.com",
    ],
)
def test_a_host_that_others_may_read_differently_is_refused(host: str) -> None:
    with pytest.raises(BadAddress, match="not a whole https address"):
        address_of(f"https://{host}/v1beta/files/abc-123")


@pytest.mark.parametrize("base", [(), ("https://proxy.example.com/gemini",)])
@pytest.mark.parametrize(
    "uri",
    [
        "https://generativelanguage.googleapis.com/v1beta/files/abc-123#page=2",
        "https://generativelanguage.googleapis.com/v1/files/abc-123?key=x",
        "https://generativelanguage.googleapis.com:443/v1beta/files/abc-123",
        "https://GenerativeLanguage.GoogleAPIs.com./v1beta/files/abc-123",
        "https://generativelanguage.googleapis.com/v1beta//%66iles/abc-123/",
        "https://generativelanguage.googleapis.com/v1beta/files/abc-123:download?alt=media",
        "https://generativelanguage.mtls.googleapis.com/v1beta/files/abc-123",
        "https://\uff47enerativelanguage\u3002googleapis.com/v1beta/files/abc-123",
    ],
)
def test_an_uploaded_file_goes_by_its_name_however_its_address_is_spelled(
    uri: str, base: tuple[str, ...]
) -> None:
    address = address_of(uri, base) if base else address_of(uri)

    assert address is not None
    assert address.file == "files/abc-123"


def test_any_other_address_of_the_api_is_no_page() -> None:
    with pytest.raises(BadAddress, match="of the Gemini API itself"):
        address_of("https://generativelanguage.googleapis.com/v1beta/models")


@pytest.mark.parametrize(
    "path",
    [
        *("src/main.py", "C:\\work\\x.txt", "c:/x", "files/report.txt", "./files/abc", "files/a/b"),
        *("notes: today.txt", "~/x", "file:///tmp/x", "/etc/hosts", "", "http", "httpsx"),
    ],
)
def test_everything_else_is_a_path(path: str) -> None:
    assert address_of(path) is None


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("http://example.com/x.pdf", "over http anybody on the way could read or change it"),
        ("ftp://example.com/x.pdf", "Google does not fetch ftp:// addresses"),
        ("gs://bucket/x.pdf", "Google does not fetch gs:// addresses"),
        ("s3://bucket/x.pdf", "Google does not fetch s3:// addresses"),
        ("data:image/png;base64,iVBORw0KGgo=", "holds the bytes themselves"),
        ("https://user:pass@example.com/x", "user name or password"),
        ("https://token@example.com/x", "user name or password"),
        ("https://localhost:3000/x.png", "cannot reach this machine"),
        ("https://127.0.0.1/x.png", "cannot reach this machine"),
        ("https://10.1.2.3/x.png", "cannot reach this machine"),
        ("https://[::1]/x.png", "cannot reach this machine"),
        ("https://[fe80::1]/x", "cannot reach this machine"),
        ("https://169.254.169.254/latest/meta-data", "cannot reach this machine"),
        ("https://wiki.internal/x", "cannot reach this machine"),
        ("https://printer/x", "cannot reach this machine"),
        ("https://127.1/x", "cannot reach this machine"),
        ("https://0x7f.1/x", "cannot reach this machine"),
        ("https://exa mple.com/", "not a whole https address"),
        ("https:///x", "not a whole https address"),
        ("https://", "not a whole https address"),
        ("https://example.com:x/", "not a whole https address"),
        ("https://exa\nmple.com/", "not a whole https address"),
        ("https://[x/", "not a whole https address"),
        ("https://example.com/" + "x" * 9000, "not a whole https address"),
    ],
)
def test_what_google_cannot_fetch_is_refused_with_the_reason(address: str, why: str) -> None:
    with pytest.raises(BadAddress) as refusal:
        address_of(address)

    assert why in str(refusal.value)
    assert len(str(refusal.value)) < 400
    assert "pass@" not in str(refusal.value)


def test_any_type_that_is_no_image_sound_or_film_is_a_document() -> None:
    assert [type_of(each) for each in ("image/png", "audio/wav", "video/mp4", "text/csv", "")] == [
        *("image", "audio", "video", "document", "document")
    ]


def test_a_label_says_what_it_is_without_its_secrets() -> None:
    signed = address_of("https://example.com/a/x.pdf?signature=s3cret")
    video = address_of("youtu.be/dQw4w9WgXcQ")

    assert signed is not None
    assert video is not None
    assert describe(signed) == "example.com/a/x.pdf"
    assert describe(video) == "YouTube video dQw4w9WgXcQ"


@given(
    st.text(max_size=60), st.sampled_from(["", "https://", "data:", "youtu.be/", "https://a.b/"])
)
def test_no_words_whatever_break_it(words: str, before: str) -> None:
    try:
        address = address_of(before + words)
    except BadAddress:
        return
    if address is not None and not address.file:
        assert address.uri.startswith("https://")
        assert address.uri.isascii() or "/" not in words
