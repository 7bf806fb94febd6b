"""What waits in the inboxes of tenants, for the fleet process: which tenants have one, and how much is there."""

import re
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from pageworker_supervisor.config.settings import Settings
from pageworker_supervisor.contract.job import TENANT_ID
from pageworker_supervisor.queue.config_store import ConfigStore, texts_of
from pageworker_supervisor.queue.errors import ConfigStoreDamaged
from pageworker_supervisor.redis_client import RedisClient
from pageworker_supervisor.scaling.fleet_state import stream_age

TENANTS_PER_CALL = 500
"""A script takes about a millisecond, in which Redis serves no other client."""
MARKED = 20
"""Lists of a script whose first text is read: it may be long."""
_CENTRAL_TENANT = re.compile(r"^tenants\.([a-z0-9-]{1,63})(?:\.|\Z)")

# KEYS: lists. ARGV: most marks. Returns for each list that is not empty: its position, length and a mark of its first
# text.
_LISTS = """
local found = {}
for at = 1, #KEYS do
  local length = redis.pcall('LLEN', KEYS[at])
  if type(length) == 'number' and length > 0 then
    local mark = ''
    if #found < tonumber(ARGV[1]) then
      local text = redis.call('LINDEX', KEYS[at], 0)
      mark = #text .. redis.sha1hex(string.sub(text, 1, 512) .. string.sub(text, -512))
    end
    found[#found + 1] = { at - 1, length, mark }
  end
end
return found
"""

# KEYS: streams. Returns for each stream that is not empty: its position, length and the id of its first entry.
_STREAMS = """
local found = {}
for at = 1, #KEYS do
  local length = redis.pcall('XLEN', KEYS[at])
  if type(length) == 'number' and length > 0 then
    local first = redis.call('XRANGE', KEYS[at], '-', '+', 'COUNT', 1)[1]
    found[#found + 1] = { at - 1, length, first and first[1] or '' }
  end
end
return found
"""

# KEYS: workers, a sorted set. ARGV: start of the processing lists, seconds of silence, most workers. Returns how many
# texts silent workers have left behind.
_LEFT = """
local left = 0
local silent = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', redis.call('TIME')[1] - ARGV[2], 'LIMIT', 0, ARGV[3])
for _, worker in ipairs(silent) do
  left = left + redis.call('LLEN', ARGV[1] .. worker)
end
return left
"""

# On a Cluster. KEYS: workers, a set. ARGV: start of the processing lists. Returns each worker and its number of texts.
_TAKEN = """
local found = {}
for _, worker in ipairs(redis.call('SMEMBERS', KEYS[1])) do
  found[#found + 1] = { worker, redis.call('LLEN', ARGV[1] .. worker) }
end
return found
"""


class TenantBacklog(Struct, frozen=True, kw_only=True):
    """All inboxes of tenants together. Ages: of the oldest text, as far as it is known; None: there is none."""

    texts: int = 0
    texts_seconds: float | None = None
    left_behind: int = 0
    entries: int = 0
    entries_seconds: float | None = None


def inbox_tenants(settings: Settings, central: Mapping[str, str]) -> tuple[str, ...]:
    """The tenants whose inboxes workers read. `central`: name and JSON text of each value of the central
    configuration, of which the fleet process follows nothing else."""
    given = settings.ingress.per_tenant
    for name in ("ingress.tenant_inboxes", "ingress.require_origin"):
        given = given or central.get(name) == "true"
    if not given:
        return ()
    names = dict.fromkeys(name for name in settings.tenants if re.match(TENANT_ID, name))
    found = (_CENTRAL_TENANT.match(name) for name in central)
    return tuple(names | dict.fromkeys(match[1] for match in found if match))


class TenantBacklogReader:
    """Reads them. Remembers between two readings since when the first text of a list has been there."""

    def __init__(self, redis_client: RedisClient, store: ConfigStore, settings: Settings, silent_seconds: int) -> None:
        """`redis_client`: of the Redis that producers push to."""
        self._redis_client = redis_client
        self._store = store
        self._settings = settings
        self._silent_seconds = silent_seconds
        self._prefix = settings.redis.prefix
        self._first: dict[str, tuple[bytes, float]] = {}
        """By tenant: the mark of the first text, and since when it is known (monotonic seconds)."""
        self._digest: str | None = None
        self._tenants: tuple[str, ...] = ()

    async def read(self, at: float) -> TenantBacklog:
        """One reading. `at`: Unix seconds on Redis' clock. Raises RedisClientError."""
        tenants = await self._inbox_tenants()
        if not tenants:
            return TenantBacklog()
        lists = await self._rows(_LISTS, [f"{self._prefix}:inbox:{name}" for name in tenants], MARKED)
        streams = await self._rows(_STREAMS, [f"{self._prefix}:jobs:{name}" for name in tenants])
        ages = [age for _, _, first in streams if (age := stream_age(first, at)) is not None]
        return TenantBacklog(
            texts=sum(length for _, length, _ in lists),
            texts_seconds=self._oldest_text([(tenants[place], mark) for place, _, mark in lists]),
            left_behind=await self._left_behind(tenants),
            entries=sum(length for _, length, _ in streams),
            entries_seconds=max(ages, default=None),
        )

    async def _inbox_tenants(self) -> tuple[str, ...]:
        if self._settings.config.central == "off":
            return inbox_tenants(self._settings, {})
        state = await self._store.state()
        if state.digest != self._digest:
            self._digest = state.digest
            try:
                central = texts_of(state.document) if state.document else {}
            except ConfigStoreDamaged:
                central = {}
            self._tenants = inbox_tenants(self._settings, central)
        return self._tenants

    async def _rows(self, script: str, keys: Sequence[str], *words: int) -> list[Any]:
        """The rows of all scripts, with their positions among `keys`."""
        step = 1 if self._redis_client.is_cluster else TENANTS_PER_CALL
        parts = [keys[at : at + step] for at in range(0, len(keys), step)]
        replies = await self._redis_client.send_each(
            [(part[0], ("EVAL", script, len(part), *part, *words)) for part in parts]
        )
        return [
            (number * step + place, length, first)
            for number, rows in enumerate(replies)
            for place, length, first in rows
        ]

    def _oldest_text(self, marks: Iterable[tuple[str, bytes]]) -> float | None:
        now = time.monotonic()
        before, self._first = self._first, {}
        for tenant, mark in marks:
            known = before.get(tenant)
            self._first[tenant] = known if known and mark and known[0] == mark else (mark, now)
        return max((now - since for _, since in self._first.values()), default=None)

    async def _left_behind(self, tenants: Collection[str]) -> int:
        inbox = f"{self._prefix}:inbox"
        workers = f"{{{inbox}}}:tenants:workers"
        if not self._redis_client.is_cluster:
            words = (f"{{{inbox}}}:tenants:processing:", self._silent_seconds, MARKED * 10)
            return int(await self._redis_client.send("EVAL", _LEFT, 1, workers, *words, key=workers))
        seconds, _ = await self._redis_client.send("TIME", key=workers)
        since = int(seconds) - self._silent_seconds
        alive = set(await self._redis_client.send("ZRANGEBYSCORE", workers, since, "+inf", key=workers))
        rows = await self._redis_client.send_each(
            [
                (
                    f"{inbox}:{name}",
                    ("EVAL", _TAKEN, 1, f"{{{inbox}:{name}}}:workers", f"{{{inbox}:{name}}}:processing:"),
                )
                for name in tenants
            ]
        )
        return sum(count for found in rows for worker, count in found if worker not in alive)
