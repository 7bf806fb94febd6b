"""The subscriptions of tenants in Redis. All methods raise RedisClientError and may be repeated.

queue/lua/subscription.lua has what they do, queue/lua/fn_subscriptions.lua the protocol. They are on the shard of their
tenant: the function that stores a result reads them.
"""

import re
import secrets
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from msgspec import Struct

from pageworker_supervisor.queue.functions import Shards, unpacked

_ID = re.compile(r"sub_[0-9a-f]{16}", re.ASCII)


class Subscription(Struct, frozen=True, kw_only=True):
    """One subscription. Times in seconds since the epoch; None: never. `modules` empty: all. `reason`: why it is
    disabled. `failing_since`: the first try in vain since the last delivery. `waiting`: events that are still to be
    delivered; `dropped`: those that were not kept because too many waited."""

    subscription_id: str
    tenant_id: str
    url: str
    events: tuple[str, ...]
    modules: tuple[str, ...]
    state: Literal["active", "disabled"]
    reason: str | None
    created_at: float
    failing_since: float | None
    delivered_at: float | None
    waiting: int
    dropped: int


class AddedSubscription(Struct, frozen=True):
    """`known`: the tenant had the same one before."""

    subscription: Subscription
    known: bool


def new_subscription_id() -> str:
    """Not guessable: it is in events and logs only."""
    return f"sub_{secrets.token_hex(8)}"


def is_subscription_id(untrusted_text: str) -> bool:
    """True for the form of `new_subscription_id`."""
    return _ID.fullmatch(untrusted_text) is not None


class Subscriptions:
    """The subscriptions of one prefix."""

    def __init__(self, shards: Shards) -> None:
        self._shards = shards

    async def add(
        self, tenant_id: str, subscription_id: str, url: str, events: Sequence[str], modules: Sequence[str]
    ) -> AddedSubscription | None:
        """Add one, or find the same one of the tenant, and enable it again. None: the tenant has as many as it may
        have."""
        reply = unpacked(
            await self._shards.settled_call(
                self._shards.of(tenant_id),
                "subscription_add",
                id=subscription_id,
                tenant=tenant_id,
                url=url,
                events=" ".join(events),
                modules=" ".join(modules),
            )
        )
        if reply["word"] == "full":
            return None
        return AddedSubscription(_subscription(tenant_id, reply["subscription"]), reply["word"] == "known")

    async def remove(self, tenant_id: str, subscription_id: str) -> bool:
        """End it. What it still waits for is not sent any more. False: the tenant has no such one."""
        return bool(
            await self._shards.settled_call(
                self._shards.of(tenant_id), "subscription_remove", tenant=tenant_id, id=subscription_id
            )
        )

    async def of(self, tenant_id: str) -> list[Subscription]:
        """Those of a tenant, the oldest first."""
        rows = unpacked(await self._shards.call(self._shards.of(tenant_id), "subscription_list", tenant=tenant_id))
        # Lua packs an empty list as an empty map.
        return [_subscription(tenant_id, row) for row in rows or []]


def _subscription(tenant_id: str, fields: Mapping[str, Any]) -> Subscription:
    return Subscription(
        subscription_id=fields["id"],
        tenant_id=tenant_id,
        url=fields["url"],
        events=tuple(fields["events"].split()),
        modules=tuple(fields["modules"].split()),
        state="disabled" if fields["disabled_at"] else "active",
        reason=fields["reason"] or None,
        created_at=_seconds(fields["created_at"]) or 0.0,
        failing_since=_seconds(fields["failing_since"]),
        delivered_at=_seconds(fields["delivered_at"]),
        waiting=max(0, _whole(fields["waiting"])),
        dropped=_whole(fields["dropped"]),
    )


# A record may have been edited by hand.


def _seconds(milliseconds: str) -> float | None:
    return int(milliseconds) / 1000 if milliseconds.isdecimal() else None


def _whole(digits: str) -> int:
    return int(digits) if digits.isdecimal() else 0
