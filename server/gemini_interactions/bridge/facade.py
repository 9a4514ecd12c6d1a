"""The bridge as a whole: its nouns, each given what it needs of the others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .artifact_repository import ArtifactRepository
from .attachments import AttachmentLoader, Attachments
from .builtin_tool_policy import BuiltinToolPolicy
from .file_store import FileStore
from .ports import Gemini, Store
from .research.poller import ResearchPoller
from .research.service import Researches
from .turns.executor import TurnExecutor
from .turns.handlers.conversation import Conversations
from .turns.handlers.image import Images
from .turns.retry_policy import Policy
from .turns.session_registry import SessionRegistry
from .turns.submission import TurnSubmission
from .turns.turn_resolver import TurnResolver
from .usage_budget import UsageBudget


@dataclass(frozen=True, slots=True)
class Bridge:
    """What tools talk to, by noun."""

    conversations: Conversations
    researches: Researches
    images: Images
    gallery: ArtifactRepository
    costs: UsageBudget


def build_bridge(
    store: Store,
    gemini: Gemini,
    workshop: TurnExecutor,
    gallery: ArtifactRepository,
    costs: UsageBudget,
    shelf: FileStore,
    porter: AttachmentLoader,
    policy: Policy,
    now: Callable[[], float],
) -> Bridge:
    """Everything put together; `now` is the wall clock, in epoch seconds."""
    sessions = SessionRegistry(store, policy, now)
    places = TurnResolver(store, sessions, foreign_ids=not policy.authenticated)
    toolbox = BuiltinToolPolicy(policy.remote_hosts, may_name_stores=not policy.authenticated)
    desk = TurnSubmission(store, gemini, workshop, sessions, costs, policy, now)
    attachments = Attachments(
        store,
        gemini,
        gallery,
        porter,
        now,
        authenticated=policy.authenticated,
        patience=policy.upstream_timeout,
        sleep=workshop.sleep,
    )
    watching = ResearchPoller(store, gemini, workshop, gallery, shelf, policy, now)
    return Bridge(
        Conversations(store, workshop, desk, places, toolbox, attachments, policy, now),
        Researches(
            store,
            workshop,
            desk,
            places,
            sessions,
            toolbox,
            attachments,
            watching,
            gallery,
            policy,
            now,
        ),
        Images(store, workshop, desk, places, attachments, gallery, policy, now),
        gallery,
        costs,
    )
