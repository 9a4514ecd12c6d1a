"""The emulator's HTTP, met by clients that are not the real one."""

import json
import socket

import pytest

from gemini_emulator import Emulator, EmulatorControl

BODY = json.dumps({"model": "gemini-3.8-flash", "input": "Hi"}).encode()
HEAD = b"POST /v1/interactions HTTP/1.1\r\nHost: x\r\nx-goog-api-key: k\r\n"


@pytest.fixture
def wire(emulator: Emulator, control: EmulatorControl):
    with socket.create_connection(("127.0.0.1", emulator.port), timeout=60) as wire:
        yield wire


def read_until(wire, end):
    data = b""
    while end not in data:
        piece = wire.recv(65536)
        if not piece:
            break
        data += piece
    return data


def test_a_request_may_come_in_pieces(wire):
    message = HEAD + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY
    for start in range(0, len(message), 9):
        wire.sendall(message[start : start + 9])

    assert b'"completed"' in read_until(wire, b'"completed"')


def test_a_request_may_be_chunked(wire):
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(p), p) for p in (BODY[:10], BODY[10:]))
    wire.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n")

    assert b'"completed"' in read_until(wire, b'"completed"')


def test_requests_may_be_pipelined(wire, control: EmulatorControl):
    message = HEAD + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY
    wire.sendall(message * 2)

    data = b""
    while data.count(b'"completed"') < 2:
        data += wire.recv(65536)
    assert len(control.posts) == 2


def test_a_connection_serves_more_requests_than_may_wait(wire, control: EmulatorControl):
    padding = b"x-padding: " + b"x" * 20_000 + b"\r\n"
    message = HEAD + padding + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY

    for _ in range(100):
        wire.sendall(message)
        assert b'"completed"' in read_until(wire, b'"completed"')

    assert len(message) * 100 > 1024 * 1024
    assert len(control.posts) == 100


def test_who_expects_to_be_told_to_continue_is_told(wire):
    wire.sendall(HEAD + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(BODY))
    first = read_until(wire, b"\r\n\r\n")
    wire.sendall(BODY)

    assert first == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert b'"completed"' in read_until(wire, b'"completed"')


@pytest.mark.parametrize(
    "nonsense",
    [
        b"nonsense\r\n\r\n",
        HEAD + b"Content-Length: many\r\n\r\n",
        HEAD + b"Content-Length: 99999999999\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"x" * 70_000,
    ],
)
def test_nonsense_is_400_and_the_end_of_the_connection(wire, nonsense):
    wire.sendall(nonsense)
    data = b""
    try:
        while piece := wire.recv(65536):
            data += piece
    except ConnectionResetError:
        pass

    assert data.startswith(b"HTTP/1.1 400") or not data
