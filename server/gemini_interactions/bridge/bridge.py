"""The bridge as a whole: its nouns, each given what it needs of the others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .attachments import Attachments, Porter
from .conversations import Conversations
from .costs import Costs
from .desk import Desk
from .gallery import Gallery
from .images import Images
from .patience import Policy
from .places import Places
from .ports import Gemini, Store
from .research import Researches
from .sessions import Sessions
from .shelf import Shelf
from .toolbox import Toolbox
from .watching import Watching
from .workshop import Workshop


@dataclass(frozen=True, slots=True)
class Bridge:
    """What tools talk to, by noun."""

    conversations: Conversations
    researches: Researches
    images: Images
    gallery: Gallery
    costs: Costs


def bridge(
    store: Store,
    gemini: Gemini,
    workshop: Workshop,
    gallery: Gallery,
    costs: Costs,
    shelf: Shelf,
    porter: Porter,
    policy: Policy,
    now: Callable[[], float],
) -> Bridge:
    """Everything put together; `now` is the wall clock, in epoch seconds."""
    sessions = Sessions(store, policy, now)
    places = Places(store, sessions, foreign_ids=not policy.authenticated)
    toolbox = Toolbox(policy.remote_hosts, may_name_stores=not policy.authenticated)
    desk = Desk(store, gemini, workshop, sessions, costs, policy, now)
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
    watching = Watching(store, gemini, workshop, gallery, shelf, policy, now)
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
