"""Artifacts: what has an id of its own besides its turn's, as one table of kinds."""

from __future__ import annotations

from enum import StrEnum


class ArtifactKind(StrEnum):
    """A kind of artifact: how its ids begin, and what lists call it.

    `listed` is the `kind` that gemini_history takes; `noun` and `nouns` are for sentences.
    """

    prefix: str
    listed: str
    noun: str
    nouns: str

    RESEARCH = "research", "r", "research", "research", "researches"
    IMAGE = "image", "i", "images", "image", "images"
    AUDIO = "audio", "a", "audio", "audio file", "audio files"
    VIDEO = "video", "v", "video", "video", "videos"
    AGENT_FILE = "agent_file", "f", "agents", "file of an agent", "files of agents"

    def __new__(cls, value: str, prefix: str, listed: str, noun: str, nouns: str) -> ArtifactKind:
        kind = str.__new__(cls, value)
        kind._value_ = value
        kind.prefix, kind.listed, kind.noun, kind.nouns = prefix, listed, noun, nouns
        return kind

    @property
    def is_file(self) -> bool:
        """Whether it is a file Gemini made, in a folder of ours."""
        return self is not ArtifactKind.RESEARCH


BY_NAME = {kind.value: kind for kind in ArtifactKind}
BY_PREFIX = {kind.prefix: kind for kind in ArtifactKind}
BY_LIST = {kind.listed: kind for kind in ArtifactKind}
FILE_KINDS = tuple(kind for kind in ArtifactKind if kind.is_file)
