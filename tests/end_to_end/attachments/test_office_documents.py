"""Office documents go in as documents, by the type their bytes say they are."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from tests.support.app_harness import AppHarness, McpClient
from tests.support.file_samples import KINDS

OFFICE = {
    "a Word document": "report.docx",
    "an Excel workbook": "numbers.xlsx",
    "PowerPoint slides": "talk.pptx",
    "an OpenDocument text": "report.odt",
    "an OpenDocument table": "numbers.ods",
    "OpenDocument slides": "talk.odp",
    "an old Word document": "report.doc",
    "an RTF": "letter.rtf",
}


@pytest.mark.parametrize(("sample", "name"), OFFICE.items())
async def test_an_office_document_goes_in_as_a_document(
    harness: AppHarness, client: McpClient, work: Path, sample: str, name: str
) -> None:
    data, kind = KINDS[sample]
    (work / name).write_bytes(data)

    said = await client.ask("What does it say?", files=[name])

    (content, _prompt) = harness.last["input"][0]["content"]
    assert said.status == "completed"
    assert (content["type"], content["mime_type"]) == ("document", kind.mime)
    # The emulator's log says of longer bytes only how many there were.
    is_long = "not kept" in content["data"]
    assert is_long or base64.b64decode(content["data"]) == data
