"""The signature that MariaDB's plugin `ed25519` asks for.

It is the signature of RFC 8032, except for the secret: the hash of the password takes the place of
the hash of a random key. Libraries take a key of 32 bytes, so they cannot make it. One signature
takes some milliseconds here.
"""

from __future__ import annotations

from hashlib import sha512

_P = 2**255 - 19
_ORDER = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, -1, _P) % _P
_CHALLENGE = 32

Point = tuple[int, int, int, int]
"""X, Y, Z, T with x = X/Z, y = Y/Z and x y = T/Z."""


def signature(password: bytes, challenge: bytes) -> bytes:
    """64 bytes for the server's challenge of 32."""
    message = challenge[:_CHALLENGE]
    secret = sha512(password).digest()
    scalar = int.from_bytes(secret[:32], "little") & ((1 << 254) - 8) | (1 << 254)
    public = _encoded(_times(scalar, _BASE))
    nonce = _hash(secret[32:] + message)
    commitment = _encoded(_times(nonce, _BASE))
    proof = (nonce + _hash(commitment + public + message) * scalar) % _ORDER
    return commitment + proof.to_bytes(32, "little")


def _hash(data: bytes) -> int:
    return int.from_bytes(sha512(data).digest(), "little") % _ORDER


def _sum(one: Point, other: Point) -> Point:
    x1, y1, z1, t1 = one
    x2, y2, z2, t2 = other
    a, b = (y1 - x1) * (y2 - x2) % _P, (y1 + x1) * (y2 + x2) % _P
    c, d = 2 * t1 * t2 * _D % _P, 2 * z1 * z2 % _P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _times(scalar: int, point: Point) -> Point:
    total: Point = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            total = _sum(total, point)
        point = _sum(point, point)
        scalar >>= 1
    return total


def _encoded(point: Point) -> bytes:
    x, y, z, _ = point
    inverse = pow(z, -1, _P)
    x, y = x * inverse % _P, y * inverse % _P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def _base() -> Point:
    """The point with y = 4/5 and an even x."""
    y = 4 * pow(5, -1, _P) % _P
    square = (y * y - 1) * pow(_D * y * y + 1, -1, _P) % _P
    x = pow(square, (_P + 3) // 8, _P)
    if (x * x - square) % _P:
        x = x * pow(2, (_P - 1) // 4, _P) % _P
    if x & 1:
        x = _P - x
    return x, y, 1, x * y % _P


_BASE = _base()
