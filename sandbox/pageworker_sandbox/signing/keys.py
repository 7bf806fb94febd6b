"""Reads and writes key pairs in the file format of minisign. Text in, text out: no file I/O.

Formats: https://jedisct1.github.io/minisign/ and minisign 0.11, `minisign.h`. All numbers little endian.
"""

import base64
import binascii
import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass, field
from typing import Protocol

import nacl.exceptions
import nacl.pwhash.scrypt
from nacl.signing import SigningKey

from pageworker_sandbox.signing.errors import KeyUnusable, WrongPassword

COMMENT = "untrusted comment: "
PUBLIC_BYTES = 42
SECRET_BYTES = 158
SEALED_BYTES = 104
KEY_BYTES = 32
PEM_HEAD, PEM_TAIL = "-----BEGIN PUBLIC KEY-----", "-----END PUBLIC KEY-----"
PEM_PREFIX = bytes.fromhex("302a300506032b6570032100")
"""What precedes the key in its SubjectPublicKeyInfo. Source: RFC 8410, section 10.1."""
_SCRYPT, _PLAIN = b"Sc", b"\0\0"


def key_name(key_id: bytes) -> str:
    """The id of a key as minisign prints it: 16 hex digits."""
    return key_id[::-1].hex().upper()


@dataclass(frozen=True)
class PublicKey:
    """An Ed25519 public key with the eight-byte id of minisign."""

    id: bytes
    key: bytes

    @property
    def name(self) -> str:
        """The id as minisign prints it."""
        return key_name(self.id)

    def line(self) -> str:
        """The base64 line of this key, as settings contain it."""
        return base64.b64encode(b"Ed" + self.id + self.key).decode()

    def file(self) -> str:
        """The text of a `.pub` file."""
        return f"{COMMENT}minisign public key {self.name}\n{self.line()}\n"


class Signer(Protocol):
    """Signs with one Ed25519 key: a secret key here, or a program that keeps it elsewhere."""

    @property
    def public(self) -> PublicKey:
        """The public key of its signatures."""

    def sign(self, message: bytes) -> bytes:
        """The Ed25519 signature of the message: 64 bytes."""


@dataclass(frozen=True)
class SecretKey:
    """An Ed25519 secret key. repr never shows it."""

    id: bytes
    seed: bytes = field(repr=False)

    @classmethod
    def new(cls) -> "SecretKey":
        """A new key from the random source of the system."""
        return cls(secrets.token_bytes(8), secrets.token_bytes(32))

    @property
    def public(self) -> PublicKey:
        """The public key of this secret key."""
        return PublicKey(self.id, bytes(SigningKey(self.seed).verify_key))

    def sign(self, message: bytes) -> bytes:
        """The Ed25519 signature of the message: 64 bytes."""
        return SigningKey(self.seed).sign(message).signature


@dataclass(frozen=True)
class Cost:
    """Cost of one scrypt derivation. The defaults are those of minisign: about 3 s of CPU time and 1.06 GB of
    memory."""

    operations: int = nacl.pwhash.scrypt.OPSLIMIT_SENSITIVE
    memory_bytes: int = nacl.pwhash.scrypt.MEMLIMIT_SENSITIVE


MOST = Cost(4 * nacl.pwhash.scrypt.OPSLIMIT_SENSITIVE, 4 * nacl.pwhash.scrypt.MEMLIMIT_SENSITIVE)


def parse_public(untrusted_text: str) -> PublicKey:
    """A public key from its base64 line or from the text of a `.pub` file. Raises KeyUnusable."""
    lines = untrusted_text.strip().splitlines()
    if len(lines) == 2 and lines[0].startswith(COMMENT):
        lines = lines[1:]
    raw = canonical(lines[0].strip(), PUBLIC_BYTES) if len(lines) == 1 else None
    if raw is None or raw[:2] != b"Ed":
        raise KeyUnusable("not a minisign public key: expected the 56 characters that start with RW")
    return PublicKey(raw[2:10], raw[10:])


def import_public(untrusted_text: str) -> PublicKey:
    """An Ed25519 public key that was made elsewhere: PEM (RFC 8410), or 32 bytes as hex or base64. Raises KeyUnusable.

    Its id, which minisign picks at random, is the BLAKE2b of the key: the same key has the same id everywhere.
    """
    text = untrusted_text.strip()
    body = "".join(text.removeprefix(PEM_HEAD).removesuffix(PEM_TAIL).split())
    raw: bytes | None
    if text.startswith(PEM_HEAD):
        raw = canonical(body, len(PEM_PREFIX) + KEY_BYTES)
        raw = raw.removeprefix(PEM_PREFIX) if raw is not None else None
    else:
        raw = bytes.fromhex(text) if re.fullmatch(r"[0-9a-fA-F]{64}", text) else canonical(text, KEY_BYTES)
    if raw is None or len(raw) != KEY_BYTES:
        raise KeyUnusable("not an Ed25519 public key: expected PEM, or 32 bytes as hex or base64")
    return PublicKey(hashlib.blake2b(raw, digest_size=8).digest(), raw)


def write_secret(key: SecretKey, password: bytes | None, cost: Cost | None = None) -> str:
    """The text of a `.key` file. Without a password the key is not encrypted, as with `minisign -G -W`.

    With a password this takes about 3 s of CPU time and 1.06 GB of memory: so does every guess of the password.
    """
    cost = cost or Cost()
    body = key.id + key.seed + key.public.key
    body += _checksum(body)
    if password is None:
        head = b"Ed" + _PLAIN + b"B2" + bytes(48)
    else:
        salt = secrets.token_bytes(32)
        body = _xor(body, _stretch(password, salt, cost))
        limits = cost.operations.to_bytes(8, "little") + cost.memory_bytes.to_bytes(8, "little")
        head = b"Ed" + _SCRYPT + b"B2" + salt + limits
    return f"{COMMENT}minisign encrypted secret key\n{base64.b64encode(head + body).decode()}\n"


def is_encrypted(text: str) -> bool:
    """True if a `.key` file needs a password. Raises KeyUnusable."""
    return _secret_bytes(text)[2:4] == _SCRYPT


def read_secret(text: str, password: bytes | None) -> SecretKey:
    """The key in the text of a `.key` file. As expensive as `write_secret`. Raises KeyUnusable, WrongPassword."""
    raw = _secret_bytes(text)
    body = raw[54:]
    if raw[2:4] == _SCRYPT:
        if password is None:
            raise WrongPassword("the secret key is encrypted: give its password")
        cost = Cost(int.from_bytes(raw[38:46], "little"), int.from_bytes(raw[46:54], "little"))
        body = _xor(body, _stretch(password, raw[6:38], cost))
        if not hmac.compare_digest(_checksum(body[:72]), body[72:]):
            raise WrongPassword("wrong password for this secret key")
    elif body[72:] not in (bytes(32), _checksum(body[:72])):
        # minisign 0.11 leaves the checksum of an unencrypted key empty.
        raise KeyUnusable("the secret key file is damaged: its checksum is wrong")
    key = SecretKey(body[:8], body[8:40])
    if key.public.key != body[40:72]:
        raise KeyUnusable("the secret key file is damaged: its public and secret key do not match")
    return key


def canonical(text: str, length: int) -> bytes | None:
    """The bytes of a base64 text. None if their number is not `length`, or if the text is not canonical base64."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    # Otherwise an attacker could change unused bits of the last character without changing the bytes.
    return raw if len(raw) == length and base64.b64encode(raw).decode() == text else None


def _secret_bytes(text: str) -> bytes:
    lines = text.splitlines()
    raw = canonical(lines[1], SECRET_BYTES) if len(lines) == 2 and lines[0].startswith(COMMENT) else None
    if raw is None or raw[:2] != b"Ed" or raw[2:4] not in (_SCRYPT, _PLAIN) or raw[4:6] != b"B2":
        raise KeyUnusable("not a minisign secret key file")
    return raw


def _checksum(body: bytes) -> bytes:
    return hashlib.blake2b(b"Ed" + body[:72], digest_size=32).digest()


def _stretch(password: bytes, salt: bytes, cost: Cost) -> bytes:
    if cost.operations > MOST.operations or cost.memory_bytes > MOST.memory_bytes:
        raise KeyUnusable("the secret key file is damaged: it demands more scrypt work than minisign ever uses")
    try:
        return nacl.pwhash.scrypt.kdf(SEALED_BYTES, password, salt, cost.operations, cost.memory_bytes)
    except (nacl.exceptions.CryptoError, MemoryError, OverflowError) as error:
        raise KeyUnusable(
            f"scrypt could not run: it needs {cost.memory_bytes >> 20} MiB of memory for this key"
        ) from error


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))
