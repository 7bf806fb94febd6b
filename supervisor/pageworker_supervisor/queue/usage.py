"""What the jobs of tenants used, by the hour in which they ended (queue/lua/usage.lua). Kept for 400 days."""

import re
from collections.abc import Iterator, Sequence

from msgspec import Struct

from pageworker_supervisor.contract.traffic import Traffic
from pageworker_supervisor.queue.functions import Shards, unpacked
from pageworker_supervisor.queue.library import USAGE_NUMBERS

DAY_SECONDS = 86_400
KEPT_DAYS = 400
DAYS_PER_CALL = 31
"""A day is a key. A call that reads too many keys keeps Redis from other clients."""
OUTCOMES = USAGE_NUMBERS[4:]

_HOUR = re.compile(r"1?[0-9]|2[0-3]", re.ASCII)
_NUMBER = re.compile(r"[0-9]{1,16}", re.ASCII)


class JobSpending(Struct, frozen=True):
    """What all attempts of a job that ends used together."""

    page_seconds: float
    traffic: Traffic

    def request(self) -> dict[str, int]:
        """As `finish` takes it."""
        return {
            "page_ms": round(self.page_seconds * 1000),
            "requests": self.traffic.requests,
            "bytes_in": self.traffic.bytes_in,
            "bytes_out": self.traffic.bytes_out,
        }


class UsageHour(Struct, frozen=True, kw_only=True):
    """One hour of one tenant: what the jobs that ended in it used, and how many ended how.

    `hour`: its start, seconds since the epoch. `jobs`: number by status of the result; only those that occurred.
    """

    tenant_id: str
    hour: int
    page_seconds: float
    requests: int
    bytes_in: int
    bytes_out: int
    jobs: dict[str, int]


class UsageRecords:
    """The records of a tenant are on its shard. All methods raise RedisClientError."""

    def __init__(self, shards: Shards) -> None:
        self._shards = shards

    async def last_days(self, tenant_id: str, days: int) -> list[UsageHour]:
        """The hours with jobs of the last days, today included, on the clock of Redis, which counts them."""
        root = self._shards.roots[self._shards.of(tenant_id)]
        seconds, _microseconds = await self._shards.functions.command("TIME", key=root)
        return await self.read(tenant_id, int(seconds) // DAY_SECONDS - days + 1, days)

    async def read(self, tenant_id: str, first_day: int, days: int) -> list[UsageHour]:
        """The hours with jobs of these days (UTC, days since the epoch), the oldest first."""
        found: list[UsageHour] = []
        for at in range(first_day, first_day + days, DAYS_PER_CALL):
            some = min(DAYS_PER_CALL, first_day + days - at)
            reply = await self._shards.call(
                self._shards.of(tenant_id), "read_usage", tenant=tenant_id, first=at, days=some
            )
            found += usage_hours(tenant_id, unpacked(reply))
        return found


def usage_hours(tenant_id: str, rows: Sequence[tuple[int, str, str]]) -> list[UsageHour]:
    """The rows of `read_usage` in their order. Leaves out what was edited by hand and cannot be read."""
    return sorted(_hours(tenant_id, rows), key=lambda row: row.hour)


def _hours(tenant_id: str, rows: Sequence[tuple[int, str, str]]) -> Iterator[UsageHour]:
    for day, hour, text in rows:
        numbers = text.split(" ")
        readable = _HOUR.fullmatch(hour) and all(map(_NUMBER.fullmatch, numbers))
        if not readable or len(numbers) != len(USAGE_NUMBERS):
            continue
        page_ms, requests, bytes_in, bytes_out, *ended = map(int, numbers)
        yield UsageHour(
            tenant_id=tenant_id,
            hour=day * DAY_SECONDS + int(hour) * 3600,
            page_seconds=page_ms / 1000,
            requests=requests,
            bytes_in=bytes_in,
            bytes_out=bytes_out,
            jobs={name: count for name, count in zip(OUTCOMES, ended, strict=True) if count},
        )
