"""The Files API: uploads that resume, files that are processed, used, deleted and expire."""

import base64
import hashlib
import io

import httpx2
import pytest
from google.genai._interactions import BadRequestError, PermissionDeniedError
from google.genai.errors import ClientError

from gemini_emulator import EmulatorControl
from tests.emulator.constants import FAST, MODEL

MIB = 1024 * 1024


@pytest.fixture
def files(client):
    return client.aio.files


async def upload(files, data=b"Hello", mime_type="text/plain", **config):
    return await files.upload(file=io.BytesIO(data), config={"mime_type": mime_type, **config})


async def test_a_file_is_uploaded_and_looked_at(files, control: EmulatorControl):
    title = "Größe – 大きさ.txt"
    made = await upload(files, display_name=title)
    got = await files.get(name=made.name)

    assert (got.display_name, got.mime_type, got.size_bytes) == (title, "text/plain", 5)
    assert got.uri == f"https://generativelanguage.googleapis.com/v1beta/{got.name}"
    assert base64.b64decode(got.sha256_hash) == hashlib.sha256(b"Hello").digest()
    assert (got.state.value, got.source.value) == ("ACTIVE", "UPLOADED")
    assert (got.expiration_time - got.create_time).total_seconds() == 48 * 3600
    assert [request.kind for request in control.log] == ["upload", "chunk", "file"]


async def test_a_file_on_disk_is_uploaded_too(files, tmp_path):
    (tmp_path / "notes.md").write_text("# Störche")
    made = await files.upload(file=tmp_path / "notes.md", config={"mime_type": "text/markdown"})

    assert made.size_bytes == len("# Störche".encode())


async def test_a_large_file_comes_in_chunks_and_is_not_kept(files, control: EmulatorControl):
    data = bytes(range(256)) * (20 * MIB // 256) + b"end"
    made = await upload(files, data, "application/pdf")

    chunks = [request.bytes for request in control.log if request.kind == "chunk"]
    assert chunks == [8 * MIB, 8 * MIB, 4 * MIB + 3]
    assert made.size_bytes == len(data)
    assert base64.b64decode(made.sha256_hash) == hashlib.sha256(data).digest()
    assert all(request.body is None for request in control.log if request.kind == "chunk")


async def test_an_empty_file_is_a_file(files):
    assert (await upload(files, b"")).size_bytes in (0, None)


async def test_files_are_listed_newest_first_in_pages(files, control: EmulatorControl):
    names = [(await upload(files, name=f"n{i}")).name for i in range(5)]
    listed = [file.name async for file in await files.list(config={"page_size": 2})]

    assert listed == names[::-1]
    assert [file["name"] for file in control.files] == listed


async def test_a_deleted_file_is_gone(files):
    made = await upload(files)
    await files.delete(name=made.name)

    with pytest.raises(ClientError) as refused:
        await files.get(name=made.name)
    with pytest.raises(ClientError):
        await files.delete(name=made.name)
    assert (refused.value.code, refused.value.status) == (403, "PERMISSION_DENIED")
    assert "or it may not exist" in str(refused.value)


@pytest.mark.parametrize("name", ["UPPER", "-x", "x" * 41])
async def test_a_name_must_be_well_formed_and_new(files, name):
    await upload(files, name="taken")

    with pytest.raises(ClientError) as malformed:
        await upload(files, name=name)
    with pytest.raises(ClientError) as taken:
        await upload(files, name="taken")
    assert (malformed.value.code, taken.value.code) == (400, 409)


async def test_a_file_of_more_than_two_gigabytes_is_refused(raw):
    answer = await start(raw, size=2 * 1024**3 + 1)

    assert answer.status_code == 400


async def test_videos_are_processed_for_a_while(files, control: EmulatorControl):
    control.process_files(looks=2)
    made = await upload(files, mime_type="video/mp4")
    text = await upload(files)
    states = [(await files.get(name=made.name)).state.value for _ in range(3)]

    assert made.state.value == "PROCESSING"
    assert text.state.value == "ACTIVE"
    assert states == ["PROCESSING", "PROCESSING", "ACTIVE"]


async def test_files_can_be_processed_by_the_clock_and_of_any_type(files, control: EmulatorControl):
    control.process_files(looks=0, seconds=30, types=["application/pdf"])
    made = await upload(files, mime_type="application/pdf")
    before = await files.get(name=made.name)
    control.advance(30)

    assert before.state.value == "PROCESSING"
    assert (await files.get(name=made.name)).state.value == "ACTIVE"


async def test_the_processing_of_a_file_can_fail(files, control: EmulatorControl):
    control.fail_next_file("Not a video.")
    made = await upload(files, mime_type="video/mp4")
    states = [await files.get(name=made.name) for _ in range(2)]

    assert [file.state.value for file in states] == ["PROCESSING", "FAILED"]
    assert states[-1].error.message == "Not a video."


async def test_files_expire_after_two_days(files, gemini, control: EmulatorControl):
    made = await upload(files)
    control.advance(48 * 3600 - 1)
    still = await files.get(name=made.name)
    control.advance(1)

    assert still.name == made.name
    with pytest.raises(ClientError):
        await files.get(name=made.name)
    with pytest.raises(PermissionDeniedError):
        await read(gemini, made.uri)


async def test_files_can_be_made_to_expire(files, control: EmulatorControl):
    first, second = await upload(files), await upload(files)
    control.expire_file(first.name)

    assert [file["name"] for file in control.files] == [second.name]
    control.expire_files()
    assert control.files == []


async def read(gemini, uri, **options):
    part = {"type": "document", "mime_type": "text/plain", "uri": uri}
    options = {"model": MODEL, **options}
    return await gemini.create(input=[{"type": "text", "text": "Read"}, part], **options)


async def test_a_file_is_used_by_its_uri_or_by_its_name(files, gemini):
    made = await upload(files)
    answers = [await read(gemini, uri) for uri in (made.uri, made.name)]

    assert made.uri in answers[0].output_text
    assert made.name in answers[1].output_text


@pytest.mark.parametrize(
    "options", [{"model": MODEL}, {"model": None, "agent": FAST, "background": True}]
)
async def test_an_unknown_file_in_a_prompt_is_forbidden(gemini, options):
    options = {name: value for name, value in options.items() if value is not None}
    if "agent" in options:
        part = {"type": "document", "uri": "files/nobodys"}
        asking = gemini.create(input=[{"type": "text", "text": "Read"}, part], **options)
    else:
        asking = read(gemini, "files/nobodys")

    with pytest.raises(PermissionDeniedError) as refused:
        await asking
    assert "PERMISSION_DENIED" in str(refused.value.body)


async def test_addresses_elsewhere_are_not_looked_up(gemini):
    answer = await read(gemini, "https://example.com/files/abc")

    assert answer.status == "completed"


async def test_a_file_in_processing_cannot_be_used_yet(files, gemini):
    made = await upload(files, mime_type="audio/wav")

    with pytest.raises(BadRequestError, match="not in an ACTIVE state"):
        await read(gemini, made.uri)


async def test_what_was_uploaded_cannot_be_downloaded_and_what_was_made_can(
    files, control: EmulatorControl
):
    made = await upload(files)
    name = control.add_file(b"bytes of a film", "video/mp4")

    with pytest.raises(ClientError, match="Only generated files"):
        await files.download(file=made.name)
    assert await files.download(file=name) == b"bytes of a film"
    assert await files.download(file=f"https://generativelanguage.googleapis.com/v1beta/{name}")


async def test_files_belong_to_their_key_when_keys_are_isolated(
    files, raw, gemini, control: EmulatorControl
):
    control.isolate_keys = True
    mine = await upload(files)
    theirs = {"x-goog-api-key": "another-key"}
    got = await raw.get(f"/v1/{mine.name}", headers=theirs)
    listed = await raw.get("/v1/files", headers=theirs)
    part = {"type": "document", "uri": mine.uri}
    body = {"model": MODEL, "input": [{"type": "text", "text": "Read"}, part]}
    used = await raw.post("/v1/interactions", headers=theirs, json=body)
    control.isolate_keys = False

    assert (got.status_code, listed.json(), used.status_code) == (403, {"files": []}, 403)
    assert (await raw.get(f"/v1/{mine.name}", headers=theirs)).status_code == 200


# Uploads by hand: what a client of our own does when the network fails it.


async def start(raw, size, version="v1beta"):
    return await raw.post(
        f"/upload/{version}/files",
        json={"file": {"displayName": "by hand"}},
        headers={
            "X-Goog-Upload-Protocol": "resumable",
            "X-Goog-Upload-Command": "start",
            "X-Goog-Upload-Header-Content-Length": str(size),
            "X-Goog-Upload-Header-Content-Type": "text/plain",
        },
    )


@pytest.fixture
async def keyless(control: EmulatorControl):
    """Who sends chunks: without the key, as the real client does."""
    async with httpx2.AsyncClient() as keyless:
        yield keyless


async def send(client, url, command, data=b"", offset=0):
    headers = {"X-Goog-Upload-Command": command, "X-Goog-Upload-Offset": str(offset)}
    return await client.post(url, content=data, headers=headers)


async def start_upload(raw, size):
    return (await start(raw, size)).headers["X-Goog-Upload-URL"]


async def received_size(client, url):
    answer = await send(client, url, "query")
    return int(answer.headers["X-Goog-Upload-Size-Received"])


async def test_an_upload_is_refused_without_a_key(emulator, keyless):
    keyless.base_url = emulator.url
    answer = await start(keyless, 5)

    assert (answer.status_code, answer.json()["error"]["status"]) == (401, "UNAUTHENTICATED")


@pytest.mark.parametrize("version", ["v1", "v1beta"])
async def test_an_upload_says_how_far_it_is(raw, keyless, control: EmulatorControl, version):
    control.chunk_granularity = 4
    answer = await start(raw, 10, version)
    url = answer.headers["X-Goog-Upload-URL"]
    first = await send(keyless, url, "upload", b"12345678")
    middle = await send(keyless, url, "query")
    last = await send(keyless, url, "upload, finalize", b"90", 8)
    after = await send(keyless, url, "query")

    states = [each.headers["X-Goog-Upload-Status"] for each in (answer, first, middle, last, after)]
    assert states == ["active", "active", "active", "final", "final"]
    assert middle.headers["X-Goog-Upload-Size-Received"] == "8"
    assert last.json() == after.json()
    assert last.json()["file"]["sizeBytes"] == "10"
    assert last.json()["file"]["displayName"] == "by hand"


async def test_a_refused_chunk_is_sent_again(raw, keyless, control: EmulatorControl):
    control.fail_next(503, on="chunk", skip=1)
    control.chunk_granularity = 4
    url = await start_upload(raw, 8)
    answers = [await send(keyless, url, "upload", b"1234")]
    answers.append(await send(keyless, url, "upload, finalize", b"5678", 4))
    at = await received_size(keyless, url)
    answers.append(await send(keyless, url, "upload, finalize", b"5678", at))

    assert [answer.status_code for answer in answers] == [200, 503, 200]
    assert "X-Goog-Upload-Status" not in answers[1].headers
    assert at == 4
    assert answers[-1].json()["file"]["sizeBytes"] == "8"


@pytest.mark.parametrize(("kept", "at"), [(0.5, 2 * MIB), (0, 0), (1, 4 * MIB)])
async def test_a_chunk_broken_off_goes_on_where_the_server_is(raw, keyless, control, kept, at):
    data = bytes(range(256)) * (4 * MIB // 256)
    control.fault_next("reset", on="chunk", kept=kept)
    url = await start_upload(raw, len(data))
    with pytest.raises(httpx2.TransportError):
        await send(keyless, url, "upload, finalize", data)
    arrived = await received_size(keyless, url)
    answer = await send(keyless, url, "upload, finalize", data[arrived:], arrived)

    assert arrived == at
    digest = base64.b64decode(answer.json()["file"]["sha256Hash"])
    assert digest == hashlib.sha256(data).digest()


async def test_the_wrong_offset_is_refused_and_changes_nothing(
    raw, keyless, control: EmulatorControl
):
    url = await start_upload(raw, 8)
    answer = await send(keyless, url, "upload, finalize", b"5678", 4)

    assert answer.status_code == 400
    assert await received_size(keyless, url) == 0


async def test_chunks_in_the_middle_have_the_granularity_that_was_announced(raw, keyless):
    url = await start_upload(raw, 10)
    answer = await send(keyless, url, "upload", b"123")

    assert answer.status_code == 400
    assert "262144" in answer.json()["error"]["message"]


async def test_an_upload_with_bytes_missing_is_not_final(raw, keyless):
    url = await start_upload(raw, 10)
    answer = await send(keyless, url, "upload, finalize", b"12345")
    rest = await send(keyless, url, "upload, finalize", b"67890", 5)

    assert answer.status_code == 400
    assert rest.json()["file"]["sizeBytes"] == "10"


async def test_a_cancelled_upload_takes_nothing_more(raw, keyless, control: EmulatorControl):
    url = await start_upload(raw, 4)
    await send(keyless, url, "cancel")
    answer = await send(keyless, url, "upload, finalize", b"1234")

    assert answer.headers["X-Goog-Upload-Status"] == "cancelled"
    assert control.files == []


async def test_an_unknown_upload_is_404(raw, keyless, emulator):
    answer = await send(keyless, f"{emulator.url}/upload/v1/files?upload_id=x", "query")

    assert answer.status_code == 404


async def test_an_upload_of_another_protocol_is_refused(raw):
    answer = await raw.post("/upload/v1/files", content=b"x")

    assert answer.status_code == 400


async def test_a_body_of_any_length_is_counted_as_it_comes(
    raw, keyless, emulator, control: EmulatorControl
):
    pieces, piece = 300, bytes(MIB)

    async def body():
        for _ in range(pieces):
            yield piece

    url = await start_upload(raw, pieces * MIB)
    headers = {
        "X-Goog-Upload-Command": "upload, finalize",
        "X-Goog-Upload-Offset": "0",
        "Content-Length": str(pieces * MIB),
    }
    answer = await keyless.post(url, content=body(), headers=headers)

    assert answer.json()["file"]["sizeBytes"] == str(pieces * MIB)
    assert control.log[-1].bytes == pieces * MIB


async def test_a_request_of_more_than_a_hundred_megabytes_is_refused(raw):
    body = b'{"model":"%s","input":"%s"}' % (MODEL.encode(), b"x" * (100 * MIB))
    answer = await raw.post("/v1/interactions", content=body)

    assert answer.status_code == 400
    assert "payload size" in answer.json()["error"]["message"]


async def test_another_process_can_steer_files(raw, files):
    async def steer(do, **args):
        answer = await raw.post("/_emulator/steer", json={"do": do, "args": args})
        assert answer.status_code == 200, answer.text
        return answer.json()["result"]

    name = await steer("add_file", data="aGk=", mime_type="text/plain", display_name="Grüße")
    await steer("process_files", looks=0)
    await steer("set", isolate_keys=True, chunk_granularity=1)

    assert await files.download(file=name) == b"hi"
    assert (await files.get(name=name)).display_name == "Grüße"
    assert (await upload(files, mime_type="video/mp4")).state.value == "ACTIVE"
