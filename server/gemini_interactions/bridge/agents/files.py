"""Files of agents: what lies in the environment of a run, and one of them fetched."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from ...domain.agent_environments import EnvironmentFile
from ...domain.artifact import ArtifactKind
from ...domain.errors import BadArgument, Gone, Refused
from ...domain.ids import read_id
from ...domain.types import Artifact, Turn
from ...interactions.json_values import as_text
from ..requests import Caller
from ..runtime import Runtime

GONE = (
    "That environment is gone at Google, with its files: one is kept for 7 days after its last "
    "use. What was fetched before is still here."
)
NOT_YET = (
    "Google shows no files of this environment yet: it takes a snapshot once the run rests, which "
    "may take some 15 minutes. Call gemini_agent_files again later."
)


@dataclass(frozen=True, slots=True)
class FileListing:
    """What a folder of an environment holds."""

    turn: Turn
    environment_id: str
    path: str
    files: Sequence[EnvironmentFile]


@dataclass(frozen=True, slots=True)
class FetchedFile:
    """A file that was fetched, and where a copy was put."""

    turn: Turn
    environment_id: str
    source: str
    file: Artifact
    saved: Mapping[str, str] | None = None
    """The `path` of the copy, and its `name` from the allowed folder on."""


class AgentFiles:
    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._gemini = runtime.gemini

    async def look(
        self, caller: Caller, id: str, path: str, save_to: str
    ) -> FileListing | FetchedFile:
        """List a folder of the environment of a run, or fetch the file that `path` names."""
        turn, environment = await self._environment(caller.owner, id)
        path = path.strip().removeprefix("./").strip("/")
        if path and (why := self._runtime.files.trouble(path)):
            raise BadArgument(f"'{path[:80]}' is not fetched: {why}.")
        if save_to and not path:
            raise BadArgument("`save_to` needs a `path`: the file to fetch.")
        found = await self._found(environment, path, turn)
        is_file = [each.path.strip("/") for each in found] == [path] and found[0].is_file
        if not path or not is_file:
            if save_to:
                raise BadArgument(f"'{path[:80]}' is a folder. Name one file in it with `path`.")
            return FileListing(turn, environment, path, found)
        if save_to:
            await self._runtime.attachments.check_target(save_to)
        file = await self._fetched(turn, environment, path)
        saved = None
        if save_to:
            saved = await self._runtime.attachments.save(
                caller.owner, file.id, save_to, ArtifactKind.AGENT_FILE
            )
        return FetchedFile(turn, environment, path, file, saved)

    async def _environment(self, owner: str, id: str) -> tuple[Turn, str]:
        """The environment of a run, or of the nearest one before the turn that is named."""
        turn = await self._runtime.resolver.find(owner, read_id(id))
        lineage = await self._runtime.store.lineage(owner, turn.conversation_id, turn.n)
        for each in (turn, *lineage):
            if each.kind == "agent" and (found := as_text(each.extra.get("environment_id"))):
                return each, found
        raise BadArgument(
            f"{turn.id} has no environment: no agent has run there. gemini_history with kind "
            '"agents" lists the runs of agents.'
        )

    async def _found(self, environment: str, path: str, turn: Turn) -> Sequence[EnvironmentFile]:
        try:
            return await self._gemini.environments.files(environment, path)
        except Gone:
            pass
        # Google says 404 of an environment, its snapshot and a path alike.
        try:
            known = await self._gemini.environments.environment(environment)
            if known.get("status") == "expired":
                raise Refused(GONE)
            await self._gemini.environments.files(environment)
        except Gone as gone:
            is_gone = "environment" in gone.said.lower() and turn.is_final
            raise Refused(GONE if is_gone else NOT_YET) from None
        raise BadArgument(
            f"There is no '{path[:80]}' in this environment. gemini_agent_files without `path` "
            "lists what there is."
        )

    async def _fetched(self, turn: Turn, environment: str, path: str) -> Artifact:
        async def fetch(write: Callable[[bytes], Awaitable[None]]) -> None:
            await self._gemini.environments.download(environment, path, write)

        file = await self._runtime.files.keep_agent_file(fetch, path)
        return await self._runtime.store.add_handle(
            turn.owner,
            ArtifactKind.AGENT_FILE,
            turn.conversation_id,
            turn.n,
            now=self._runtime.now(),
            facts={
                "path": file.path,
                "mime_type": file.mime_type,
                "bytes": file.bytes,
                "source": path,
                "number": 1,
            },
        )
