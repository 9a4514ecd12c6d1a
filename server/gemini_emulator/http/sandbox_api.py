"""Agents and environments as requests: custom agents, sandboxes, and the files in them."""

from ..api_errors import ApiError
from ..json_types import Json
from .request_context import SNAKE_CASE, RequestContext

_PAGE = 100


class SandboxApi:
    """One request about agents, environments or their files."""

    def __init__(self, context: RequestContext) -> None:
        self._context = context
        self._service = context.service
        self._method = context.exchange.method
        self._rest = context.rest

    async def run(self) -> None:
        await self._context.before_response()
        if self._context.noun == "agents":
            await self._context.show(self._agents())
            return
        id, slash, path = self._rest.partition("/files")
        if slash and self._method == "GET":
            await self._file(id, path.removeprefix("/"))
            return
        await self._context.show(self._environments())

    def _agents(self) -> Json:
        with self._service.lock:
            match self._method, self._rest:
                case "GET", "":
                    agents = self._service.custom_agents.all
                    built_in = [n for n in self._service.agents if n not in agents]
                    found = [*({"id": name} for name in built_in), *agents.values()]
                    return self._context.page("agents", found, _PAGE, SNAKE_CASE)
                case "POST", "":
                    return self._service.create_agent(self._context.body)
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
                    return self._context.page(
                        "environments", environments.everything(), _PAGE, SNAKE_CASE
                    )
                case "GET", id:
                    return environments.look(id).public(self._service.now())
                case "POST", "":
                    body = self._context.body if isinstance(self._context.body, dict) else {}
                    made = environments.prepare({**body, "type": "remote"})
                    return made.public(self._service.now())
                case "DELETE", id if id:
                    environments.delete(id)
                    return {}
        raise ApiError(404)

    async def _file(self, id: str, path: str) -> None:
        query = self._context.request.query
        for interaction in self._service.interactions.values():
            self._service.settle(interaction)
        if query.get("alt") == "media":
            with self._service.lock:
                data, mime_type = self._service.environments.content(id, path)
            self._context.answered(200)
            await self._context.exchange.respond(200, data, mime_type)
            return
        recursive = query.get("recursive") == "true"
        with self._service.lock:
            found = self._service.environments.listed(id, path, recursive=recursive)
        await self._context.show(self._context.page("files", found, _PAGE, SNAKE_CASE))
