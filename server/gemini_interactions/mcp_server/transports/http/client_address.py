"""Client addresses: the peer's, or what trusted proxies say of theirs."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.types import Scope

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class ClientAddresses:
    """`trusted` are the networks of proxies whose `X-Forwarded-For` is believed."""

    def __init__(self, trusted: Sequence[str] = ()) -> None:
        self._trusted: list[Network] = [ipaddress.ip_network(each) for each in trusted]

    def of(self, scope: Scope) -> str:
        """Whom a request is counted for: an IPv4 address, or the /64 an IPv6 address is in."""
        peer = (scope.get("client") or ("",))[0]
        if not self.is_trusted(peer):
            return counted(peer)
        # The nearest proxy wrote the last entry; what stands before the first one that is no
        # proxy of ours was written by the client itself.
        headers = Headers(scope=scope).getlist("x-forwarded-for")
        told = [each.strip() for each in ",".join(headers).split(",") if each.strip()]
        for address in reversed(told):
            if not self.is_trusted(address):
                return counted(address)
        return counted(told[0] if told else peer)

    def is_trusted(self, address: str) -> bool:
        number = _number(address)
        return number is not None and any(number in network for network in self._trusted)


def counted(address: str) -> str:
    """Nobody has one IPv6 address: what one subscriber gets is a /64."""
    number = _number(address)
    if isinstance(number, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((number, 64), strict=False))
    return str(number) if number is not None else "unknown"


def _number(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        number = ipaddress.ip_address(address.strip("[]"))
    except ValueError:
        return None
    mapped = getattr(number, "ipv4_mapped", None)
    return mapped or number
