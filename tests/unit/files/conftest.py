from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from gemini_interactions.files.path_sandbox import dir_fd
from gemini_interactions.files.path_sandbox.allowed_dirs import Folders

CANARY = "canary-7f3a91c2e5"


@dataclass(frozen=True)
class SandboxDirs:
    """A folder that is allowed, and beside it one that is not, where the canary lives."""

    inside: Path
    outside: Path

    @classmethod
    def create(cls, where: Path) -> SandboxDirs:
        where = Path(os.path.realpath(where))
        dirs = cls(where / "inside", where / "outside")
        for folder in (dirs.inside, dirs.outside):
            (folder / "sub" / "deep").mkdir(parents=True)
            secret = folder == dirs.outside
            for name in ("a.txt", "sub/b.txt", "sub/deep/c.txt", "sub/é.txt"):
                (folder / name).write_text(CANARY if secret else f"inside {name}", "utf-8")
        (dirs.outside / "sub" / f"{CANARY}.txt").write_text(CANARY)
        return dirs

    def folders(self) -> Folders:
        return Folders([self.inside], working=self.inside, home=self.inside.parent / "home")

    def link(self, name: str, target: str | Path) -> None:
        (self.inside / name).symlink_to(target)


@pytest.fixture(params=["held", "checked"])
def confinement(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """How folders are kept from being swapped: by handle, or (Windows) by asking afterwards."""
    if request.param == "held" and not dir_fd.CAN_HOLD:
        pytest.skip("this system has no descriptors of folders")
    monkeypatch.setattr(dir_fd, "CAN_HOLD", request.param == "held")
    return str(request.param)


@pytest.fixture
def dirs(tmp_path: Path) -> SandboxDirs:
    return SandboxDirs.create(tmp_path)


@pytest.fixture
def inside(dirs: SandboxDirs) -> Path:
    return dirs.inside


@pytest.fixture
def folders(dirs: SandboxDirs) -> Folders:
    return dirs.folders()
