"""What a fleet process reads of the queue and of the workers, put together from its parts. Pure."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import msgspec
from msgspec import Struct

from pageworker_supervisor.config.settings import Settings
from pageworker_supervisor.contract.job_errors import UNREADABLE
from pageworker_supervisor.contract.worker_report import WorkerReport, parse_worker_report
from pageworker_supervisor.queue.demand import ShardDemand
from pageworker_supervisor.scaling.decider import Load
from pageworker_supervisor.telemetry.fleet_metrics import Numbers

WORKER_STATES = ("starting", "ready", "draining", "cut_off", "failing", "silent")
THROTTLES = tuple(
    f"{kind}_{reason}" for kind in ("tenant", "domain", "module", "fleet") for reason in ("concurrency", "rate")
)
"""The values of the label `reason`. What an operator paused is no limit, and counts as `paused`."""
PAUSE_KINDS = {"t": "tenant", "m": "module", "d": "domain", "b": "budget"}
SPANS = re.compile(rb" \d{1,10}:(\d{1,15})(?= |$)")
OLDEST_TEXT_SECONDS = 30 * 86_400.0
"""A producer may give an entry of the stream any id. One that is no time of the last 30 days tells no age."""


class IngressState(Struct, frozen=True, kw_only=True):
    """The producers' list and stream, and those of tenants."""

    inbox: int
    inbox_seconds: float | None
    """Age of the oldest text, as far as it is known."""
    left_behind: int
    """Texts that workers took in, which then fell silent: another worker takes them over."""
    stream: int
    stream_seconds: float | None


class RedisMemory(Struct, frozen=True, kw_only=True):
    """Of all primaries together."""

    used_bytes: int
    maxmemory_bytes: int
    evicted_keys: int


class FleetState(Struct, frozen=True, kw_only=True):
    """One reading of the whole fleet. Ages are seconds; None: there is nothing of that kind, or it is not known."""

    at: float
    """Unix seconds on Redis' clock."""
    jobs: dict[str, int]
    """By state: `inbox`, `stream`, `queued`, `delayed`, `running`, `ending`."""
    oldest_seconds: dict[str, float]
    throttled_tenants: dict[str, int]
    paused: dict[str, int]
    leases_expired: int
    dead_letters: int
    outbox_entries: int
    outbox_oldest_seconds: float | None
    workers: dict[str, int]
    heartbeat_age_seconds: float | None
    memory: RedisMemory | None
    load: Load
    backlogs_looked_at: float
    """Part of the backlogs that is known. Below 1, numbers of waiting jobs are estimates."""


def state_from(
    shards: Sequence[ShardDemand],
    partial: Sequence[float],
    ingress: IngressState,
    reports: Sequence[WorkerReport],
    pauses: Iterable[bytes],
    memory: RedisMemory | None,
    settings: Settings,
    last_pages: float | None,
) -> FleetState:
    """One reading. `partial`: for each shard, the part of its backlogs that was looked at. `last_pages`: pages per
    worker in the last sample, for a fleet without workers."""
    # The clock of shard 0, which has the reports and the samples. Ages are measured by each shard itself.
    at = shards[0].at_ms / 1000
    alive = [report for report in reports if not report.silent(at)]
    workers = Counter("silent" if report.silent(at) else report.state for report in reports if not report.forgotten(at))
    return FleetState(
        at=at,
        jobs={
            "inbox": ingress.inbox + ingress.left_behind,
            "stream": ingress.stream,
            "queued": sum(max(0, each.jobs - each.delayed - each.claimed - each.ending) for each in shards),
            "delayed": sum(each.delayed for each in shards),
            "running": sum(each.claimed for each in shards),
            "ending": sum(each.ending for each in shards),
        },
        oldest_seconds=_oldest(shards, ingress),
        throttled_tenants=_throttled(shards),
        paused=_paused(pauses, at),
        leases_expired=sum(each.leases_expired for each in shards),
        dead_letters=sum(each.dead_letters for each in shards),
        outbox_entries=sum(each.outbox for each in shards),
        outbox_oldest_seconds=_seconds(_largest(each.oldest_outbox_ms for each in shards)),
        workers={state: workers[state] for state in WORKER_STATES},
        heartbeat_age_seconds=_seconds(_largest(each.heartbeat_ms for each in shards)),
        memory=memory,
        load=_load(at, shards, partial, ingress, alive, settings, last_pages),
        backlogs_looked_at=min(partial, default=1.0),
    )


def pages_per_runner(reports: Sequence[WorkerReport], settings: Settings) -> int:
    """Pages of one runner, as the workers report them."""
    slots = sum(report.runner_slots for report in reports)
    return max(1, round(sum(report.pages for report in reports) / slots)) if slots else settings.pool.pages


def numbers_of(state: FleetState, wanted_workers: int) -> Numbers:
    """The metrics of one reading."""
    memory = state.memory
    return {
        "jobs": state.jobs,
        "oldest_job_seconds": state.oldest_seconds,
        "throttled_tenants": state.throttled_tenants,
        "paused": state.paused,
        "leases": state.jobs["running"],
        "leases_expired": state.leases_expired,
        "dead_letters": state.dead_letters,
        "outbox_entries": state.outbox_entries,
        "outbox_oldest_seconds": state.outbox_oldest_seconds or 0.0,
        "workers": state.workers,
        "heartbeat_age_seconds": state.heartbeat_age_seconds,
        "wanted_workers": wanted_workers,
        "redis_up": 1,
        "redis_evicted_keys_total": None if memory is None else memory.evicted_keys,
        "redis_memory_bytes": None if memory is None else memory.used_bytes,
        "redis_maxmemory_bytes": None if memory is None else memory.maxmemory_bytes,
    }


def reports_from(untrusted_texts: Iterable[bytes]) -> list[WorkerReport]:
    """Those that can be read: others may write to Redis, too."""
    return [report for report in map(parse_worker_report, untrusted_texts) if report is not None]


def _load(
    at: float,
    shards: Sequence[ShardDemand],
    partial: Sequence[float],
    ingress: IngressState,
    alive: Sequence[WorkerReport],
    settings: Settings,
    last_pages: float | None,
) -> Load:
    untaken = ingress.inbox + ingress.left_behind + ingress.stream
    runnable = known = slots = known_ms = 0.0
    for each, part in zip(shards, partial, strict=True):
        jobs = each.runnable / part
        # Of jobs that the fleet's limits keep, each is as likely as any other one.
        kept = 1.0 if each.fleet_spare is None or not jobs else min(1.0, each.fleet_spare / jobs)
        runnable += jobs * kept
        known += each.known / part * kept
        known_ms += each.known_ms / part * kept
        slots += each.slots / part * kept
    due = sum(each.due for each in shards)
    return Load(
        at=at,
        waiting=untaken + due + round(runnable),
        known=round(known),
        known_seconds=round(known_ms / 1000, 3),
        unshared_pages=max(0, round(slots * pages_per_runner(alive, settings) - runnable)),
        running=sum(each.claimed for each in shards),
        started=sum(each.claims for each in shards),
        other_work=any(each.ending or each.outbox_due or each.leases_expired or each.other for each in shards),
        live_workers=sum(report.state not in ("draining", "stopped") for report in alive)
        or max(each.workers for each in shards),
        pages_per_worker=_pages_per_worker(alive, settings, last_pages),
    )


def _pages_per_worker(alive: Sequence[WorkerReport], settings: Settings, last_pages: float | None) -> float:
    if settings.scaling.pages_per_worker is not None:
        return float(settings.scaling.pages_per_worker)
    if alive:
        return max(1.0, sum(report.pages for report in alive) / len(alive))
    return max(1.0, last_pages or float(settings.pool.runners * settings.pool.pages))


def _oldest(shards: Sequence[ShardDemand], ingress: IngressState) -> dict[str, float]:
    ages = {
        "inbox": ingress.inbox_seconds,
        "stream": ingress.stream_seconds,
        "queued": _seconds(_largest(each.oldest_ms for each in shards)),
        "runnable": _seconds(_largest(each.oldest_runnable_ms for each in shards)),
        "delayed": _seconds(_largest(each.oldest_due_ms for each in shards)),
        "running": _seconds(_largest(each.oldest_claim_ms for each in shards)),
    }
    return {state: round(age or 0.0, 3) for state, age in ages.items()}


def _throttled(shards: Sequence[ShardDemand]) -> dict[str, int]:
    found = dict.fromkeys(THROTTLES, 0)
    for each in shards:
        for reason, tenants in each.throttled.items():
            if reason in found:
                found[reason] += tenants
        if each.fleet_reason in found and each.runnable:
            found[each.fleet_reason] += 1
    return found


def _paused(untrusted_pauses: Iterable[bytes], at: float) -> dict[str, int]:
    """Pauses by kind. Each comes as its field and its value, `<kind><name> <JSON>`; of one field, one counts."""
    names = set[tuple[str, bytes]]()
    for untrusted_text in untrusted_pauses:
        field, _, value = untrusted_text.partition(b" ")
        kind = PAUSE_KINDS.get(field[:1].decode("latin-1"))
        if kind is not None and not _has_ended(value, at):
            names.add((kind, field))
    counts = Counter(kind for kind, _ in names)
    return {kind: counts[kind] for kind in PAUSE_KINDS.values()}


class _PauseEnd(Struct):
    until_ms: float | None = None


def _has_ended(untrusted_value: bytes, at: float) -> bool:
    try:
        until_ms = msgspec.json.decode(untrusted_value, type=_PauseEnd).until_ms
    except UNREADABLE:
        return True
    return until_ms is not None and until_ms <= at * 1000


def _largest(ages: Iterable[int | None]) -> int | None:
    return max((age for age in ages if age is not None), default=None)


def _seconds(age_ms: int | None) -> float | None:
    return None if age_ms is None else age_ms / 1000


def stream_age(entry_id: bytes | None, at: float) -> float | None:
    """Age of the stream's oldest entry by its id, seconds; None if the id is no time of late."""
    if entry_id is None:
        return None
    begun = entry_id.partition(b"-")[0]
    age = at - int(begun) / 1000 if begun.isdigit() else -1.0
    return age if 0 <= age <= OLDEST_TEXT_SECONDS else None


def seen_since(seen: bytes, now_ms: int) -> int:
    """Since when the oldest text of the list is known to wait, milliseconds; `now_ms` if that is not known. `seen`: see
    intake/list_source.py."""
    return min((int(since) for since in SPANS.findall(seen)), default=now_ms)


def sum_memory(infos: Sequence[Mapping[str, object]]) -> RedisMemory:
    """INFO of each primary, its sections `memory` and `stats` in one map."""

    def total(name: str) -> int:
        return sum(int(str(info.get(name, 0))) for info in infos)

    return RedisMemory(
        used_bytes=total("used_memory"), maxmemory_bytes=total("maxmemory"), evicted_keys=total("evicted_keys")
    )
