"""Listings cost what they list, are complete, and go on where a page ended."""

import time

import pytest
from pw_queue import QueueHarness, everything, places, ref, ticket

from pageworker_supervisor.queue.producer import QuotaLimits
from pageworker_supervisor.queue.views import JobView, ListedState

MANY = 20_000
LISTINGS: tuple[tuple[ListedState | None, str | None], ...] = (
    ("running", None),
    ("storing", None),
    ("delayed", None),
    ("finishing", None),
    (None, "small"),
    ("queued", "small"),
)
"""States and tenants."""


async def listed(
    harness: QueueHarness, state: ListedState | None = None, tenant: str | None = None, count: int = 500
) -> list[JobView]:
    """All pages."""
    found: list[JobView] = []
    cursor = None
    while True:
        page = await harness.inspection.jobs(state, tenant, cursor, count)
        assert len(page.jobs) <= count
        found += page.jobs
        cursor = page.cursor
        if cursor is None:
            return found


async def backlog(harness: QueueHarness, tenant: str, count: int, **fields: object) -> None:
    for first in range(0, count, 1000):
        await harness.producer.enqueue(
            [ticket(f"j{n}", tenant, **fields) for n in range(first, min(count, first + 1000))]
        )


async def test_every_state_is_listed_and_each_job_once(harness: QueueHarness) -> None:
    one = QuotaLimits(concurrency=1)
    await harness.producer.enqueue(
        [
            *(ticket(f"q{n}", concurrency=3) for n in range(10)),
            *(ticket(f"h{n}", priority="high", concurrency=3) for n in range(3)),
            *(ticket(f"d{n}", domain="x.test", domain_limits=one, concurrency=3) for n in range(4)),
            *(ticket(f"p{n}", profile_id="p", concurrency=3) for n in range(4)),
            *(ticket(f"later{n}", delay_ms=60_000) for n in range(5)),
            *(ticket(f"o{n}", "acme-2") for n in range(5)),
        ]
    )
    running = {lease.ref for lease in await harness.take(capacity=places(new=2, pages=2, limit=3))}
    for name in ("later0", "q9"):
        await harness.inspection.cancel(ref(name))
    for count in (1, 3, 500):
        views = await listed(harness, count=count)
        names = [(view.tenant_id, view.job_id) for view in views]
        assert len(names) == len(set(names)) == 31
        states = {name: view.state for name, view in zip(names, views, strict=True)}
        assert {name for name, state in states.items() if state == "running"} == {
            (r.tenant_id, r.job_id) for r in running
        }
        assert {name for name, state in states.items() if state == "ending"} == {("acme", "later0"), ("acme", "q9")}
        assert sum(state == "delayed" for state in states.values()) == 4
        for state in ("queued", "delayed", "running", "ending"):
            of_state = {(v.tenant_id, v.job_id) for v in await listed(harness, state, count=count)}
            assert of_state == {name for name, has in states.items() if has == state}
            of_tenant = {(v.tenant_id, v.job_id) for v in await listed(harness, state, "acme", count)}
            assert of_tenant == {name for name in of_state if name[0] == "acme"}


async def test_what_is_being_written_off_does_not_run(harness: QueueHarness) -> None:
    await harness.producer.enqueue([ticket("j1")])
    await harness.inspection.cancel(ref("j1"))
    lease = await harness.one()
    assert [view.state for view in await listed(harness, "finishing")] == ["finishing"]
    assert await listed(harness, "running") == []
    assert await listed(harness, "ending") == []
    await harness.finish([lease])


async def test_a_listing_does_not_look_at_what_it_does_not_list(harness: QueueHarness) -> None:
    """Commands count, not seconds: as many as without the others' backlog."""
    await harness.producer.enqueue([ticket(f"s{n}", "small") for n in range(6)])
    await harness.producer.enqueue([ticket(f"late{n}", "small", delay_ms=10**8) for n in range(3)])
    await harness.inspection.cancel(ref("s5", "small"))
    leases = await harness.take(capacity=everything(3))
    await harness.consumer.store(next(lease for lease in leases if lease.ending is None))
    alone = {listing: await _commands(harness, *listing) for listing in LISTINGS}
    await backlog(harness, "huge", MANY)
    await backlog(harness, "other", 1000)
    for listing in LISTINGS:
        assert await _commands(harness, *listing) <= alone[listing] + 2, listing
    await harness.finish(leases)


async def _commands(harness: QueueHarness, state: ListedState | None, tenant: str | None) -> int:
    await harness.client.config_resetstat()
    views = await listed(harness, state, tenant, count=50)
    assert views
    stats = await harness.client.info("commandstats")
    return sum(row["calls"] for name, row in stats.items() if not name.startswith(("cmdstat_config", "cmdstat_info")))


async def test_what_runs_is_found_beside_a_huge_backlog_in_milliseconds(harness: QueueHarness) -> None:
    await backlog(harness, "huge", MANY)
    leases = await harness.take(capacity=everything(3))
    seconds = []
    for _ in range(3):
        started = time.perf_counter()
        assert {view.job_id for view in await listed(harness, "running")} == {lease.job_id for lease in leases}
        seconds.append(time.perf_counter() - started)
    assert min(seconds) < 0.1, "a slow listing is slow each time, a busy host is not"


async def test_pages_go_on_though_the_backlog_is_served_meanwhile(harness: QueueHarness) -> None:
    """What stays is seen once; no waiting job is skipped because those before it have left."""
    await backlog(harness, "acme", 300)
    seen: list[str] = []
    page = await harness.inspection.jobs("queued", count=100)
    seen += [view.job_id for view in page.jobs]
    served: set[str] = set()
    while page.cursor is not None:
        for lease in await harness.take(capacity=everything(30)):
            served.add(lease.job_id)
            await harness.finish([lease])
        page = await harness.inspection.jobs("queued", cursor=page.cursor, count=20)
        seen += [view.job_id for view in page.jobs]
    assert len(seen) == len(set(seen))
    assert {f"j{n}" for n in range(300)} - set(seen) <= served


async def test_a_backlog_of_void_entries_ends_and_stays_bounded(harness: QueueHarness) -> None:
    await backlog(harness, "acme", 2_000)
    for number in range(2_000):
        await harness.inspection.cancel(ref(f"j{number}"))
    assert await listed(harness, "queued") == []
    assert len(await listed(harness, "ending", "acme")) == 2_000


@pytest.mark.parametrize("cursor", ["", "7:queued:", "0:nowhere:", "x", "0:claimed:x", "²:queued:"])
async def test_a_cursor_that_no_listing_gave_is_refused(harness: QueueHarness, cursor: str) -> None:
    if not cursor:
        assert (await harness.inspection.jobs(cursor=cursor)).cursor is None
        return
    with pytest.raises(ValueError, match="cursor"):
        await harness.inspection.jobs(cursor=cursor)
