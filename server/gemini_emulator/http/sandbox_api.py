"""Agents and environments as requests: custom agents, sandboxes, and the files in them."""

from typing import TYPE_CHECKING

from ..api_errors import ApiError
from ..responders.scripted_answer import Json

if TYPE_CHECKING:
    from .request_handler import RequestHandler

_PAGE = 100


class SandboxApi:
    """One visit about agents, environments or their files."""

    def __init__(self, handler: "RequestHandler") -> None:
        self._handler = handler
        self._service = handler.service
        self._method = handler.exchange.method
        self._rest = handler.rest

    async def run(self) -> None:
        await self._handler.sleep(self._handler.plan.delay.seconds)
        await self._handler.gate("before_response")
        if self._handler.noun == "agents":
            await self._handler.show(self._agents())
            return
        id, slash, path = self._rest.partition("/files")
        if slash and self._method == "GET":
            await self._file(id, path.removeprefix("/"))
            return
        await self._handler.show(self._environments())

    def _agents(self) -> Json:
        with self._service.lock:
            match self._method, self._rest:
                case "GET", "":
                    agents = self._service.custom_agents.all
                    built_in = [n for n in self._service.agents if n not in agents]
                    found = [*({"id": name} for name in built_in), *agents.values()]
                    return self._page("agents", found)
                case "POST", "":
                    return self._service.create_agent(self._handler.body)
                case "GET", id if id in self._service.agents:
                    return self._service.custom_agents.all.get(id, {"id": id})
                case "DELETE", id if id:
                    self._service.delete_agent(id)
                    return {}
        raise ApiError(404)

    def _environments(self) -> Json:
        with self._service.lock:
            environments = self._service.environments
            match self._method, self._rest:
                case "GET", "":
                    return self._page("environments", environments.everything())
                case "GET", id:
                    return environments.look(id).public(self._service.now())
                case "POST", "":
                    body = self._handler.body if isinstance(self._handler.body, dict) else {}
                    made = environments.prepare({**body, "type": "remote"})
                    return made.public(self._service.now())
                case "DELETE", id if id:
                    environments.delete(id)
                    return {}
        raise ApiError(404)

    async def _file(self, id: str, path: str) -> None:
        query = self._handler.request.query
        for interaction in self._service.interactions.values():
            self._service.settle(interaction)
        if query.get("alt") == "media":
            with self._service.lock:
                data, mime_type = self._service.environments.content(id, path)
            self._handler.answered(200)
            await self._handler.exchange.respond(200, data, mime_type)
            return
        recursive = query.get("recursive") == "true"
        with self._service.lock:
            found = self._service.environments.listed(id, path, recursive=recursive)
        await self._handler.show(self._page("files", found))

    def _page(self, noun: str, found: list[Json]) -> Json:
        query = self._handler.request.query
        start = int(query.get("page_token") or 0)
        size = min(int(query.get("page_size") or _PAGE), 1000)
        page: Json = {noun: found[start : start + size]}
        if start + size < len(found):
            page["next_page_token"] = str(start + size)
        return page
