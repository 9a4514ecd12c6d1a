"""What the lists of gemini_history say of each kind: its nouns, how to make one, how to use one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

from ...domain.artifact import ArtifactKind


@dataclass(frozen=True, slots=True)
class ListingTexts:
    """`one` and `many` are nouns; `start` and `use` are sentences for the end of a list."""

    one: str
    many: str
    start: str
    use: str


def of(kind: ArtifactKind | None) -> ListingTexts:
    """The words for the list of this kind; None is the list of conversations."""
    match kind:
        case None:
            return ListingTexts(
                "conversation",
                "conversations",
                "Start one with gemini_ask.",
                "Continue one with gemini_continue, read one with gemini_history and its id.",
            )
        case ArtifactKind.RESEARCH:
            return ListingTexts(
                kind.noun,
                kind.nouns,
                "Start one with start_deep_research.",
                "Read one with check_research, ask about it with gemini_continue and its id.",
            )
        case ArtifactKind.IMAGE:
            return ListingTexts(
                kind.noun,
                kind.nouns,
                "Make one with gemini_generate_image.",
                "See one with gemini_result, edit it with gemini_generate_image and its id.",
            )
        case ArtifactKind.AUDIO:
            return ListingTexts(
                kind.noun,
                kind.nouns,
                "Make one with gemini_generate_speech or gemini_generate_music.",
                "gemini_result says where one is; ask about one with its id in `files`.",
            )
        case ArtifactKind.VIDEO:
            return ListingTexts(
                kind.noun,
                kind.nouns,
                "Make one with gemini_generate_video.",
                "gemini_result says where one is, gemini_generate_video edits it by its id.",
            )
        case ArtifactKind.AGENT_FILE:  # listed by the run that made them
            return ListingTexts(
                "run of an agent",
                "runs of agents",
                "Start one with gemini_run_agent.",
                "gemini_result reads one, gemini_agent_files its files, gemini_run_agent goes on.",
            )
        case unknown:
            assert_never(unknown)
