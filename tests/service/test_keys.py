"""Keys: secrets are long, known by their sha256 only, and compared as bytes."""

from __future__ import annotations

import hashlib

import pytest

from crossmodal.errors import ConfigError
from service.access.keys import Key, Role, key_of, new_key, parse_keys
from service.settings import Settings


def test_a_new_key_proves_its_role() -> None:
    secret, line = new_key(Role.WRITE)
    assert len(secret) >= 43  # 32 bytes and more, in base64
    assert secret not in line
    (key,) = keys = parse_keys(line)
    assert key.role is Role.WRITE
    assert key_of([f"Bearer {secret}".encode()], keys) is key
    assert key_of([f"bearer {secret}".encode()], keys) is key
    assert key_of([f"Bearer {secret} ".encode()], keys) is None


def test_no_two_keys_are_alike() -> None:
    assert len({new_key(Role.READ)[0] for _ in range(100)}) == 100


def test_only_the_sha256_is_kept() -> None:
    secret, line = new_key(Role.READ)
    (key,) = parse_keys(line)
    assert key == Key(Role.READ, hashlib.sha256(secret.encode()).digest())
    settings = Settings(api_keys=line)
    assert line not in repr(settings)  # nor is that for every log to show


def test_of_a_secret_with_two_roles_the_higher_counts() -> None:
    digest = hashlib.sha256(b"both").hexdigest()
    keys = parse_keys(f"write:{digest}, read:{digest}")
    assert key_of([b"Bearer both"], keys) is keys[0]


@pytest.mark.parametrize(
    "text", ["secret", "read:abc", "root:" + "0" * 64, "read:" + "G" * 64]
)
def test_keys_that_are_none_are_refused_without_being_repeated(text: str) -> None:
    with pytest.raises(ConfigError, match="entry 1 is not ROLE:SHA256HEX") as caught:
        parse_keys(text)
    assert text not in str(caught.value)
