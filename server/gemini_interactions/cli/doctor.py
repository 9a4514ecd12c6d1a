"""`doctor`: whether everything is where it should be, each thing with a line and a way out."""

from __future__ import annotations

import os
import platform
import stat
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import anyio

from .. import __version__
from ..components import SIGNING_KEY, gemini, links
from ..config.api_key import FILE, VARIABLES, find_key, given_key
from ..config.normalization import given
from ..config.setting_table import SETTINGS, BadSetting
from ..config.settings import Config
from ..domain.errors import (
    BadNetworkSetting,
    ConnectionLost,
    Intercepted,
    NoKey,
    RateLimited,
    Refused,
    TimedOut,
    Unavailable,
    Unreachable,
    UntrustedCertificate,
    UpstreamError,
)
from ..domain.models import model_catalog
from ..gemini import network_settings
from ..gemini.sdk.sdk_loader import is_enterprise
from . import doctor_gateway, store_access
from .doctor_finding import Finding

PATIENCE = 20.0
"""Seconds to wait for Google."""

_PREFIX = "GEMINI_MCP_"


def run(environ: Mapping[str, str], flags: Mapping[str, str | None], is_offline: bool) -> int:
    """Prints what was found; 1 where something is broken."""
    print(_versions())
    failed = False
    for finding in _findings(environ, flags, is_offline):
        print(finding)
        failed = failed or finding.state == "FAIL"
    print("\nSomething is broken: see FAIL above." if failed else "\nAll is well.")
    return int(failed)


def _versions() -> str:
    def installed(package: str) -> str:
        try:
            return f"{package} {version(package)}"
        except PackageNotFoundError:
            return f"{package} missing"

    packages = [installed(each) for each in ("mcp", "google-genai")]
    ours = f"gemini-interactions-mcp {__version__}"
    return f"{' · '.join([ours, f'Python {platform.python_version()}', *packages])}\n"


def _findings(
    environ: Mapping[str, str], flags: Mapping[str, str | None], is_offline: bool
) -> Iterator[Finding]:
    yield from _environment(environ)
    try:
        config = Config.read(environ, flags)
    except BadSetting as bad:
        yield Finding("FAIL", "settings", str(bad))
        return
    yield from _folder("data", config.data_dir)
    if not config.images_dir.is_relative_to(config.data_dir):
        yield from _folder("images", config.images_dir)
    yield anyio.run(_database, config)
    yield from _gateway(config, environ, is_offline)
    network = list(_network(config, environ))
    yield from network
    key = _key(config, environ)
    yield key
    if any(each.state == "FAIL" for each in network):
        yield Finding("skip", "google", "not asked: the way there is not set up")
    elif is_offline:
        yield Finding("skip", "google", "not asked: --offline")
    elif key.state == "FAIL":
        yield Finding("skip", "google", "not asked: that needs a key")
    else:
        yield from anyio.run(_google, config)


def _environment(environ: Mapping[str, str]) -> Iterator[Finding]:
    known = {each.variable: each for each in SETTINGS}
    set_here = sorted(name for name in environ if name in known or name.startswith(_PREFIX))
    read = {name: given_key if name in VARIABLES else given for name in set_here}
    told = [name for name in set_here if name in known and read[name](environ[name])]
    yield Finding("ok", "settings", f"from the environment: {', '.join(told) or 'none'}")
    for name in set_here:
        if name not in known:
            yield Finding("note", "settings", f"{name} is no setting of this version.")
        elif not known[name].available:
            yield Finding("note", "settings", f"{name} is not used by this version yet.")
        elif environ[name].strip() and not read[name](environ[name]):
            yield Finding(
                "note",
                "settings",
                f"{name} is {_placeholder(environ[name])} that your host did not fill in: it "
                "counts as not set.",
            )


def _placeholder(value: str) -> str:
    return "a literal ${…}" if value.strip(" \"'").startswith("${") else "a placeholder"


def _folder(what: str, folder: Path) -> Iterator[Finding]:
    if not folder.exists():
        above = next(each for each in folder.parents if each.exists())
        if os.access(above, os.W_OK | os.X_OK):
            yield Finding("ok", what, f"{folder} is not there yet; it is made when needed.")
        else:
            yield Finding("FAIL", what, f"{folder} cannot be made: choose another with a setting.")
        return
    if not folder.is_dir():
        yield Finding("FAIL", what, f"{folder} is no folder: choose another with a setting.")
        return
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        yield Finding("FAIL", what, f"{folder} cannot be written to by this user.")
        return
    mode = stat.S_IMODE(folder.stat().st_mode)
    if os.name != "nt" and mode & 0o077:
        yield Finding(
            "FAIL", what, f"{folder} can be read by other users: chmod 700 closes it to them."
        )
        return
    yield Finding("ok", what, f"{folder} is yours alone and can be written to.")


async def _database(config: Config) -> Finding:
    kind = "PostgreSQL" if config.database_url.startswith("postgres") else "SQLite"
    if not store_access.exists(config):
        return Finding("ok", "database", f"{kind}; it is not there yet, and made when needed.")
    try:
        async with store_access.opened(config) as store:
            count = await store.count_conversations(store_access.OWNER)
    except Refused as refusal:
        return Finding("FAIL", "database", f"{kind}: {refusal}")
    except Exception as trouble:
        return Finding("FAIL", "database", f"{kind} cannot be used ({type(trouble).__name__}).")
    if config.is_shared or config.is_multi_owner:  # whose conversations would be counted?
        return Finding("ok", "database", f"{kind} answers")
    noun = "conversation" if count == 1 else "conversations"
    return Finding("ok", "database", f"{kind}, {count:,} {noun}")


def _gateway(config: Config, environ: Mapping[str, str], is_offline: bool) -> Iterator[Finding]:
    """What only matters where others are served over HTTP; nothing where nobody is."""
    if config.tokens_file is not None:
        yield _tokens(config.tokens_file)
    yield from doctor_gateway.findings(config, is_offline)
    if not (config.is_multi_owner or config.is_shared):
        return
    yield _links(config, environ)
    if config.is_shared and config.images_dir.is_relative_to(config.data_dir):
        yield Finding(
            "note",
            "images",
            "replicas on other machines do not see this data folder: name a folder they share in "
            "GEMINI_MCP_IMAGES_DIR.",
        )
    if not config.public_url:
        yield Finding(
            "note",
            "public",
            "links to images begin with the bound address: name the one people use in "
            "GEMINI_MCP_PUBLIC_URL.",
        )
    elif config.public_url.startswith("http://"):
        yield Finding("note", "public", f"{config.public_url}: tokens travel there unencrypted.")
    else:
        yield Finding("ok", "public", config.public_url)


def _tokens(file: Path) -> Finding:
    from ..mcp_server.transports.http.auth.token_file import (
        Tokens,  # brings mcp along, which no other check needs
    )

    try:
        owners = Tokens(file).owners
    except BadSetting as bad:
        return Finding("FAIL", "tokens", str(bad))
    if os.name != "nt" and stat.S_IMODE(file.stat().st_mode) & 0o022:
        return Finding(
            "FAIL", "tokens", f"{file} can be written by other users: chmod 600 ends it."
        )
    noun = "owner" if len(owners) == 1 else "owners"
    return Finding("ok", "tokens", f"{len(owners):,} {noun} in {file}")


def _links(config: Config, environ: Mapping[str, str]) -> Finding:
    if given(environ.get(SIGNING_KEY)):
        try:
            links(config)
        except BadSetting as bad:
            return Finding("FAIL", "links", str(bad))
        return Finding("ok", "links", f"signed with {SIGNING_KEY}")
    if config.is_shared:
        words = f"replicas answer each other's links only with one {SIGNING_KEY} for all."
        return Finding("note", "links", words)
    return Finding("ok", "links", "signed with a key of the data folder")


def _network(config: Config, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Proxies and certificates, as far as the environment tells of them."""
    broken = list(
        network_settings.troubles(environ, is_secure=not config.base_url.startswith("http://"))
    )
    for trouble in broken:
        yield Finding("FAIL", "network", f"{trouble}.")
    proxies = network_settings.proxy_variables(environ)
    if proxies and not broken:
        yield Finding("ok", "network", f"through the proxy of {', '.join(proxies)}")


def _key(config: Config, environ: Mapping[str, str]) -> Finding:
    """Where the key is and whether it looks like one; never the key."""
    try:
        gemini(config).require_key()
        key = find_key(environ, config.data_dir)
    except Refused as refusal:
        return Finding("FAIL", "key", str(refusal))
    except UpstreamError as problem:
        return Finding("FAIL", "key", problem.message)
    variable = next((each for each in VARIABLES if given_key(environ.get(each))), "")
    where = variable or f"the key file ({config.data_dir / FILE})"
    if is_enterprise():
        also = f"; a key is in {where}" if key else ""
        return Finding("ok", "key", f"Vertex AI, as google-genai's own variables say{also}")
    return Finding("ok", "key", f"from {where}")


async def _google(config: Config) -> list[Finding]:
    """Asks for the list of models, which costs nothing."""
    google = gemini(config)
    where = config.base_url or "Google"
    reached = Finding("ok", "network", f"{where} answers")
    try:
        with anyio.fail_after(PATIENCE):
            offered = {each.id for each in await google.models()}
    except (Unreachable, TimedOut, ConnectionLost, TimeoutError):
        return [
            Finding(
                "FAIL",
                "network",
                f"{where} cannot be reached. Check the connection, a proxy (HTTPS_PROXY, "
                "ALL_PROXY) and GOOGLE_GEMINI_BASE_URL.",
            )
        ]
    except (RateLimited, Unavailable) as problem:
        return [reached, Finding("note", "google", problem.message)]
    except (Intercepted, UntrustedCertificate, BadNetworkSetting) as problem:
        return [Finding("FAIL", "network", problem.message)]
    except UpstreamError as problem:
        return [reached, Finding("FAIL", "google", problem.message)]
    except NoKey as problem:
        return [Finding("FAIL", "google", str(problem))]
    except Exception as problem:  # a bug of ours or the SDK's, which the log has
        kind = type(problem).__name__
        return [Finding("FAIL", "google", f"{where} could not be asked ({kind}).")]
    finally:
        await google.aclose()
    return [reached, *_offered(config, offered)]


def _offered(config: Config, offered: set[str]) -> Iterator[Finding]:
    yield Finding("ok", "google", f"the key is accepted; {len(offered)} models")
    default = model_catalog.choose(config.model, today=datetime.now(UTC).date()).model
    if offered and default not in offered:
        yield Finding("note", "google", f"the default model {default} is not offered to this key.")
