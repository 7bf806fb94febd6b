"""The records of access tokens in Redis: no token, only its SHA-256. All methods raise RedisClientError.

queue/lua/fn_access_tokens.lua has the protocol. Every call may be repeated with the same arguments. The package
`access` makes tokens and checks them.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Literal

import msgspec
from msgspec import Struct

from pageworker_supervisor.queue.functions import Shards, unpacked
from pageworker_supervisor.queue.library import shard_key

SHARD = 0
FLEET = ""
"""In place of a tenant's id: the token is one of the fleet."""
_CHECKED = ("tenant", "scopes", "digest", "expires_at", "revoked_at")

AddReply = Literal["stored", "full"]
RotateReply = Literal["stored", "full", "unknown", "rotated"]


class CheckedToken(Struct, frozen=True, kw_only=True):
    """What a request with a token is checked against. Times in seconds since the epoch."""

    tenant_id: str | None
    """None: it is a token of the fleet."""
    scopes: frozenset[str]
    digest: str
    """SHA-256 of the token's text, in hex."""
    expires_at: float | None
    revoked: bool


class AccessTokenRow(Struct, frozen=True, kw_only=True):
    """One token in a list. Times in seconds since the epoch; None: never."""

    token_id: str
    tenant_id: str | None
    """None: it is a token of the fleet."""
    scopes: tuple[str, ...]
    label: str
    state: Literal["active", "replaced", "expired", "revoked"]
    """`replaced`: another token replaces it, and both are valid until it expires."""
    created_at: float
    expires_at: float | None
    revoked_at: float | None
    replaced_by: str | None


class AccessTokens:
    """The records of one prefix. They are on shard 0, because a token names no tenant."""

    def __init__(self, shards: Shards) -> None:
        self._shards = shards
        self._root = shards.roots[SHARD]

    async def find(self, token_id: str) -> CheckedToken | None:
        """The record of one token; None: there is none, or it was edited by hand and cannot be read."""
        key = shard_key(self._root, "access_token", token_id)
        values = await self._shards.functions.command("HMGET", key, *_CHECKED, key=self._root)
        if values[0] is None:
            return None
        try:
            tenant, scopes, digest, expires_at, revoked_at = (bytes(value or b"").decode() for value in values)
            return CheckedToken(
                tenant_id=tenant or None,
                scopes=frozenset(scopes.split()),
                digest=digest,
                expires_at=_seconds(expires_at),
                revoked=revoked_at != "",
            )
        except ValueError:
            return None

    async def add(
        self, token_id: str, tenant_id: str | None, scopes: Iterable[str], digest: str, label: str, lifetime_ms: int
    ) -> AddReply:
        """Store a new one. `lifetime_ms` 0: it has no end."""
        word = await self._shards.settled_call(
            SHARD,
            "access_token_add",
            id=token_id,
            tenant=tenant_id or FLEET,
            scopes=" ".join(sorted(scopes)),
            digest=digest,
            label=label,
            lifetime_ms=lifetime_ms,
        )
        reply: AddReply = msgspec.convert(bytes(word).decode(), AddReply)
        return reply

    async def rotate(
        self, token_id: str, digest: str, tenant_id: str | None, replaces: str, overlap_ms: int
    ) -> RotateReply:
        """Store a new one with the tenant, scopes, label and lifetime of `replaces`, which ends after the overlap."""
        word = await self._shards.settled_call(
            SHARD,
            "access_token_rotate",
            id=token_id,
            digest=digest,
            tenant=tenant_id or FLEET,
            replaces=replaces,
            overlap_ms=overlap_ms,
        )
        reply: RotateReply = msgspec.convert(bytes(word).decode(), RotateReply)
        return reply

    async def revoke(self, token_id: str, tenant_id: str | None) -> bool:
        """End it now. False: the tenant has no such token."""
        word = await self._shards.settled_call(SHARD, "access_token_revoke", id=token_id, tenant=tenant_id or FLEET)
        return bytes(word) == b"revoked"

    async def of(self, tenant_id: str | None) -> list[AccessTokenRow]:
        """The tenant's tokens, the oldest first; dead ones for a week after their end. Without those that were edited
        by hand and cannot be read."""
        reply = unpacked(await self._shards.call(SHARD, "access_token_list", tenant=tenant_id or FLEET))
        rows = [_row(fields, reply["now_ms"] / 1000) for fields in reply["tokens"]]
        return [row for row in rows if row is not None]


def _row(fields: Mapping[str, Any], now: float) -> AccessTokenRow | None:
    try:
        created_at = int(fields["created_at"]) / 1000
        expires_at, revoked_at = _seconds(fields["expires_at"]), _seconds(fields["revoked_at"])
    except ValueError:
        return None
    state: Literal["active", "replaced", "expired", "revoked"] = "replaced" if fields["replaced_by"] else "active"
    if revoked_at is not None:
        state = "revoked"
    elif expires_at is not None and expires_at <= now:
        state = "expired"
    return AccessTokenRow(
        token_id=fields["id"],
        tenant_id=fields["tenant"] or None,
        scopes=tuple(fields["scopes"].split()),
        label=fields["label"],
        state=state,
        created_at=created_at,
        expires_at=expires_at,
        revoked_at=revoked_at,
        replaced_by=fields["replaced_by"] or None,
    )


def _seconds(milliseconds: str) -> float | None:
    return int(milliseconds) / 1000 if milliseconds else None
