"""Prove to the server that the user knows the password, by the plugin that the server names.

The server sends a random challenge, and the answer is computed from it and the password. Some
plugins want the password itself: it is sent only if nobody else can read it.

The methods are those of MySQL's "Authentication Methods" and of MariaDB's "Authentication Plugins".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from hashlib import sha1, sha256

from extract_project.warehouses.mysql.ed25519 import signature

_CHALLENGE = 20
"""Bytes of the challenge that count; a zero byte follows them. ed25519 takes 32."""
NATIVE = "mysql_native_password"
CACHING = "caching_sha2_password"
_PLAIN = ("mysql_clear_password", "sha256_password", "dialog")
"""Plugins that want the password itself: for AWS IAM and LDAP, old MySQL, and MariaDB's PAM."""


class NotPossible(Exception):
    """The server asks for a sign-in that is not possible here; the message says what to do."""


def answer(plugin: str, password: bytes, challenge: bytes, *, is_private: bool) -> bytes:
    """The answer to a challenge; raises NotPossible.

    `is_private`: the connection is encrypted, or does not leave the machine.
    """
    if plugin in _PLAIN:
        return plain(plugin, password, is_private=is_private)
    if plugin not in _ANSWERS:
        known = ", ".join(sorted((*_ANSWERS, *_PLAIN)))
        raise NotPossible(
            f"the server wants the user to sign in by {plugin!r}, which is not known here: give it "
            f"one of {known}"
        )
    return _ANSWERS[plugin](password, challenge) if password else b""


def plain(plugin: str, password: bytes, *, is_private: bool) -> bytes:
    """The password itself; raises NotPossible if somebody could read it on the way."""
    if not is_private:
        raise NotPossible(
            f"to sign in by {plugin!r}, the password itself would travel unencrypted: set SSLMODE "
            f"to 'verify-full'"
        )
    return password + b"\0"


def _native(password: bytes, challenge: bytes) -> bytes:
    once = sha1(password).digest()
    twice = sha1(once).digest()
    return _xor(once, sha1(challenge[:_CHALLENGE] + twice).digest())


def _caching(password: bytes, challenge: bytes) -> bytes:
    once = sha256(password).digest()
    thrice = sha256(sha256(once).digest() + challenge[:_CHALLENGE]).digest()
    return _xor(once, thrice)


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))


_ANSWERS: Mapping[str, Callable[[bytes, bytes], bytes]] = {
    NATIVE: _native,
    CACHING: _caching,
    "client_ed25519": signature,
}
