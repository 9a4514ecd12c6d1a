"""Serving many clients of both protocol eras over Streamable HTTP, on one address."""

from __future__ import annotations

import ipaddress
import logging
import re
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import anyio
import uvicorn
from anyio.abc import TaskStatus
from mcp.server.transport_security import TransportSecuritySettings
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ....app import App
from ....config.setting_table import BadSetting
from ....config.settings import Config
from ....domain.errors import Refused
from ....telemetry.audit_log import AuditLog
from ...server import build
from .auth.auth_methods import Authentication, authentication, check
from .auth.token_file import Tokens
from .client_address import ClientAddresses
from .connection_limits import ConnectionLimits, protocol
from .routes.artifact_route import ArtifactRoute
from .routes.page_route import PageRoute
from .routes.signed_url_access import SignedUrlAccess
from .transport_security import AllowedHosts, TransportSecurity

if TYPE_CHECKING:
    from .routes.metrics_route import MetricsServer

log = logging.getLogger(__name__)

PATH = "/mcp"

GRACE = 5.0
"""Seconds that running calls have to finish in once we are told to stop."""
LAST_WORDS = 3.0
"""Seconds that are then left for the answers of those that have not."""
REMOVED_SECONDS = 1.0
"""How often the tokens file is looked at for the sake of requests in progress."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen: the name that was said, and the number and port it stands for."""

    name: str
    number: str
    port: int

    @classmethod
    def read(cls, text: str, flag: str = "--http") -> Address:
        """HOST:PORT or [NUMBER]:PORT; port 0 is any free one."""
        told = re.fullmatch(r"(?:\[([^\[\]\s]+)\]|([^:/\[\]\s]+)):([0-9]{1,5})", text.strip())
        if not told or int(told[3]) > 65_535:
            raise Refused(f"{flag} must be HOST:PORT, such as 127.0.0.1:8000.")
        name = told[1] or told[2]
        try:
            found = socket.getaddrinfo(name, int(told[3]), type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            raise Refused(f"{flag} names a host that cannot be found.") from None
        numbers = [str(place[0]) for *_, place in found]
        return cls(name, min(numbers, key=lambda number: ":" in number), int(told[3]))

    @property
    def is_loopback(self) -> bool:
        return ipaddress.ip_address(self.number).is_loopback

    def listen(self, flag: str = "--http") -> socket.socket:
        family = socket.AF_INET6 if ":" in self.number else socket.AF_INET
        try:
            made = socket.create_server((self.number, self.port), family=family, backlog=2048)
        except OSError as trouble:
            why = (trouble.strerror or "it cannot be used").lower()
            raise Refused(f"{flag} names an address that cannot be listened on: {why}.") from None
        # asyncio sets TCP_NODELAY only where a socket names its protocol, which create_server's
        # does not. Without it the body of an answer waits for the client's acknowledgement of the
        # headers, which comes 40 ms later.
        return socket.socket(made.family, made.type, socket.IPPROTO_TCP, fileno=made.detach())


def tokens_for(config: Config, address: Address) -> Tokens | None:
    """The file of tokens, if one is set; on loopback nobody has to show who they are."""
    check(config)
    if config.tokens_file is not None:
        return Tokens(config.tokens_file)
    if not (address.is_loopback or config.is_multi_owner):
        raise BadSetting(
            "An address that others can reach needs tokens: name a file of them in "
            "GEMINI_MCP_TOKENS_FILE (--tokens-file) or an identity provider in "
            "GEMINI_MCP_OAUTH_ISSUER (--oauth-issuer), or serve on 127.0.0.1."
        )
    return None


def metrics_address(config: Config) -> Address | None:
    """Where metrics are served, if anywhere. Refuses an address that others can reach, unless
    that is meant."""
    if not config.metrics:
        return None
    where = Address.read(config.metrics, "--metrics")
    if not (where.is_loopback or config.metrics_open):
        raise BadSetting(
            "GEMINI_MCP_METRICS (--metrics) names an address that others can reach, and metrics "
            "ask for no token: set GEMINI_MCP_METRICS_OPEN (--metrics-open), or use 127.0.0.1."
        )
    return where


def metrics_server(app: App) -> MetricsServer | None:
    where = metrics_address(app.config)
    if where is None:
        return None
    from .routes.metrics_route import MetricsServer

    return MetricsServer(app, where.listen("--metrics"), where.name)


def audit_log(config: Config) -> AuditLog | None:
    """Where calls are written down; refuses a file that cannot be opened."""
    if config.audit_log is None:
        return None
    log = AuditLog(config.audit_log)
    try:
        log.check()
    except OSError:
        raise BadSetting(
            "GEMINI_MCP_AUDIT_LOG (--audit-log) names a file that cannot be written to."
        ) from None
    return log


class Gateway:
    """An app as HTTP clients reach it, on a socket that listens already.

    No file of this machine is taken or written for them unless its folder was named. Links to
    pictures bring their own proof, so no token is asked there.
    """

    def __init__(
        self,
        config: Config,
        listener: socket.socket,
        *,
        name: str = "",
        tokens: Tokens | None = None,
        make: Callable[[Config], App] = App,
    ) -> None:
        app = make(replace(config, allowed_dirs=config.allowed_dirs or ()))
        number, port = listener.getsockname()[:2]
        self.url = f"http://[{number}]:{port}" if ":" in number else f"http://{number}:{port}"
        self.app = app
        self._listener = listener
        self._stopping = anyio.Event()
        self._forced = anyio.Event()
        self.ended = anyio.Event()
        base = app.config.public_url or self.url
        addresses = ClientAddresses(app.config.trusted_proxies)
        auth: Authentication | None = None
        if app.config.is_multi_owner:
            auth = authentication(app, base, tokens, addresses)
        authenticator = auth.authenticator if auth else None
        signed = SignedUrlAccess(app, base, authenticator)
        signed.check()
        pictures = ArtifactRoute(app, signed)
        app.link = pictures.link
        pages: list[Route] = []
        if app.config.public_pages:
            public = PageRoute(app, signed)
            app.page, pages = public.address, public.routes
        health = [Route("/healthz", self._health), Route("/readyz", self._readiness)]
        open = [*pictures.routes, *pages, *(auth.routes if auth else ())]
        self._mcp = build(app)
        inner = self._mcp.streamable_http_app(
            streamable_http_path=PATH,
            stateless_http=not app.config.has_sessions,
            max_request_body_size=app.config.max_body_bytes,
            # The gate looks after hosts and origins, on every route.
            transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
            custom_starlette_routes=[*health, *open],
        )
        self.routes = tuple(inner.routes)
        hosts = AllowedHosts(app.config, name, number)
        self._security = TransportSecurity(
            *(inner, app.config, hosts, authenticator, addresses), health=health, open=open
        )
        self._connections = ConnectionLimits(addresses, has_strangers=authenticator is not None)
        self.metrics = metrics_server(app)
        app.audit = audit_log(app.config)
        self._streams = _Streams(_with_pages(self._security, app.config))
        self._entrance = _without_slash(self._streams)

    async def serve(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Serve until `stop` is called; running work is then written down as it stands."""
        config = uvicorn.Config(
            self._entrance,
            http=protocol(self._connections),
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=int(GRACE + LAST_WORDS),
        )
        self._server = _Server(config)
        self.app.wake()
        with self._listener:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._wind_down)
                tasks.start_soon(self._end_removed)
                if self.metrics is not None:
                    tasks.start_soon(self.metrics.serve)
                # Not left to uvicorn, which would serve on without us if the app broke down.
                async with self._mcp.session_manager.run():
                    task_status.started()
                    await self._server.serve(sockets=[self._listener])
                tasks.cancel_scope.cancel()
        self.ended.set()

    def stop(self) -> None:
        """Let nobody in, let calls finish for a moment; told twice, do not wait for them."""
        if self._stopping.is_set():
            self._forced.set()
        self._stopping.set()

    async def _wind_down(self) -> None:
        await self._stopping.wait()
        self._server.should_exit = True
        self._streams.end()
        with anyio.move_on_after(GRACE):
            await self._forced.wait()
        self._security.close()
        with anyio.CancelScope(shield=True):
            await self.app.settle()

    async def _end_removed(self) -> None:
        while True:
            await anyio.sleep(REMOVED_SECONDS)
            try:
                await self.end_removed()
            except Exception:
                # A database that is away for a moment must not end the looking.
                log.warning("could not look for revoked access", exc_info=True)

    async def end_removed(self) -> None:
        """End the requests whose token was removed or access revoked; done every second."""
        await self._security.end_removed()

    async def _health(self, _request: Request) -> Response:
        return PlainTextResponse("alive\n")

    async def _readiness(self, _request: Request) -> Response:
        if not self._stopping.is_set() and await self.app.is_ready():
            return PlainTextResponse("ready\n")
        return PlainTextResponse("not ready\n", 503)


async def stop_on_signals(gateway: Gateway, signals: Sequence[signal.Signals]) -> None:
    """Stop a gateway when a signal comes; at the second one it waits for nothing."""
    if sys.platform == "win32":
        return
    with anyio.open_signal_receiver(*signals) as received:
        async for _ in received:
            gateway.stop()


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        # uvicorn's own raises the signal once more at its end, and that would be our exit code.
        yield


class _Streams:
    """Ends the streams that legacy clients hold open for news (GET), since we have none to tell."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._open: set[anyio.CancelScope] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "GET" or scope["path"] != PATH:
            await self._app(scope, receive, send)
            return
        has_begun = False

        async def sending(message: Message) -> None:
            nonlocal has_begun
            has_begun = has_begun or message["type"] == "http.response.start"
            await send(message)

        with anyio.CancelScope() as stream:
            self._open.add(stream)
            try:
                await self._app(scope, receive, sending)
            finally:
                self._open.discard(stream)
        if stream.cancelled_caught and has_begun:
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    def end(self) -> None:
        for stream in list(self._open):
            stream.cancel()


def _without_slash(app: ASGIApp) -> ASGIApp:
    """`/mcp/` means `/mcp`: a redirect would lead to an address that no proxy in front goes by."""

    async def entered(scope: Scope, receive: Receive, send: Send) -> None:
        if scope.get("path") == f"{PATH}/":
            scope = {**scope, "path": PATH, "raw_path": PATH.encode()}
        await app(scope, receive, send)

    return entered


def _with_pages(app: ASGIApp, config: Config) -> ASGIApp:
    """Pages of origins that were allowed may read our answers; browsers ask us first (CORS)."""
    if not config.allowed_origins:
        return app
    return CORSMiddleware(
        app,
        allow_origins=config.allowed_origins,
        allow_methods=["GET", "POST", "DELETE"],
        allow_headers=["*"],
        expose_headers=["mcp-session-id", "www-authenticate"],
    )
