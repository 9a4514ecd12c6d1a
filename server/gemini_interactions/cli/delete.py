"""`delete`: one conversation, here and at Google, with the files that were made in it."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path

import anyio

from ..bridge.ports import Store
from ..components import gemini
from ..config.settings import Config
from ..domain.errors import Gone, Refused, UpstreamError
from ..domain.types import Turn
from . import store_access


def run(config: Config, id: str, is_sure: bool) -> int:
    return anyio.run(_run, config, id, is_sure)


async def _run(config: Config, id: str, is_sure: bool) -> int:
    async with store_access.opened(config) as store:
        name = await _named(store, id)
        turns = await store.turns(store_access.OWNER, name)
        running = [turn for turn in turns if not turn.is_final]
        if running:
            raise Refused(
                f"{running[0].id} is still running. Wait until it is done, or start a server "
                "once, which picks up what was left; then delete it."
            )
        files = await _files(config, store, name, turns)
        if not is_sure and not _confirmed(name, turns, files):
            print("Nothing was deleted.")
            return 1
        # Google first: once its ids are forgotten here, nobody could tell it any more.
        environments = await store.environments.of_conversation(store_access.OWNER, name)
        left = await _delete_at_google(config, turns, [each.id for each in environments])
        for each in environments:
            if not any(each.id in ids for ids in left.values()):
                await store.environments.forget(store_access.OWNER, each.id)
        await store.delete_conversation(store_access.OWNER, name)
    kept = [file for file in files if not _is_removed(file)]
    print(f"Deleted {name} here{'' if left else ' and at Google'}.")
    for why, ids in left.items():
        print(f"Not deleted at Google: {', '.join(ids)}. {why}", file=sys.stderr)
    for file in kept:
        print(f"Not deleted, since it could not be: {file}", file=sys.stderr)
    return 1 if left or kept else 0


async def _named(store: Store, text: str) -> str:
    """The conversation to delete; what is only a part of one is not enough said."""
    id, name = await store_access.conversation_of(store, text)
    if id.kind != "conversation":
        raise Refused(f"{id} is part of {name}, and only whole conversations are deleted.")
    return name


def _confirmed(name: str, turns: Sequence[Turn], files: Sequence[Path]) -> bool:
    if not sys.stdin.isatty():
        raise Refused("Nobody is here to confirm it. Pass --yes to delete without being asked.")
    prompt = " ".join(turns[0].prompt.split())[:60] if turns else ""
    made = f" and {len(files)} file{'s' * (len(files) != 1)}" if files else ""
    about = store_access.printed(prompt)
    told = f'{name} ("{about}", {len(turns)} turn{"s" * (len(turns) != 1)}{made})'
    try:
        answer = input(f"Delete {told} here and at Google? [y/N] ")
    except EOFError:
        return False
    return answer.strip().lower() in ("y", "yes")


async def _delete_at_google(
    config: Config, turns: Iterable[Turn], environments: Iterable[str]
) -> dict[str, list[str]]:
    """What could not be deleted there, by the reason why."""
    left: dict[str, list[str]] = {}
    google = gemini(config)
    try:
        for id in dict.fromkeys(id for turn in turns for id in _interactions(turn)):
            await _deleted(google.delete, id, left)
        for id in environments:
            await _deleted(google.environments.delete_environment, id, left)
    finally:
        await google.aclose()
    return left


async def _deleted(
    delete: Callable[[str], Awaitable[None]], id: str, left: dict[str, list[str]]
) -> None:
    """Delete one thing at Google; what is gone there already is no trouble."""
    try:
        await delete(id)
    except Gone:
        pass
    except UpstreamError as problem:
        left.setdefault(problem.message, []).append(id)
    except Refused as refusal:
        left.setdefault(str(refusal), []).append(id)


def _interactions(turn: Turn) -> list[str]:
    """Google's ids of a turn; where it took several interactions, all of them."""
    return [id for id in (*turn.extra.get("passed", ()), turn.interaction_id) if id]


async def _files(config: Config, store: Store, name: str, turns: Sequence[Turn]) -> list[Path]:
    """The files made in a conversation: long texts, reports, images; none outside our folders."""
    texts = config.data_dir / "texts"
    paths = {texts / f"{name}.md", *texts.glob(f"{name}-*.md")}
    for turn in turns:
        paths.add(Path(str(turn.extra.get("path") or texts)))
        paths |= {
            Path(str(each.facts.get("path") or texts)) for each in await store.handles_of(turn)
        }
    ours = [each.resolve() for each in (config.data_dir, config.images_dir)]
    return sorted(
        path
        for path in paths
        if path.is_file() and any(path.resolve().is_relative_to(folder) for folder in ours)
    )


def _is_removed(file: Path) -> bool:
    try:
        file.unlink(missing_ok=True)
    except OSError:
        return False
    return True
