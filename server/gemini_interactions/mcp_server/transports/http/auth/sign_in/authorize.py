"""The authorization endpoint: shows the consent page, takes its answer, leads back with a code."""

from __future__ import annotations

import json
import logging
import re
import secrets
from collections.abc import Mapping
from urllib.parse import parse_qsl, urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from ......domain.oauth_grants import Client, Grant, Token
from ...client_address import ClientAddresses
from .client_documents import ClientDocuments
from .clients import BadClient, OAuthClient, is_address, stored
from .consent import VALID, ConsentRequest, ConsentSigner, new_browser
from .consent_page import consent_page, message_page
from .redirect_uris import is_acceptable, is_registered, with_answer
from .settings import CODE_SECONDS, SignInSettings, hashed, new_secret

log = logging.getLogger(__name__)

LARGEST_FORM = 16 * 1024
LONGEST_STATE = 2000
MOST_GUESSES = 10
"""Wrong gateway tokens an hour from one address."""

_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")


class Refused(Exception):
    """An error of RFC 6749; told to the client where its redirect URI is known to be its own."""

    def __init__(self, error: str, words: str) -> None:
        super().__init__(words)
        self.error = error
        self.words = words


class AuthorizationEndpoint:
    def __init__(
        self,
        settings: SignInSettings,
        signer: ConsentSigner,
        documents: ClientDocuments,
        addresses: ClientAddresses,
    ) -> None:
        self._settings = settings
        self._signer = signer
        self._documents = documents
        self._addresses = addresses
        # The prefix makes browsers refuse one that another host or plain http would set.
        self._cookie = "__Host-gemini-consent" if settings.is_https else "gemini-consent"

    async def __call__(self, request: Request) -> Response:
        if request.method == "GET":
            return await self._ask(request)
        return await self._answered(request)

    async def _ask(self, request: Request) -> Response:
        """The page for a client's request."""
        given = dict(request.query_params)
        if len(request.query_params.multi_items()) != len(given):
            return _error_page("A parameter of this request was given twice.")
        client = await self._known_client(given.get("client_id", ""))
        if client is None:
            return _error_page(
                "The app that sent you here is not registered, or its registration has run out. "
                "Remove this server from the app and add it again."
            )
        redirect_uri = given.get("redirect_uri", "")
        if not redirect_uri and len(client.redirect_uris) == 1:
            redirect_uri = client.redirect_uris[0]
        is_own = is_registered(redirect_uri, client.redirect_uris)
        # What a client says at its own address is read once a gateway token was accepted.
        is_unread = not client.redirect_uris and is_acceptable(redirect_uri)
        if not (is_own or is_unread):
            return _error_page(
                "The app that sent you here wants you sent back to an address that is not one of "
                "those it registered. Nothing was allowed."
            )
        try:
            consent = self._request(client.id, redirect_uri, given)
        except Refused as refused:
            if is_own:
                return self._back(redirect_uri, given.get("state", ""), error=refused.error)
            return _error_page(refused.words)
        browser = request.cookies.get(self._cookie) or new_browser()
        page = consent_page(
            *(client, redirect_uri, self._settings.resource, consent.scopes),
            self._signer.sign(consent, browser),
        )
        page.set_cookie(
            self._cookie,
            browser,
            max_age=VALID,
            secure=self._settings.is_https,
            httponly=True,
            samesite="strict",
        )
        return page

    def _request(
        self, client_id: str, redirect_uri: str, given: Mapping[str, str]
    ) -> ConsentRequest:
        if given.get("response_type") != "code":
            raise Refused("unsupported_response_type", "response_type must be code.")
        if given.get("code_challenge_method") != "S256":
            raise Refused("invalid_request", "code_challenge_method must be S256.")
        if not _CHALLENGE.fullmatch(given.get("code_challenge", "")):
            raise Refused("invalid_request", "code_challenge must be one of S256.")
        resource = given.get("resource", "") or self._settings.resource
        if not self._settings.is_for_us(resource):
            raise Refused("invalid_target", "resource is not this server.")
        if len(state := given.get("state", "")) > LONGEST_STATE:
            raise Refused("invalid_request", "state is too long.")
        return ConsentRequest(
            client_id=client_id,
            redirect_uri=redirect_uri,
            code_challenge=given["code_challenge"],
            state=state,
            scopes=self._settings.granted(given.get("scope", "")),
            resource=self._settings.resource,
            expires=int(self._settings.now()) + VALID,
        )

    async def _answered(self, request: Request) -> Response:
        """What somebody said on the page."""
        if not self._is_own_page(request):
            return _error_page("This answer does not come from the page of this server.", 403)
        form = dict(parse_qsl((await request.body())[:LARGEST_FORM].decode("utf-8", "replace")))
        # Every browser of today sends this header, and keeps the cookie; a program has neither.
        is_browser = "sec-fetch-site" in request.headers
        browser = request.cookies.get(self._cookie, "") if is_browser else None
        consent = self._signer.read(form.get("request", ""), browser, self._settings.now())
        if consent is None:
            return _error_page(
                "This page has run out, or your browser keeps no cookies. "
                "Go back to the app and connect it again."
            )
        client = await self._known_client(consent.client_id)
        if client is None:
            return _error_page("The registration of this app has run out. Add the server again.")
        if form.get("answer") != "allow":
            return self._denied(client, consent)
        who = self._addresses.of(request.scope)
        access, hour = await self._settings.oauth_grants(), int(self._settings.now() // 3600)
        if await access.counted("guess", who, hour) >= MOST_GUESSES:
            return self._asked_again(
                client,
                form["request"],
                consent,
                "Too many wrong tokens. Try again in an hour.",
                429,
            )
        token = form.get("token", "").strip()
        principal = self._settings.tokens.principal(token.encode("utf-8", "replace"))
        if principal is None:
            await access.count("guess", who, hour)
            log.warning("a wrong gateway token was given on the consent page")
            words = "This is not a token of this server."
            return self._asked_again(client, form["request"], consent, words, 401)
        try:
            client = await self._read_document(client, consent)
        except BadClient as bad:
            return _error_page(f"{bad.words} Nothing was allowed.")
        return await self._allowed(client, consent, *principal)

    def _asked_again(
        self, client: OAuthClient, signed: str, consent: ConsentRequest, error: str, status: int
    ) -> Response:
        where = (consent.redirect_uri, self._settings.resource, consent.scopes)
        return consent_page(client, *where, signed, error, status)

    def _denied(self, client: OAuthClient, consent: ConsentRequest) -> Response:
        if client.redirect_uris:
            return self._back(consent.redirect_uri, consent.state, error="access_denied")
        return message_page("Nothing was allowed", "You can close this window.", 200)

    async def _allowed(
        self, client: OAuthClient, consent: ConsentRequest, owner: str, credential: str
    ) -> Response:
        now, code = self._settings.now(), new_secret("code")
        grant = Grant(
            id=f"g_{secrets.token_hex(8)}",
            owner=owner,
            credential=credential,
            client_id=client.id,
            client_name=client.name or client.host,
            resource=consent.resource,
            scopes=" ".join(consent.scopes),
            created=now,
            used=0.0,
        )
        told = {"redirect_uri": consent.redirect_uri, "challenge": consent.code_challenge}
        access = await self._settings.oauth_grants()
        await access.add_code(
            grant, Token(hashed(code), "code", grant.id, now + CODE_SECONDS, json.dumps(told))
        )
        return self._back(consent.redirect_uri, consent.state, code=code)

    def _back(self, redirect_uri: str, state: str, **answer: str) -> Response:
        """To the client, with the issuer (RFC 9207) so that it knows whose answer this is."""
        url = with_answer(redirect_uri, **answer, state=state, iss=self._settings.issuer)
        response = RedirectResponse(
            url, 303, {"cache-control": "no-store", "referrer-policy": "no-referrer"}
        )
        # As it was registered: starlette would quote what is quoted already.
        response.headers["location"] = url
        return response

    async def _known_client(self, client_id: str) -> OAuthClient | None:
        """A registered client, or one named by an address; that one's document may be unread."""
        access = await self._settings.oauth_grants()
        if not 0 < len(client_id) <= 500:
            return None
        found = await access.client(client_id, self._settings.now())
        if found is not None:
            return OAuthClient.read(found.id, found.metadata)
        return OAuthClient(client_id, "", ()) if is_address(client_id) else None

    async def _read_document(self, client: OAuthClient, consent: ConsentRequest) -> OAuthClient:
        """The client with its redirect URIs known, one of which is this request's."""
        if not client.redirect_uris:
            document = await self._documents.fetch(client.id)
            client, now = document.client, self._settings.now()
            if document.seconds > 0:
                access = await self._settings.oauth_grants()
                await access.keep_document(
                    Client(client.id, stored(client), now), now + document.seconds
                )
        if not is_registered(consent.redirect_uri, client.redirect_uris):
            raise BadClient("invalid_redirect_uri", "That app leads back to another address.")
        return client

    def _is_own_page(self, request: Request) -> bool:
        """Posts come from our page. Browsers say from where they post, whatever a page does."""
        if request.headers.get("sec-fetch-site", "same-origin") != "same-origin":
            return False
        origin = request.headers.get("origin")
        # Behind a proxy the public address and the one asked for may differ.
        host = request.headers.get("host", "")
        return origin in (None, self._settings.origin) or urlsplit(origin or "").netloc == host


def _error_page(words: str, status: int = 400) -> Response:
    return message_page("This app cannot be connected", words, status)
