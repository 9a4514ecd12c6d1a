"""Agents that clients define: a base agent with instructions, tools and an environment."""

import re

from ..api_errors import ApiError, invalid, missing
from ..json_types import Json

FIELDS = frozenset(
    [
        "agent_config",
        "base_agent",
        "base_environment",
        "description",
        "id",
        "system_instruction",
        "tools",
    ]
)
_ID = re.compile(r"[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?")


class CustomAgents:
    """The agents of this key, by id; `bases` are the agents that can be extended."""

    def __init__(self, bases: tuple[str, ...]) -> None:
        self._bases = bases
        self.all: dict[str, Json] = {}

    def create(self, body: object) -> Json:
        if not isinstance(body, dict):
            raise invalid("The request body must be a JSON object.")
        for name in body:
            if name not in FIELDS:
                raise ApiError(400, f"Unknown parameter '{name}'.", "parameter_unknown")
        id = body.get("id")
        if not isinstance(id, str) or not _ID.fullmatch(id):
            raise invalid("Invalid value at 'id'.")
        if body.get("base_agent") not in self._bases:
            raise invalid(f"The base agent '{body.get('base_agent')}' is not supported.")
        if id in self.all or id in self._bases:
            raise ApiError(409, f"The agent '{id}' already exists.", "already_exists")
        for name, kind in (("system_instruction", str), ("description", str), ("tools", list)):
            if body.get(name) is not None and not isinstance(body[name], kind):
                raise invalid(f"Invalid value at '{name}'.")
        self.all[id] = dict(body)
        return self.all[id]

    def get(self, id: str) -> Json:
        if id not in self.all:
            raise missing()
        return self.all[id]

    def delete(self, id: str) -> None:
        self.get(id)
        del self.all[id]
