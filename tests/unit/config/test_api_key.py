"""The key: found where it is, kept for one user only, and never shown."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from gemini_interactions.config.api_key import BadKey, BadKeyFile, find_key, save_key

KEY = "AIza-made-up_for.tests"


def test_googles_name_beats_ours_as_it_does_in_the_sdk(tmp_path: Path) -> None:
    environ = {"GEMINI_API_KEY": "gemini-one", "GOOGLE_API_KEY": "google-one"}

    assert find_key(environ, tmp_path) == "google-one"


def test_the_environment_beats_the_file(tmp_path: Path) -> None:
    save_key(tmp_path, KEY)

    assert find_key({"GEMINI_API_KEY": " from-host "}, tmp_path) == "from-host"


@pytest.mark.parametrize("nothing", ["", " ", "${GEMINI_API_KEY}", "${env:GEMINI_API_KEY}"])
def test_what_a_host_left_unfilled_is_no_key(nothing: str, tmp_path: Path) -> None:
    environ = {"GEMINI_API_KEY": nothing, "GOOGLE_API_KEY": nothing}

    assert find_key(environ, tmp_path) == ""

    save_key(tmp_path, KEY)
    assert find_key(environ, tmp_path) == KEY


def test_a_missing_data_folder_is_no_key(tmp_path: Path) -> None:
    assert find_key({}, tmp_path / "nowhere") == ""


def test_a_saved_key_is_for_this_user_only(tmp_path: Path) -> None:
    folder = tmp_path / "data"

    file = save_key(folder, f"  {KEY}\n")

    assert find_key({}, folder) == KEY
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert [each.name for each in folder.iterdir()] == ["key"]


def test_a_key_saved_while_the_server_runs_is_found_at_once(tmp_path: Path) -> None:
    assert find_key({}, tmp_path) == ""
    save_key(tmp_path, KEY)
    assert find_key({}, tmp_path) == KEY
    save_key(tmp_path, KEY.upper())  # same length, maybe the same instant
    assert find_key({}, tmp_path) == KEY.upper()
    (tmp_path / "key").unlink()
    assert find_key({}, tmp_path) == ""


def test_an_unchanged_file_is_not_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_key(tmp_path, KEY)
    find_key({}, tmp_path)
    monkeypatch.setattr(
        "gemini_interactions.config.api_key._read", lambda _: pytest.fail("read again")
    )

    assert find_key({}, tmp_path) == KEY


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such permissions")
@pytest.mark.parametrize("permissions", [0o644, 0o640, 0o604])
def test_a_key_file_open_to_others_is_not_used_even_after_it_was(
    permissions: int, tmp_path: Path
) -> None:
    file = save_key(tmp_path, KEY)
    find_key({}, tmp_path)
    file.chmod(permissions)

    with pytest.raises(BadKeyFile, match="can be read by other users") as refused:
        find_key({}, tmp_path)

    assert KEY not in str(refused.value)
    assert str(tmp_path) not in str(refused.value)
    save_key(tmp_path, KEY)
    assert find_key({}, tmp_path) == KEY


@pytest.mark.parametrize("held", ["two words", "GEMINI_API_KEY=abcdefgh", "kéy-kéy-kéy", "x" * 600])
def test_a_key_file_that_holds_something_else_is_not_used(held: str, tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(held, "utf-8")
    file.chmod(0o600)

    with pytest.raises(BadKeyFile, match="does not hold a key"):
        find_key({}, tmp_path)


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "   ",
        "${GEMINI_API_KEY}",
        "two words",
        "a\nb-c-d-e-f",
        "kéy-kéy-kéy",
        "short",
        "GEMINI_API_KEY=abcdefgh",
        "YOUR_API_KEY",
        "x" * 513,
        "nul\0nul",
    ],
)
def test_what_cannot_be_a_key_is_not_saved_nor_repeated(wrong: str, tmp_path: Path) -> None:
    with pytest.raises(BadKey) as refused:
        save_key(tmp_path, wrong)

    assert not wrong.strip() or wrong not in str(refused.value)
    assert not (tmp_path / "key").exists()
