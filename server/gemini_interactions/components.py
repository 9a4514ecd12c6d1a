"""Components: the composition root, opened once a client has been answered.

Importing what is used here takes longer than all the rest of a start, so `app` does that
only after the handshake.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import anyio.abc

from .bridge.artifacts.artifact_repository import ArtifactRepository
from .bridge.attachments import Attachments
from .bridge.builtin_tool_policy import BuiltinToolPolicy
from .bridge.facade import Bridge, build_bridge
from .bridge.ports import Gemini, Store
from .bridge.retention import Retention
from .bridge.runtime import Resolve, Runtime
from .bridge.turns.default_conversation import DefaultConversations
from .bridge.turns.execution.executor import TurnExecutor
from .bridge.turns.history_chain import HistoryChain
from .bridge.turns.turn_resolver import TurnResolver
from .bridge.usage.usage_budget import UsageBudget
from .config.api_key import find_key, where_keys_are
from .config.data_dir import close_to_others, ensure_private_dir
from .config.normalization import given
from .config.setting_table import BadSetting
from .config.settings import Config
from .domain.client_profiles import OTHER_CLIENT
from .domain.daily_limits import DailyLimits
from .files.attachment_loader import AttachmentLoader
from .files.file_search_documents import DocumentFinder
from .files.output.file_store import FileStore
from .files.output.signed_urls import SHORTEST_KEY, Links
from .files.output.signed_urls import signing_key as kept_signing_key
from .files.path_sandbox.allowed_dirs import Folders
from .maintenance import Maintenance

SIGNING_KEY = "GEMINI_MCP_SIGNING_KEY"


@dataclass(frozen=True, slots=True)
class Components:
    """What an app works with, once its store is open."""

    store: Store
    bridge: Bridge
    executor: TurnExecutor
    maintenance: Maintenance


def build_components(
    config: Config,
    store: Store,
    gemini: Gemini,
    tasks: anyio.abc.TaskGroup,
    *,
    holder: str,
    now: Callable[[], float],
    sleep: Callable[[float], Awaitable[None]],
    resolve: Resolve | None,
) -> Components:
    """Every component, with what it needs of the others; turns run in `tasks`."""
    made = partial(_made_dir, config)
    files = FileStore(
        config.data_dir, config.images_dir, made("research"), made("media"), made("agents")
    )
    artifacts = ArtifactRepository(store, gemini, files, now, named=config.transcripts)
    sessions = DefaultConversations(store, config.max_wait_seconds or OTHER_CLIENT.time_budget, now)
    runtime = Runtime(
        config=config,
        store=store,
        gemini=gemini,
        files=files,
        artifacts=artifacts,
        attachments=Attachments(
            store,
            gemini,
            artifacts,
            _attachment_loader(config),
            now,
            authenticated=config.is_multi_owner,
            timeout=config.upstream_timeout_seconds,
            sleep=sleep,
        ),
        tools=BuiltinToolPolicy(config.remote_tools, may_name_stores=not config.is_multi_owner),
        budget=UsageBudget(store, _limits(config), now),
        sessions=sessions,
        resolver=TurnResolver(store, sessions, foreign_ids=not config.is_multi_owner),
        history=HistoryChain(store),
        holder=holder,
        now=now,
        sleep=sleep,
        resolve_redirects=resolve,
    )
    bridge = build_bridge(runtime, tasks)
    retention = Retention(store, gemini, files, config.retention_days, now)
    maintenance = Maintenance(bridge.executor, retention, config.lease_seconds / 3)
    return Components(store, bridge, bridge.executor, maintenance)


def _attachment_loader(config: Config) -> AttachmentLoader:
    """Opens what callers name, inside the allowed folders, and the files made here."""
    made_here = [
        config.images_dir,
        _made_dir(config, "research"),
        _made_dir(config, "media"),
        _made_dir(config, "agents"),
    ]
    # Among several owners a path says nothing of whose image it is: there only ids do.
    private = [config.data_dir, *(made_here if config.is_multi_owner else ())]
    folders = Folders(config.allowed_dirs, working=_working_folder(), private=private)
    return AttachmentLoader(
        folders,
        Folders(made_here),
        [config.base_url],
        most_of_change=config.max_prompt_bytes,
    )


def document_finder(config: Config) -> DocumentFinder:
    """Finds what a store of documents is filled with, by the rules of attachments."""
    private = [config.data_dir, config.images_dir]
    return DocumentFinder(Folders(config.allowed_dirs, working=_working_folder(), private=private))


def _made_dir(config: Config, name: str) -> Path:
    """For files made here that are no images: beside those where replicas share them."""
    are_apart = not config.images_dir.is_relative_to(config.data_dir)
    return (config.images_dir if config.is_shared and are_apart else config.data_dir) / name


def _working_folder() -> Path | None:
    try:
        return Path.cwd()
    except OSError:  # it was deleted under us
        return None


def _limits(config: Config) -> DailyLimits:
    return DailyLimits(config.daily_token_limit, config.daily_usd_limit)


def links(config: Config) -> Links:
    """What signs links to artifacts."""
    return Links(signing_key(config))


def signing_key(config: Config) -> bytes:
    """What links and requests are signed with: the operator's key, else one kept in the data
    folder."""
    key = given(os.environ.get(SIGNING_KEY)).encode("utf-8", "surrogateescape")
    if key and len(key) < SHORTEST_KEY:
        raise BadSetting(f"GEMINI_MCP_SIGNING_KEY must have at least {SHORTEST_KEY} characters.")
    try:
        return key or kept_signing_key(ensure_private_dir(config.data_dir))
    except OSError:
        raise BadSetting(
            "The data folder cannot keep a key for links. Choose one that this user can write to "
            "with GEMINI_MCP_DATA_DIR (--data-dir), or set GEMINI_MCP_SIGNING_KEY."
        ) from None


def _other_version(config: Config) -> str:
    """The version of the API to try where the usual one lacks a model; "" where one was chosen."""
    from .gemini.sdk.sdk_loader import is_enterprise

    is_usual = config.api_version == "v1" and not config.is_api_version_set
    return "v1beta" if is_usual and not is_enterprise() else ""


def gemini(config: Config) -> Gemini:
    from .gemini.client import Gemini as Client

    # google-genai reads variables of its own, and takes a literal `${…}` for an address.
    for name, value in list(os.environ.items()):
        if name.startswith("GOOGLE_") and value and not given(value):
            del os.environ[name]
    return Client(
        key=lambda: find_key(os.environ, config.data_dir),
        base_url=config.base_url,
        api_version=config.api_version,
        # Among several owners the machine's paths are nobody's business.
        looked="" if config.tokens_file else where_keys_are(config.data_dir),
        other_version=_other_version(config),
        max_continuations=config.max_continuations,
    )


async def open_store(config: Config) -> Store:
    """The store these settings name; refuses, in words, where it cannot be opened."""
    from .store import Store as Opened  # sqlite3 costs some milliseconds

    with suppress(OSError):  # whether it can be used at all, the store says better
        close_to_others(config.data_dir)
    return await Opened.open(config.database_url)
