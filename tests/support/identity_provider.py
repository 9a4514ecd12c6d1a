"""An identity provider on loopback: metadata, keys, registration, authorization, JWTs."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import socket
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlencode

import anyio
import jwt
import uvicorn
from anyio.abc import TaskStatus
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

# Making one costs a tenth of a second; nobody learns anything from these.
RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER_RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())


def jwk(key: Any, kid: str) -> dict[str, Any]:
    kind = RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else ECAlgorithm
    return {**json.loads(kind.to_jwk(key.public_key())), "kid": kid, "use": "sig"}


class IdentityProvider:
    """Signs in whoever comes as `subject`; tokens hold the scopes that were asked for."""

    def __init__(self, now: Callable[[], float], path: str = "") -> None:
        self._now = now
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}{path}"
        self.keys = [jwk(RSA_KEY, "one")]
        self.subject = "ann"
        self.claims: dict[str, Any] = {}
        self.lifetime = 3600.0
        self.document = "oauth-authorization-server"
        self.asked: list[str] = []
        self.is_down = False
        self._codes: dict[str, dict[str, str]] = {}
        routes = [
            Route(f"/.well-known/{{name}}{path}", self._metadata),
            Route(f"{path}/keys", self._jwks),
            Route(f"{path}/register", self._register, methods=["POST"]),
            Route(f"{path}/authorize", self._authorize),
            Route(f"{path}/token", self._token, methods=["POST"]),
        ]
        self._server = uvicorn.Server(
            uvicorn.Config(
                Starlette(routes=routes), log_config=None, lifespan="off", ws="none", http="h11"
            )
        )

    async def serve(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        self._server.capture_signals = _no_signals  # type: ignore[method-assign]
        task_status.started()
        with self._listener:
            await self._server.serve(sockets=[self._listener])

    def stop(self) -> None:
        self._server.should_exit = True

    def sign(
        self,
        audience: str,
        *,
        key: Any = RSA_KEY,
        algorithm: str = "RS256",
        headers: dict[str, Any] | None = None,
        **claims: Any,
    ) -> str:
        """A token; a claim of None is left out."""
        told = {
            "iss": self.url,
            "sub": self.subject,
            "aud": audience,
            "iat": int(self._now()),
            "exp": int(self._now() + self.lifetime),
            **self.claims,
            **claims,
        }
        present = {name: value for name, value in told.items() if value is not None}
        return jwt.encode(present, key, algorithm, headers=headers or {"kid": "one"})

    async def _metadata(self, request: Request) -> Response:
        self.asked.append(request.url.path)
        if self.is_down or request.path_params["name"] != self.document:
            return Response(status_code=404)
        return JSONResponse(
            {
                "issuer": self.url,
                "authorization_endpoint": f"{self.url}/authorize",
                "token_endpoint": f"{self.url}/token",
                "registration_endpoint": f"{self.url}/register",
                "jwks_uri": f"{self.url}/keys",
                "response_types_supported": ["code"],
                "code_challenge_methods_supported": ["S256"],
                "token_endpoint_auth_methods_supported": ["none"],
            }
        )

    async def _jwks(self, request: Request) -> Response:
        self.asked.append(request.url.path)
        return JSONResponse({"keys": self.keys}, 500 if self.is_down else 200)

    async def _register(self, request: Request) -> Response:
        told = await request.json()
        return JSONResponse({**told, "client_id": secrets.token_hex(4)}, 201)

    async def _authorize(self, request: Request) -> Response:
        given = dict(request.query_params)
        code = secrets.token_hex(8)
        self._codes[code] = given
        back = urlencode({"code": code, "state": given["state"]})
        return RedirectResponse(f"{given['redirect_uri']}?{back}", 302)

    async def _token(self, request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode()))
        if form["grant_type"] == "authorization_code":
            given = self._codes.pop(form["code"])
            digest = hashlib.sha256(form["code_verifier"].encode()).digest()
            challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
            assert challenge == given["code_challenge"]
        else:
            given = self._codes[form["refresh_token"]]
        refresh = secrets.token_hex(8)
        self._codes[refresh] = given
        scope = given.get("scope", "")
        return JSONResponse(
            {
                "access_token": self.sign(given["resource"], scope=scope),
                "token_type": "Bearer",
                "expires_in": int(self.lifetime),
                "refresh_token": refresh,
                "scope": scope,
            }
        )


def _no_signals() -> Any:
    from contextlib import nullcontext

    return nullcontext()
