"""Keys: who may do what, known by the sha256 of a secret and never by the secret."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from crossmodal.errors import ConfigError

KEY_BYTES = 32
_LINE = re.compile(r"(read|write|admin):([0-9a-f]{64})")


class Role(IntEnum):
    """What a key allows; each role allows what the lower ones do."""

    READ = 1
    WRITE = 2
    ADMIN = 3


@dataclass(frozen=True, slots=True)
class Key:
    """A role and the sha256 of the secret that proves it."""

    role: Role
    digest: bytes


def parse_keys(text: str) -> tuple[Key, ...]:
    """Return the keys written as ``role:sha256hex,…``.

    Raises:
        ConfigError: If an entry is not of that form; the message does not repeat it,
            since a secret may have been put there by mistake.
    """
    keys = []
    for number, entry in enumerate(filter(None, map(str.strip, text.split(","))), start=1):
        match = _LINE.fullmatch(entry)
        if match is None:
            raise ConfigError(
                f"entry {number} is not ROLE:SHA256HEX with a role of "
                "read, write or admin; make one with: python -m service key --role read"
            )
        keys.append(Key(Role[match[1].upper()], bytes.fromhex(match[2])))
    return tuple(keys)


def new_key(role: Role) -> tuple[str, str]:
    """Return a fresh secret and the ``role:sha256hex`` that stands for it."""
    secret = secrets.token_urlsafe(KEY_BYTES)
    return secret, f"{role.name.lower()}:{hashlib.sha256(secret.encode()).hexdigest()}"


def key_of(authorization: Sequence[bytes], keys: Sequence[Key]) -> Key | None:
    """Return the key that Authorization headers prove, or None.

    Args:
        authorization: The raw values of every such header; only exactly one counts.
        keys: The keys in force. Each is compared, so that time tells nothing; of a secret
            that has several, the one of the highest role counts.
    """
    if len(authorization) != 1:
        return None
    scheme, _, secret = authorization[0].partition(b" ")
    if scheme.lower() != b"bearer" or not secret:
        return None
    digest = hashlib.sha256(secret).digest()
    found = [key for key in keys if hmac.compare_digest(digest, key.digest)]
    return max(found, key=lambda key: key.role, default=None)
