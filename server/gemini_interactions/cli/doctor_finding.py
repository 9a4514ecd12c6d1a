"""Findings: what `doctor` says of one thing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "note", "skip", "FAIL"]


@dataclass(frozen=True, slots=True)
class Finding:
    state: State
    what: str
    words: str

    def __str__(self) -> str:
        return f"{self.state:<5} {self.what:<9} {self.words}"
