"""Files under the names and in the encodings that people have, not those a programmer expects."""

from __future__ import annotations

import base64
import json
import os
import unicodedata
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.attachments.test_attaching import contents, wav_of_silence
from tests.support.app_harness import AppHarness, McpClient

NAMES = [
    ("a screenshot of macOS", "Shot at 9.41.00\u202fAM.txt", "Shot at 9.41.00 AM.txt"),
    ("a blank that does not break", "a\u00a0b.txt", "a b.txt"),
    ("accents in two pieces", unicodedata.normalize("NFD", "Größe.txt"), "Größe.txt"),
    ("accents in one piece", "Größe.txt", unicodedata.normalize("NFD", "Größe.txt")),
    ("a folder of such a name", "a\u202fb/c.txt", "a b/c.txt"),
    ("quotes", "plain.txt", "'plain.txt'"),
    ("double quotes", "two words.txt", '"two words.txt"'),
    ("a mark", "plain.txt", "@plain.txt"),
    ("a mark and quotes", "two words.txt", '@"two words.txt"'),
    ("a line end", "plain.txt", "plain.txt\n"),
    ("escapes", "two words (1).txt", "two\\ words\\ \\(1\\).txt"),
]


@pytest.mark.parametrize(
    ("there", "given"), [each[1:] for each in NAMES], ids=[n[0] for n in NAMES]
)
async def test_a_name_that_only_looks_different_is_that_file(
    client: McpClient, harness: AppHarness, work: Path, there: str, given: str
) -> None:
    (work / there).parent.mkdir(exist_ok=True)
    (work / there).write_text("found me")

    said = await client.ask("What is this?", files=[given])

    assert not said.is_error
    assert "found me" in contents(harness.last)[0]["text"]


async def test_the_very_name_wins(client: McpClient, harness: AppHarness, work: Path) -> None:
    (work / "@plain.txt").write_text("the marked one")
    (work / "plain.txt").write_text("the plain one")

    await client.ask("What is this?", files=["@plain.txt"])

    assert "the marked one" in contents(harness.last)[0]["text"]


async def test_two_that_look_the_same_are_refused(
    client: McpClient, harness: AppHarness, work: Path
) -> None:
    (work / "a\u202fb.txt").write_text("one")
    (work / "a\u00a0b.txt").write_text("two")

    said = await client.ask("What is this?", files=["a b.txt"])

    assert said.is_error
    assert "only in invisible ways" in said.text
    assert harness.bodies == []


async def test_what_is_protected_stays_so_under_a_name_that_looks_different(
    client: McpClient, harness: AppHarness, work: Path
) -> None:
    (work / ".env").write_text("SECRET=1")

    for given in ("'.env'", "@.env", ".env\n", "\u200b.env"):
        said = await client.ask("What is this?", files=[given])
        assert said.is_error
    assert harness.bodies == []


async def test_a_name_that_looks_inside_leads_nowhere_outside(
    client: McpClient, harness: AppHarness, work: Path
) -> None:
    outside = work.parent / "out\u202fside.txt"
    outside.write_text("not yours")
    (work / "link\u202fhere").symlink_to(outside)

    for given in (f"'{outside}'", "@../out side.txt", "link here"):
        said = await client.ask("What is this?", files=[given])
        assert said.is_error
        assert "not yours" not in said.text
    assert harness.bodies == []


@pytest.mark.skipif(os.name == "nt", reason="there it is a path")
async def test_a_windows_path_is_refused_in_words_and_never_made(
    client: McpClient, harness: AppHarness, work: Path
) -> None:
    asked = await client.ask("What is this?", files=["C:\\Users\\me\\cat photo.png"])
    saved = await client.call(
        "gemini_generate_image", prompt="A cat", save_to="C:\\Users\\me\\cat.png"
    )

    for said in (asked, saved):
        assert said.is_error
        assert "a path of Windows" in said.text
    assert "/mnt/c/Users/me/cat photo.png" in asked.text
    assert harness.bodies == []
    assert list(work.iterdir()) == []


CODE = "# {}\ndef mean(xs):\n    return sum(xs) / len(xs)  # {}\n"
RUSSIAN = CODE.format("Функция считает среднее значение", "деление на ноль возможно")
CHINESE = CODE.format("计算平均值的函数", "可能会除以零")
JAPANESE = CODE.format("平均値を計算する関数", "ゼロ除算の可能性あり")
KOREAN = CODE.format("평균을 계산하는 함수", "0으로 나눌 수 있음")
GERMAN = CODE.format("Größe der Fläche", "naïve Lösung")

ENCODED = [
    (RUSSIAN, "cp1251", "Windows-1251"),
    (RUSSIAN, "koi8_r", "KOI8-R"),
    (CHINESE, "gbk", "GB18030"),
    (CHINESE, "gb18030", "GB18030"),
    (JAPANESE, "shift_jis", "Shift-JIS"),
    (JAPANESE, "euc_jp", "EUC-JP"),
    (KOREAN, "euc_kr", "EUC-KR"),
    (GERMAN, "cp1252", "Windows-1252"),
    ("Привет, мир. Это обычный текст без метки.\n", "utf-16-le", "UTF-16"),
    ("日本語のテキストです。マークはありません。\n", "utf-16-be", "UTF-16"),
    ("Москва — столица России. " * 200, "cp1251", "Windows-1251"),
    ("東京は日本の首都であり、世界最大の都市圏の一つです。" * 20, "shift_jis", "Shift-JIS"),
    ("서울은 대한민국의 수도이자 최대 도시이다. " * 20, "euc_kr", "EUC-KR"),
]


@pytest.mark.parametrize(("text", "encoding", "title"), ENCODED, ids=[e[1] for e in ENCODED])
async def test_an_older_encoding_is_read_and_told(
    client: McpClient, harness: AppHarness, work: Path, text: str, encoding: str, title: str
) -> None:
    (work / "mean.py").write_bytes(text.encode(encoding))

    said = await client.ask("What is this?", files=["mean.py"])

    assert text.rstrip() in contents(harness.last)[0]["text"]
    assert f"mean.py is not in UTF-8; it was read as {title}" in said.tail


async def test_a_text_too_long_to_decode_is_refused_rather_than_uploaded_as_nonsense(
    client: McpClient, harness: AppHarness, work: Path
) -> None:
    (work / "book.txt").write_bytes(("Москва — столица России.\n" * 60_000).encode("cp1251"))

    said = await client.ask("What is this?", files=["book.txt"])

    assert said.is_error
    assert "not in UTF-8" in said.text
    assert harness.bodies == []


async def test_an_encoding_that_is_not_sure_is_refused_with_its_guesses(
    client: McpClient, harness: AppHarness, work: Path
) -> None:
    (work / "a.txt").write_bytes("# מחשב את הממוצע של הרשימה\nx=1\n".encode("cp1255"))

    said = await client.ask("What is this?", files=["a.txt"])

    assert said.is_error
    assert "Windows-1255" in said.text
    assert "UTF-8" in said.text
    assert harness.bodies == []


def notebook(*pictures: bytes) -> str:
    outputs: list[dict[str, Any]] = [
        {"output_type": "stream", "name": "stdout", "text": ["hello\n"]},
        *(
            {
                "output_type": "display_data",
                "data": {
                    "image/png": base64.encodebytes(each).decode(),
                    "text/plain": ["<Figure>"],
                },
            }
            for each in pictures
        ),
    ]
    cells = [
        {"cell_type": "markdown", "source": ["# A title\n", "and words"]},
        {"cell_type": "code", "source": ["plot(1)\n", "plot(2)"], "outputs": outputs},
    ]
    metadata = {"language_info": {"name": "python"}}
    return json.dumps({"cells": cells, "metadata": metadata, "nbformat": 4})


async def test_a_notebook_goes_without_its_base64_and_its_first_plots_as_pictures(
    client: McpClient, harness: AppHarness, work: Path
) -> None:
    plots = [b"\x89PNG\r\n\x1a\n" + bytes([n]) * 900_000 for n in range(6)]
    (work / "plots.ipynb").write_text(notebook(*plots))

    said = await client.ask("What is this?", files=["plots.ipynb"])

    text, *pictures, _ = contents(harness.last)
    assert len(text["text"]) < 1000
    assert "```python\nplot(1)\nplot(2)\n```" in text["text"]
    assert "# A title" in text["text"]
    assert "hello" in text["text"]
    assert [each["type"] for each in pictures] == ["image"] * 4
    assert "plots.ipynb was sent without" in said.tail
    assert "4 of its pictures go along" in said.tail


async def test_what_is_no_notebook_goes_as_it_is(
    client: McpClient, harness: AppHarness, work: Path
) -> None:
    (work / "odd.ipynb").write_text('{"cells": 7}')

    await client.ask("What is this?", files=["odd.ipynb"])

    assert '{"cells": 7}' in contents(harness.last)[0]["text"]


@pytest.mark.parametrize("name", ["page.har", "drawing.svg"])
async def test_embedded_bytes_of_other_texts_are_left_out(
    client: McpClient, harness: AppHarness, work: Path, name: str
) -> None:
    data = base64.b64encode(os.urandom(30_000)).decode()
    (work / name).write_text(f'<svg><image href="data:image/png;base64,{data}"/> the end </svg>')

    said = await client.ask("What is this?", files=[name])

    text = contents(harness.last)[0]["text"]
    assert "bytes left out]" in text
    assert "the end" in text
    assert data[:100] not in text
    assert f"{name} was sent without" in said.tail


@pytest.mark.parametrize(
    ("name", "data", "kind"),
    [
        ("speech.mp3", b"\0" * 400 + b"\x01\x02", "audio/mp3"),
        ("speech.aac", b"\x01\x00\x02" * 300, "audio/aac"),
        ("film.mpg", b"\x00\x00\x01\xe0" * 100, "video/mpeg"),
        ("film.mov", b"\x00\x00\x00\x08free\x00\x00" * 40, "video/mov"),
    ],
)
async def test_where_bytes_say_nothing_the_name_counts(
    client: McpClient, harness: AppHarness, work: Path, name: str, data: bytes, kind: str
) -> None:
    (work / name).write_bytes(data)

    said = await client.ask("What is this?", files=[name])

    assert contents(harness.last)[0]["mime_type"].startswith(kind.partition("/")[0])
    assert f"{name} was taken for" in said.tail


async def test_bytes_that_speak_beat_the_name(
    client: McpClient, harness: AppHarness, work: Path
) -> None:
    (work / "film.mov").write_bytes(wav_of_silence())

    await client.ask("What is this?", files=["film.mov"])

    assert contents(harness.last)[0]["mime_type"] == "audio/wav"
