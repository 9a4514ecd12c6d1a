"""The identifiers the service hands out: opaque to clients, reproducible for tests."""

import base64
import hashlib
import re

_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"
_SHAPE = re.compile(r"v1_([A-Za-z0-9_-]{60,80})")


class Mint:
    """Makes ids from a seed and a counter, so two equal runs see equal ids."""

    def __init__(self, seed: str = "emulator") -> None:
        self.seed = seed
        self._count = 0

    def digest(self, kind: str) -> bytes:
        """32 bytes nobody has seen before."""
        return self._digest(kind)

    def _digest(self, kind: str) -> bytes:
        self._count += 1
        return hashlib.sha256(f"{self.seed}:{kind}:{self._count}".encode()).digest()

    def interaction(self, root: str | None = None) -> tuple[str, str]:
        """A new `(interaction id, root)`: chained interactions share the root of the first."""
        own = base64.urlsafe_b64encode(self._digest("interaction")).decode()[:23]
        root = root or own
        # Field 1 and field 2 of a protobuf message, both strings of 23 bytes.
        message = b"\n\x17" + root.encode() + b"\x12\x17" + own.encode()
        return "v1_" + base64.urlsafe_b64encode(message).decode().rstrip("="), root

    def call(self) -> str:
        """A function or tool call id: eight characters of a-z and 0-9."""
        return "".join(_ALPHABET[byte % 36] for byte in self._digest("call")[:8])

    def file(self) -> str:
        """The id of a file or of an upload: twelve characters of a-z and 0-9."""
        return "".join(_ALPHABET[byte % 36] for byte in self._digest("file")[:12])

    def signature(self) -> str:
        """A thought signature: opaque base64, replayed verbatim by stateless clients."""
        return base64.b64encode(b"sig-" + self._digest("signature")[:20]).decode()

    def token(self) -> str:
        """A continuation token."""
        return "ct_" + self._digest("token").hex()[:24]


def is_well_formed(interaction_id: str) -> bool:
    """Whether this could be an interaction id at all; the service answers 400 when not."""
    match = _SHAPE.fullmatch(interaction_id)
    if not match:
        return False
    text = match[1]
    try:
        message = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        return False
    if len(message) < 4 or message[0] != 0x0A or message[1] + 3 >= len(message):
        return False
    rest = message[2 + message[1] :]
    return rest[0] == 0x12 and rest[1] == len(rest) - 2


def event_id(index: int, kind: str, count: int) -> str:
    """The id of one stream event, as background streams carry them: `v1_` + b64(0_thought_15)."""
    return "v1_" + base64.urlsafe_b64encode(f"{index}_{kind}_{count}".encode()).decode().rstrip("=")
