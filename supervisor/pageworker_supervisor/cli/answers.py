"""What commands print with `--json`, where no other package has a type for it. Part of the contract with scripts."""

import datetime as dt
from typing import Any, Literal

from msgspec import Struct


class PushedJob(Struct, frozen=True):
    """Of `submit` without --wait: the job that was pushed."""

    job_id: str
    tenant_id: str


class DeadLetterAnswer(Struct, frozen=True, kw_only=True):
    """A dead letter. `job`: the text as it was pushed. `at_ms`: milliseconds since the epoch. `detail`: the last error
    and the attempts."""

    id: str
    job_id: str | None
    tenant_id: str | None
    reason: str
    at_ms: int
    retryable: bool
    job: str
    detail: Any


class PurgedLetters(Struct, frozen=True):
    """Of `dead purge`: how many dead letters were deleted."""

    purged: int


class ValidSettings(Struct, frozen=True):
    """Of `config check`. Workers with equal settings have the same fingerprint."""

    valid: Literal[True]
    fingerprint: str


class ValidListing(Struct, frozen=True):
    """Of `config validate`: how many settings the file has."""

    valid: Literal[True]
    settings: int


class ListedVersion(Struct, frozen=True):
    """One version of the central configuration. `at`: RFC 3339."""

    version: int
    at: str
    who: str
    why: str


class ConfigVersions(Struct, frozen=True):
    """Of `config history`. `workers`: the version that each worker runs."""

    versions: tuple[ListedVersion, ...]
    workers: dict[str, int]


class KeyPairAnswer(Struct, frozen=True, kw_only=True):
    """A key pair. `secret_file`, `protection` None: the secret key is not there."""

    name: str
    id: str
    public_key: str
    public_file: str
    secret_file: str | None
    protection: Literal["password", "open", "unreadable"] | None


class PublicKeyAnswer(Struct, frozen=True):
    """Of `key show`: a public key as one line."""

    id: str
    public_key: str


class PackedAnswer(Struct, frozen=True):
    """Of `module pack`: the bundle that was written. `sha256` is hex."""

    file: str
    name: str
    version: str
    sha256: str


class SignedAnswer(Struct, frozen=True):
    """Of `module sign`: the signature that was written, and the id of its key."""

    file: str
    name: str
    version: str
    key: str


class VerifiedAnswer(Struct, frozen=True):
    """Of `module verify`: what a worker would accept."""

    name: str
    version: str
    sha256: str
    description: str


class PublishedAnswer(Struct, frozen=True):
    """Of `module publish` and `module channel set`, with serial and expiry of the new index."""

    name: str
    version: str
    channel: str
    serial: int
    expires: dt.datetime


class YankedAnswer(Struct, frozen=True):
    """Of `module yank`, with serial and expiry of the new index."""

    name: str
    version: str
    yanked: Literal[True]
    serial: int
    expires: dt.datetime


class IndexAnswer(Struct, frozen=True):
    """Of `module refresh-index`: the new index."""

    serial: int
    expires: dt.datetime


class RedisAccess(Struct, frozen=True):
    """Of `redis password`: how a client reaches the embedded Redis."""

    user: str
    password: str
    host: str
    port: int
