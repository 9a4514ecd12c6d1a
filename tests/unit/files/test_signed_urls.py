"""Links to images: who has one may fetch that one image, for a day."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
import stat
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemini_interactions.files.output.signed_urls import FILE, VALID, Links, signing_key
from gemini_interactions.files.path_sandbox import dir_fd

KEY = b"k" * 32
NOW = 1_764_000_000.5
IMAGE, OTHER = "i_4k9x2m7q0z", "i_4k9x2m7q0y"


@pytest.fixture
def links() -> Links:
    return Links(KEY)


def test_a_ticket_opens_its_image_for_a_day(links: Links) -> None:
    ticket = links.ticket("anna", IMAGE, NOW)

    assert links.owner(IMAGE, ticket, NOW) == "anna"
    assert links.owner(IMAGE, ticket, NOW + VALID - 1) == "anna"
    assert links.owner(IMAGE, ticket, NOW + VALID + 1) is None


def test_a_ticket_opens_no_other_image(links: Links) -> None:
    assert links.owner(OTHER, links.ticket("anna", IMAGE, NOW), NOW) is None


def test_a_ticket_of_another_key_opens_nothing(links: Links) -> None:
    assert links.owner(IMAGE, Links(b"x" * 32).ticket("anna", IMAGE, NOW), NOW) is None


def test_another_signature_made_with_the_same_key_opens_nothing(links: Links) -> None:
    owner, until, _ = links.ticket("anna", IMAGE, NOW).split(".")

    for key in (KEY, hashlib.sha256(KEY).digest()):
        plain = hmac.digest(key, "\0".join(("anna", IMAGE, until)).encode(), "sha256")
        forged = base64.urlsafe_b64encode(plain).decode().rstrip("=")
        assert links.owner(IMAGE, f"{owner}.{until}.{forged}", NOW) is None


@given(st.text(max_size=30), st.data())
def test_no_letter_of_a_ticket_can_be_changed(owner: str, data: st.DataObject) -> None:
    links = Links(KEY)
    try:
        ticket = links.ticket(owner, IMAGE, NOW)
    except UnicodeEncodeError:
        return
    at = data.draw(st.integers(0, len(ticket) - 1))
    letter = data.draw(st.sampled_from("AZaz09-_.=%/é\0"))
    changed = ticket[:at] + letter + ticket[at + 1 :]

    assert changed == ticket or links.owner(IMAGE, changed, NOW) is None


@given(st.text(max_size=80), st.text(max_size=20))
def test_no_words_whatever_open_or_break_anything(ticket: str, image_id: str) -> None:
    assert Links(KEY).owner(image_id, ticket, NOW) is None


def test_a_ticket_is_safe_in_a_url_and_short(links: Links) -> None:
    ticket = links.ticket("team/anna müller@example.com", IMAGE, NOW)

    assert re.fullmatch(r"[A-Za-z0-9_.-]+", ticket)
    assert len(ticket) < 120
    assert links.owner(IMAGE, ticket, NOW) == "team/anna müller@example.com"


def test_a_key_that_could_be_guessed_is_no_key() -> None:
    with pytest.raises(ValueError, match="at least 16 bytes"):
        Links(b"short")


def test_the_key_is_made_once_and_kept(tmp_path: Path) -> None:
    key = signing_key(tmp_path)

    assert len(key) == 32
    assert signing_key(tmp_path) == key
    assert [each.name for each in tmp_path.iterdir()] == [FILE]


@pytest.mark.skipif(os.name == "nt", reason="no permissions of that kind")
def test_the_key_is_for_its_owner_only(tmp_path: Path) -> None:
    mask = os.umask(0)
    try:
        signing_key(tmp_path)
    finally:
        os.umask(mask)

    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600


@pytest.mark.skipif(os.name == "nt", reason="no permissions of that kind")
def test_a_key_that_others_could_read_is_replaced(tmp_path: Path) -> None:
    known = signing_key(tmp_path)
    (tmp_path / FILE).chmod(0o644)

    assert signing_key(tmp_path) != known
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600


@pytest.mark.parametrize("damage", ["", "abc", "zz" * 32, "00" * 8, "é" * 32])
def test_a_damaged_key_is_replaced(tmp_path: Path, damage: str) -> None:
    signing_key(tmp_path)
    (tmp_path / FILE).write_text(damage, "utf-8")

    assert len(signing_key(tmp_path)) == 32


def test_processes_that_need_a_key_at_once_agree_on_one(tmp_path: Path) -> None:
    found: list[bytes] = []
    start = threading.Barrier(8)

    def need() -> None:
        start.wait()
        found.append(signing_key(tmp_path))

    threads = [threading.Thread(target=need) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(found) == 8
    assert len(set(found)) == 1


def test_a_folder_that_takes_no_key_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError

    monkeypatch.setattr(dir_fd.OpenDirectory, "new_file", refuse)

    with pytest.raises(OSError):  # noqa: PT011  any: the caller turns it into a setting's error
        signing_key(tmp_path)
