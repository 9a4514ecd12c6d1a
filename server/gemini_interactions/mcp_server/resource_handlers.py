"""Handlers of resources, prompts and completions, whose lists never change while a server runs."""

from __future__ import annotations

import base64
import logging
from collections.abc import AsyncIterator, Container
from contextlib import asynccontextmanager

import mcp_types as types
from mcp.shared.exceptions import MCPError

from ..app import App
from ..domain.errors import BadArgument, Refused, UnknownId, UpstreamError
from . import request_context
from .apps import extension
from .prompts import PROMPTS
from .request_context import Context
from .resources import KINDS, MOST, Complete, Reader, ResourceKind

log = logging.getLogger(__name__)


class ResourceHandlers:
    """Handlers of one server; `offered` are the names of its tools."""

    def __init__(self, app: App, offered: Container[str]) -> None:
        self._app = app
        self._prompts = {each.name: each for each in PROMPTS if each.tool in offered}
        self._kinds = [
            each for each in KINDS if not each.toolset or each.toolset in app.config.toolsets
        ]
        self._views = extension.views(app.config.toolsets)

    async def list_resources(
        self, context: Context, _params: types.PaginatedRequestParams | None
    ) -> types.ListResourcesResult:
        listed = [kind.listed for kind in self._kinds if not kind.is_template]
        if extension.is_declared(context):
            listed += [view.listed for view in self._views]
        return types.ListResourcesResult(resources=listed)

    async def list_templates(
        self, _context: Context, _params: types.PaginatedRequestParams | None
    ) -> types.ListResourceTemplatesResult:
        listed = [kind.template for kind in self._kinds if kind.is_template]
        return types.ListResourceTemplatesResult(resource_templates=listed)

    async def read_resource(
        self, context: Context, params: types.ReadResourceRequestParams
    ) -> types.ReadResourceResult:
        view = extension.view_at(params.uri)
        if view is not None and view in self._views:
            return types.ReadResourceResult(contents=[extension.contents(view)])
        for kind in self._kinds:
            id = kind.id_in(params.uri)
            if id is not None:
                async with _mapped_errors(uri=params.uri):
                    content = await kind.read(self._reader(context), id)
                return types.ReadResourceResult(contents=[_contents(kind, params.uri, content)])
        raise _unknown(params.uri, "There is no such resource here.")

    async def list_prompts(
        self, _context: Context, _params: types.PaginatedRequestParams | None
    ) -> types.ListPromptsResult:
        return types.ListPromptsResult(prompts=[each.listed for each in self._prompts.values()])

    async def get_prompt(
        self, _context: Context, params: types.GetPromptRequestParams
    ) -> types.GetPromptResult:
        prompt = self._prompts.get(params.name)
        if prompt is None:
            raise self._no_prompt(params.name)
        async with _mapped_errors():
            text = prompt.filled_in(params.arguments or {})
        message = types.PromptMessage(role="user", content=types.TextContent(text=text))
        return types.GetPromptResult(description=prompt.description, messages=[message])

    async def complete(
        self, context: Context, params: types.CompleteRequestParams
    ) -> types.CompleteResult:
        complete = self._completion(params.ref, params.argument.name)
        found: list[str] = []
        if complete is not None:
            async with _mapped_errors():
                found = await complete(self._reader(context), params.argument.value)
        shown = types.Completion(values=found[: MOST - 1], has_more=len(found) >= MOST)
        return types.CompleteResult(completion=shown)

    def _completion(
        self, ref: types.ResourceTemplateReference | types.PromptReference, argument: str
    ) -> Complete | None:
        if isinstance(ref, types.PromptReference):
            prompt = self._prompts.get(ref.name)
            if prompt is None:
                raise self._no_prompt(ref.name)
            return prompt.completion(argument)
        kind = next((each for each in self._kinds if each.address == ref.uri), None)
        if kind is None:
            raise _unknown(ref.uri, "There is no such resource template here.")
        return kind.complete if argument == "id" else None

    def _no_prompt(self, name: str) -> MCPError:
        known = ", ".join(self._prompts) or "none"
        return MCPError(types.INVALID_PARAMS, f"Unknown prompt: {name[:40]}. There are: {known}.")

    def _reader(self, context: Context) -> Reader:
        return Reader(request_context.owner(context), self._app)


def _contents(
    kind: ResourceKind, uri: str, content: str | bytes
) -> types.TextResourceContents | types.BlobResourceContents:
    if isinstance(content, str):
        return types.TextResourceContents(uri=uri, mime_type=kind.mime_type, text=content)
    blob = base64.b64encode(content).decode()
    return types.BlobResourceContents(uri=uri, mime_type=kind.mime_type, blob=blob)


def _unknown(uri: str, message: str) -> MCPError:
    return MCPError(types.INVALID_PARAMS, message, data={"uri": uri})


@asynccontextmanager
async def _mapped_errors(uri: str = "") -> AsyncIterator[None]:
    """Whatever goes wrong is told in the protocol's numbers and our words."""
    try:
        yield
    except (UnknownId, BadArgument) as wrong:
        if uri:
            raise _unknown(uri, str(wrong)) from None
        raise MCPError(types.INVALID_PARAMS, str(wrong)) from None
    except Refused as refusal:
        raise MCPError(types.INTERNAL_ERROR, str(refusal)) from None
    except UpstreamError as problem:
        raise MCPError(types.INTERNAL_ERROR, problem.message) from None
    except Exception:
        log.exception("the catalogue failed")
        raise MCPError(
            types.INTERNAL_ERROR, "This server failed in a way it should not; its log says how."
        ) from None
