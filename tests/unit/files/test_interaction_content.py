"""What a file is sent as."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gemini_interactions.domain.file_errors import NotTaken, Protected
from gemini_interactions.files.interaction_content import (
    INLINE,
    INLINE_TEXT,
    INLINE_TOTAL,
    LARGEST,
    Attachment,
    attach,
    describe,
    go_inline,
    hash_of,
    inline,
    size_of,
)
from gemini_interactions.files.mime_sniffing import PDF, PNG, TEXT
from gemini_interactions.files.path_sandbox.allowed_dirs import Folders
from tests.support.file_samples import KINDS, picture

Put = Callable[[str, bytes], str]


@pytest.fixture
def put(inside: Path) -> Put:
    """Puts a file inside and says its path."""

    def put(name: str, data: bytes) -> str:
        (inside / name).parent.mkdir(parents=True, exist_ok=True)
        (inside / name).write_bytes(data)
        return name

    return put


def inline_part(folders: Folders, path: str) -> dict[str, Any]:
    with folders.open_inside(path) as opened:
        return inline(attach(opened), opened)


def test_text_goes_in_as_text_under_its_name(folders: Folders, put: Put) -> None:
    put("src/main.py", b"import os\r\nprint(os)\r\n")

    assert inline_part(folders, "src/main.py") == {
        "type": "text",
        "text": '<file name="src/main.py">\nimport os\nprint(os)\n</file>',
    }


def test_text_in_utf_16_goes_in_as_the_same_words(folders: Folders, put: Put) -> None:
    put("notes.txt", "čau, světe".encode("utf-16"))

    assert (
        inline_part(folders, "notes.txt")["text"] == '<file name="notes.txt">\nčau, světe\n</file>'
    )


def test_a_name_cannot_pass_for_something_else(folders: Folders, put: Put) -> None:
    put('a" x="b&.txt', b"words")

    assert inline_part(folders, 'a" x="b&.txt')["text"].startswith(
        '<file name="a&quot; x=&quot;b&amp;.txt">\n'
    )


@pytest.mark.parametrize("what", [what for what, (_, kind) in KINDS.items() if kind.type])
def test_anything_else_goes_in_as_its_real_type_whatever_it_is_called(
    folders: Folders, put: Put, what: str
) -> None:
    data, kind = KINDS[what]
    put("misnamed.txt", data)

    content = inline_part(folders, "misnamed.txt")

    assert base64.b64decode(content.pop("data")) == data
    assert content == {"type": kind.type, "mime_type": kind.mime}


@pytest.mark.parametrize("what", [what for what, (_, kind) in KINDS.items() if not kind.type])
def test_what_gemini_does_not_take_is_refused_with_a_way_out(
    folders: Folders, put: Put, what: str
) -> None:
    data, kind = KINDS[what]
    put("thing.png", data)

    with folders.open_inside("thing.png") as opened, pytest.raises(NotTaken) as refusal:
        attach(opened)
    assert "Gemini" in str(refusal.value)
    assert str(refusal.value).endswith(kind.advice)


def test_an_empty_file_is_refused(folders: Folders, put: Put) -> None:
    put("empty.txt", b"")

    with folders.open_inside("empty.txt") as opened, pytest.raises(NotTaken, match="is empty"):
        attach(opened)


def test_a_file_that_google_would_not_take_is_refused_unread(folders: Folders, put: Put) -> None:
    put("huge.mp4", KINDS["an MP4"][0])

    with folders.open_inside("huge.mp4") as opened:
        opened.size = LARGEST + 1
        with pytest.raises(NotTaken, match=r"is 2\.1 GB, and Google takes files up to 2\.1 GB"):
            attach(opened)
        assert opened.file.tell() == 0


def test_a_sparse_gigabyte_is_looked_at_only_at_its_ends(folders: Folders, inside: Path) -> None:
    with open(inside / "long.mp4", "wb") as file:
        file.write(KINDS["an MP4"][0])
        file.truncate(2**30)

    with folders.open_inside("long.mp4") as opened:
        attachment = attach(opened)
    assert (attachment.kind.mime, attachment.size) == ("video/mp4", 2**30)
    assert go_inline([attachment]) == [False]


def test_no_more_is_sent_than_was_planned_for(folders: Folders, put: Put, inside: Path) -> None:
    put("growing.log", b"first\n")

    with folders.open_inside("growing.log") as opened:
        attachment = attach(opened)
        with open(inside / "growing.log", "ab") as file:
            file.write(b"second\n")
        content = inline(attachment, opened)
    assert "second" not in content["text"]


def test_small_files_go_inline_and_large_ones_are_uploaded() -> None:
    sizes = [(PNG, INLINE), (PNG, INLINE + 1), (TEXT, INLINE_TEXT), (TEXT, INLINE_TEXT + 1)]

    assert go_inline([Attachment("x", kind, size) for kind, size in sizes]) == [
        *(True, False, True, False)
    ]


def test_where_many_would_be_too_much_the_smallest_stay_inline() -> None:
    files = [Attachment("x", PDF, size) for size in (INLINE, 10, *[INLINE] * 5)]
    chosen = go_inline(files)

    assert chosen[1]
    assert sum(each.size for each, yes in zip(files, chosen, strict=True) if yes) <= INLINE_TOTAL
    assert chosen.count(True) == 4


@pytest.mark.parametrize(
    ("name", "kind", "content"),
    [
        ("a.py", TEXT, {"type": "document", "mime_type": "text/plain"}),
        ("a.CSV", TEXT, {"type": "document", "mime_type": "text/csv"}),
        ("a.pdf", PDF, {"type": "document", "mime_type": "application/pdf"}),
        ("a.png", PNG, {"type": "image", "mime_type": "image/png"}),
    ],
)
def test_an_uploaded_copy_is_referred_to_by_its_type(
    name: str, kind: Any, content: dict[str, str]
) -> None:
    assert Attachment(name, kind, 9).content_at("https://g/files/x") == {
        **content,
        "uri": "https://g/files/x",
    }


LETTERS = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj"


def block(kind: str, *headers: str, body: str = LETTERS, end: str = "\n") -> str:
    # Put together here, so that no file of ours holds a whole one.
    name = f"{kind}PRIVATE " + "KEY"
    return end.join([f"-----BEGIN {name}-----", *headers, body, f"-----END {name}-----", ""])


KEYS = {
    "notes.txt": "My key:\n" + block(""),
    "rsa": block("RSA ", "Proc-Type: 4,ENCRYPTED", "DEK-Info: AES-128-CBC,0", ""),
    "openssh.txt": block("OPENSSH "),
    "windows.txt": block("EC ", end="\r\n"),
    "pgp.asc": block("PGP ").replace("KEY--", "KEY BLOCK--"),
    "chain.crt": "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n" + block(""),
    "putty.txt": "PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\n",
    "robot.json": '{"type": "service_account", "private_key": "-----BEGIN…' + LETTERS + '"}',
    "me.json": '{"refresh_token": "1//0' + LETTERS + '", "type": "authorized_user"}',
    "secret.yaml": "key: |\n" + block("RSA ", "").replace("\n", "\n    "),
    "config.json": '{"key": "' + block("").replace("\n", "\\n") + '"}',
    "config.py": "KEY = (\n    '" + block("RSA ").replace("\n", "\\n'\n    '") + "')",
    "wide.txt": "\ufeff" + block("RSA "),
}


@pytest.mark.parametrize("name", KEYS)
def test_a_private_key_is_never_sent_whatever_the_file_is_called(
    folders: Folders, put: Put, name: str
) -> None:
    put(name, KEYS[name].encode("utf-16" if name == "wide.txt" else "utf-8"))

    with pytest.raises(Protected, match="contains a private key"):
        inline_part(folders, name)


def test_nor_is_one_far_down_in_a_text(folders: Folders, put: Put) -> None:
    put("long.txt", (b"words\n" * 50_000) + block("RSA ").encode())

    with pytest.raises(Protected):
        inline_part(folders, "long.txt")


@pytest.mark.parametrize(
    "text",
    [
        "assert text.startswith('-----BEGIN " + "PRIVATE KEY-----')\n" + LETTERS,
        block("RSA ", body="…"),
        block("RSA ", body="(your key here)"),
        block("").replace("PRIVATE", "PUBLIC"),
        "-----BEGIN CERTIFICATE-----\n" + LETTERS,
        '{"type": "service_account", "project_id": "x"}',
        '{"private_key": ""}',
        "An API key begins with AI" + "za and is 39 letters long.",
    ],
)
def test_text_that_only_speaks_of_keys_is_sent(folders: Folders, put: Put, text: str) -> None:
    put("about.md", text.encode())

    assert inline_part(folders, "about.md")["type"] == "text"


BEGINNING = block("").partition("\n")[0]


@pytest.mark.parametrize(
    "trap",
    [
        block("", body="a: " * 200 + "!"),
        f"a: {BEGINNING}\n" * 33_000,
        f"{BEGINNING} a: " * 33_000,
        (BEGINNING + "\n" + "a: b\n" * 9) * 14_000,
    ],
    ids=["words", "lines", "one line", "heads"],
)
def test_a_text_that_is_made_to_look_like_a_key_cannot_hold_everything_up(
    folders: Folders, put: Put, trap: str
) -> None:
    put("trap.txt", trap.encode())

    assert inline_part(folders, "trap.txt")["type"] == "text"


def test_a_hash_is_of_the_whole_file_which_is_left_at_its_beginning(
    folders: Folders, put: Put
) -> None:
    data = bytes(range(256)) * 4000
    put("x.bin", data)

    with folders.open_inside("x.bin") as opened:
        opened.file.read(7)
        assert hash_of(opened.file) == hashlib.sha256(data).hexdigest()
        assert opened.file.tell() == 0


def test_a_label_says_name_kind_and_size(folders: Folders, put: Put) -> None:
    put("src/main.py", b"x" * 3100)
    put("cat", picture("PNG"))

    labels = []
    for path in ("src/main.py", "cat"):
        with folders.open_inside(path) as opened:
            labels.append(describe(attach(opened)))
    assert labels[0] == "src/main.py (text, 3.1 KB)"
    assert labels[1].startswith("cat (PNG image, ")


@pytest.mark.parametrize(
    ("size", "words"),
    [
        *((0, "0 bytes"), (1, "1 byte"), (999, "999 bytes"), (1000, "1.0 KB"), (3100, "3.1 KB")),
        *((999_949, "999.9 KB"), (999_999, "1.0 MB"), (2_500_000_000, "2.5 GB")),
    ],
)
def test_sizes_read_as_people_write_them(size: int, words: str) -> None:
    assert size_of(size) == words
