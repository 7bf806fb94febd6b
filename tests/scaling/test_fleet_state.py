"""One reading, put together from its parts."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from pageworker_supervisor.config.scaling_settings import ScalingSettings
from pageworker_supervisor.config.settings import PoolSettings, Settings
from pageworker_supervisor.contract.worker_report import WorkerReport
from pageworker_supervisor.queue.demand import ShardDemand
from pageworker_supervisor.scaling.fleet_state import (
    THROTTLES,
    FleetState,
    IngressState,
    numbers_of,
    pages_per_runner,
    reports_from,
    seen_since,
    state_from,
    stream_age,
    sum_memory,
)
from pageworker_supervisor.telemetry.fleet_metrics import NAMES, expose_fleet

NOW = 1_795_000_000.0
SETTINGS = Settings(pool=PoolSettings(runners=2, pages=4))
NOTHING = IngressState(inbox=0, inbox_seconds=None, left_behind=0, stream=0, stream_seconds=None)


def demand(**fields: Any) -> ShardDemand:
    counts = ["jobs", "delayed", "claimed", "ending", "claims", "due", "leases_expired", "dead_letters", "outbox"]
    counts += ["outbox_due", "other", "workers", "backlogs", "looked", "queued", "runnable", "known", "slots"]
    base: dict[str, Any] = dict.fromkeys(counts, 0)
    base |= {"at_ms": int(NOW * 1000), "known_ms": 0.0, "throttled": {}, "position": ""}
    return ShardDemand(**(base | fields))


def report(**fields: Any) -> WorkerReport:
    base = {
        "worker_id": "w",
        "name": "w.1",
        "host": "h",
        "version": "1",
        "state": "ready",
        "reason": "",
        "tags": (),
        "started_at": NOW,
        "runner_slots": 4,
        "pages": 16,
        "runners_up": 0,
        "jobs_running": 0,
        "draining_until": None,
        "config_version": 0,
        "service_seconds": None,
        "jobs_per_minute": 0.0,
        "memory_bytes": 0,
        "reported_at": NOW,
    }
    return msgspec.convert(base | fields, WorkerReport)


def state(
    *shards: ShardDemand,
    partial: list[float] | None = None,
    ingress: IngressState = NOTHING,
    reports: list[WorkerReport] | None = None,
    pauses: list[bytes] | None = None,
    settings: Settings = SETTINGS,
    last_pages: float | None = None,
) -> FleetState:
    found = shards or (demand(),)
    parts = partial or [1.0] * len(found)
    return state_from(found, parts, ingress, reports or [], pauses or [], None, settings, last_pages)


def test_numbers_of_all_shards_are_added_and_ages_are_the_largest() -> None:
    first = demand(jobs=9, delayed=2, claimed=3, ending=1, oldest_ms=4000, dead_letters=2, heartbeat_ms=1000)
    second = demand(jobs=5, claimed=5, oldest_ms=9000, oldest_due_ms=1500, dead_letters=1, heartbeat_ms=7000)
    found = state(first, second)
    assert found.jobs == {"inbox": 0, "stream": 0, "queued": 3, "delayed": 2, "running": 8, "ending": 1}
    assert found.oldest_seconds["queued"] == 9
    assert found.oldest_seconds["delayed"] == 1.5
    assert found.oldest_seconds["running"] == 0
    assert (found.dead_letters, found.heartbeat_age_seconds) == (3, 7)


def test_the_load_is_what_a_further_worker_could_start() -> None:
    ingress = IngressState(inbox=2, inbox_seconds=1.0, left_behind=1, stream=3, stream_seconds=None)
    shard = demand(runnable=10, known=4, known_ms=8000, due=5, claimed=7, claims=100, slots=4)
    load = state(shard, ingress=ingress).load
    assert load.waiting == 2 + 1 + 3 + 5 + 10
    assert (load.known, load.known_seconds) == (4, 8)
    assert (load.running, load.started) == (7, 100)
    assert load.unshared_pages == 4 * 4 - 10
    assert load.pages_per_worker == 8


def test_jobs_that_the_fleets_limits_keep_are_no_load() -> None:
    shards = (demand(runnable=10, known=10, known_ms=20_000, fleet_spare=4), demand(runnable=6, fleet_spare=50))
    load = state(*shards).load
    assert (load.waiting, load.known, load.known_seconds) == (10, 4, 8)
    kept = state(demand(runnable=10, fleet_spare=0, fleet_reason="fleet_rate"))
    assert kept.load.waiting == 0
    assert kept.throttled_tenants["fleet_rate"] == 1


def test_a_part_of_the_backlogs_stands_for_all() -> None:
    found = state(demand(runnable=10, known=5, known_ms=1000, slots=3), partial=[0.25])
    assert (found.load.waiting, found.load.known, found.load.known_seconds) == (40, 20, 4)
    assert found.backlogs_looked_at == 0.25


@pytest.mark.parametrize("field", ["ending", "outbox_due", "leases_expired", "other"])
def test_other_work_needs_a_worker(field: str) -> None:
    assert state(demand(**{field: 1})).load.other_work
    assert not state(demand(outbox=1, dead_letters=1)).load.other_work


def test_workers_count_by_their_state_and_silent_ones_as_that() -> None:
    reports = [
        report(),
        report(state="draining"),
        report(reported_at=NOW - 31),
        report(reported_at=NOW - 200),
        report(state="failing", pages=4, runner_slots=1),
    ]
    found = state(reports=reports)
    assert found.workers == {"starting": 0, "ready": 1, "draining": 1, "cut_off": 0, "failing": 1, "silent": 1}
    assert found.load.live_workers == 2, "ready and failing"
    assert found.load.pages_per_worker == 12


def test_without_reports_the_heartbeats_count() -> None:
    assert state(demand(workers=3), demand(workers=3)).load.live_workers == 3


def test_pages_of_a_worker_come_from_setting_reports_last_sample_pool_in_this_order() -> None:
    fixed = Settings(scaling=ScalingSettings(pages_per_worker=5))
    assert state(reports=[report()], settings=fixed).load.pages_per_worker == 5
    assert state(reports=[report()], last_pages=3.0).load.pages_per_worker == 16
    assert state(last_pages=3.0).load.pages_per_worker == 3
    assert state().load.pages_per_worker == 8
    assert pages_per_runner([report()], SETTINGS) == 4
    assert pages_per_runner([], Settings(pool=PoolSettings(pages=7))) == 7


def test_only_limits_that_are_known_become_labels() -> None:
    found = state(
        demand(throttled={"tenant_rate": 2, "tenant_paused": 3, "x" * 1000: 4}), demand(throttled={"tenant_rate": 1})
    )
    assert found.throttled_tenants == {**dict.fromkeys(THROTTLES, 0), "tenant_rate": 3}


def test_pauses_count_once_and_only_while_they_are_in_force() -> None:
    later, earlier = int(NOW * 1000) + 1, int(NOW * 1000) - 1
    pauses = [
        b'tacme {"reason": "x"}',
        b'mshop.product {"until_ms": %d}' % later,
        b'mshop.product {"until_ms": %d}' % later,  # on every shard
        b'dslow.test {"until_ms": %d}' % earlier,
        b"tother nonsense",
        b'tdeep {"x": ' + b"[" * 2000 + b"]" * 2000 + b"}",
        b'zwhat {"until_ms": null}',
        b"",
    ]
    assert state(pauses=pauses).paused == {"tenant": 1, "module": 1, "domain": 0, "budget": 0}


def test_reports_are_as_old_as_the_clock_says_that_they_were_written_by() -> None:
    ahead = demand(at_ms=int(NOW * 1000) + 120_000)
    found = state(demand(), ahead, reports=[report()])
    assert (found.at, found.workers["ready"], found.workers["silent"]) == (NOW, 1, 0)


def test_every_number_is_a_metric() -> None:
    shard = demand(dead_letters=4, claimed=5, leases_expired=1, outbox=6, oldest_outbox_ms=7000, heartbeat_ms=8000)
    numbers = numbers_of(state(shard, pauses=[b"tacme {}"]), 3)
    assert set(numbers) == NAMES
    text = expose_fleet(numbers).decode()
    for sample in (
        "pageworker_fleet_dead_letters 4.0",
        "pageworker_fleet_leases 5.0",
        "pageworker_fleet_leases_expired 1.0",
        "pageworker_fleet_outbox_entries 6.0",
        "pageworker_fleet_outbox_oldest_seconds 7.0",
        "pageworker_fleet_heartbeat_age_seconds 8.0",
        'pageworker_fleet_paused{kind="tenant"} 1.0',
        'pageworker_fleet_jobs{state="running"} 5.0',
        'pageworker_fleet_oldest_job_seconds{state="queued"} 0.0',
        'pageworker_fleet_throttled_tenants{reason="tenant_rate"} 0.0',
        'pageworker_fleet_workers{state="ready"} 0.0',
    ):
        assert f"\n{sample}\n" in text
    assert b"pageworker_fleet_wanted_workers 3.0" in expose_fleet(numbers)
    assert b"memory_bytes " not in expose_fleet(numbers), "INFO was refused"


def test_memory_of_all_primaries_is_added() -> None:
    one = {"used_memory": 5, "maxmemory": 10, "evicted_keys": "2"}
    memory = sum_memory([one, {"used_memory": 1}])
    assert (memory.used_bytes, memory.maxmemory_bytes, memory.evicted_keys) == (6, 10, 2)
    text = expose_fleet(numbers_of(replace(state(), memory=memory), 0)).decode()
    assert "\npageworker_fleet_redis_memory_bytes 6.0\n" in text
    assert "\npageworker_fleet_redis_maxmemory_bytes 10.0\n" in text
    assert "\npageworker_fleet_redis_evicted_keys_total 2.0\n" in text


def test_an_id_that_is_no_time_tells_no_age() -> None:
    assert stream_age(None, NOW) is None
    assert stream_age(b"%d-0" % (NOW * 1000 - 1500), NOW) == 1.5
    assert stream_age(b"1-1", NOW) is None
    assert stream_age(b"18446744073709551615-0", NOW) is None
    assert stream_age(b"x", NOW) is None


def test_since_when_texts_wait_is_read_from_the_intakes_record() -> None:
    assert seen_since(b"5abc 7def 3:1700000000500 2:1700000000100", 1700000001000) == 1700000000100
    assert seen_since(b"", 5) == 5
    assert seen_since(b"5abc 7def x:y", 5) == 5


@given(st.binary(max_size=80), st.lists(st.binary(max_size=40), max_size=4))
def test_foreign_bytes_are_no_reports_and_no_error(seen: bytes, texts: list[bytes]) -> None:
    assert seen_since(seen, 10**13) <= 10**15
    assert reports_from(texts) == []
    state(pauses=texts)
