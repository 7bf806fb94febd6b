"""From texts to the queue: order, rejections, waits, and readings that may be repetitions."""

import asyncio
import errno
import os
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import structs
from pw_doubles import any_typed
from pw_intake import ADMISSION, job
from pw_modules.author import Author, packed
from pw_proxies import policies

from pageworker_sandbox.page_rules import options_digest, parse_options
from pageworker_sandbox.wire.page_options import PageOptions
from pageworker_supervisor.config.egress_budget import EgressBudgets
from pageworker_supervisor.config.live import Live
from pageworker_supervisor.config.module_isolation import ModuleIsolation
from pageworker_supervisor.config.module_settings import ModuleSettings
from pageworker_supervisor.config.settings import EgressSettings, JobSettings, TenantSettings
from pageworker_supervisor.config.tenant_lookup import ProfilePages
from pageworker_supervisor.contract.context_key import NO_EGRESS, egress_digest
from pageworker_supervisor.contract.isolation import Isolation
from pageworker_supervisor.intake import enqueuer as enqueuer_module
from pageworker_supervisor.intake.admission import Admission, RejectedText, missing_field
from pageworker_supervisor.intake.arrival import Arrival
from pageworker_supervisor.intake.enqueuer import Enqueuer, ModuleContext
from pageworker_supervisor.queue.producer import Enqueued, NewJob
from pageworker_supervisor.redis_client import Availability
from pageworker_supervisor.redis_client.errors import OutOfMemory
from pageworker_supervisor.registry import Registry
from pageworker_supervisor.telemetry import log
from pageworker_supervisor.telemetry.metrics import Metrics


class RecordingQueue:
    """Keeps what it is given; refuses the first `failures` calls."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.queued: list[NewJob] = []
        self.full: set[str] = set()
        self.readings: list[str] = []
        self.rejected: list[tuple[Any, ...]] = []
        self.batches: list[str | None] = []
        self.bounds: list[str | None] = []
        self.tenants: list[str | None] = []

    async def enqueue(self, new_jobs: Sequence[NewJob], reading: str = "") -> list[Enqueued]:
        if self.failures:
            self.failures -= 1
            raise OutOfMemory("full")
        self.queued += new_jobs
        self.readings.append(reading)
        return ["full" if new_job.job_id in self.full else "queued" for new_job in new_jobs]

    async def reject(self, *arguments: Any, bound: str | None, tenant: str | None, batch: str | None) -> None:
        self.rejected.append(arguments)
        self.batches.append(batch)
        self.bounds.append(bound)
        self.tenants.append(tenant)


async def probe() -> None:
    """Redis always answers."""


async def with_context(new_job: NewJob) -> NewJob:
    return structs.replace(new_job, egress=f"hosts-of-{new_job.module[0]}")


def enqueuer(queue: RecordingQueue, metrics: Metrics | None = None) -> Enqueuer:
    return Enqueuer(any_typed(queue), Availability(probe), ADMISSION, metrics or Metrics(), with_context)


def arrivals(count: int) -> list[Arrival]:
    return [Arrival(job(number), waited_ms=1000 * number) for number in range(count)]


async def test_jobs_are_queued_in_their_order_with_wait_and_egress() -> None:
    queue = RecordingQueue()
    await enqueuer(queue).admit(arrivals(3))
    assert [new_job.job_id for new_job in queue.queued] == ["acme-0", "acme-1", "acme-2"]
    assert [new_job.waited_ms // 1000 for new_job in queue.queued] == [0, 1, 2]
    assert {new_job.egress for new_job in queue.queued} == {"hosts-of-echo"}


async def test_texts_that_are_no_jobs_are_rejected_and_counted() -> None:
    queue, metrics = RecordingQueue(), Metrics()
    await enqueuer(queue, metrics).admit([Arrival(b"no job"), *arrivals(1)], [missing_field(b'{"x": 1}')])
    assert [arguments[0] for arguments in queue.rejected] == [b'{"x": 1}', b"no job"]
    assert [new_job.job_id for new_job in queue.queued] == ["acme-0"]
    assert metrics.totals()["intake_rejections"] == 2


async def test_rejections_of_unknown_tenants_count_together() -> None:
    queue = any_typed(RecordingQueue())
    admission = Admission({"acme": TenantSettings()}, {}, JobSettings())
    strict = Enqueuer(queue, Availability(probe), admission, Metrics(), with_context)
    await strict.admit([Arrival(job(0, tenant="mallory")), Arrival(job(1, misspelt=1))])
    assert queue.bounds == ["*", None]


async def test_a_text_that_cannot_be_checked_is_rejected_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def decide(admission: Admission, untrusted_text: bytes, origin: str | None) -> list[NewJob | RejectedText]:
        if untrusted_text == b"strange":
            raise RecursionError("a bug")
        return checked(admission, untrusted_text, origin)

    checked = Admission.decide
    monkeypatch.setattr(Admission, "decide", decide)
    lines: list[str] = []
    handler = log.add(lines.append, format="{level} {message}")
    queue, metrics = RecordingQueue(), Metrics()
    try:
        await enqueuer(queue, metrics).admit([Arrival(b"strange", origin="acme"), *arrivals(1)])
    finally:
        log.remove(handler)
    assert [arguments[0] for arguments in queue.rejected] == [b"strange"]
    assert queue.tenants == ["acme"]
    assert [new_job.job_id for new_job in queue.queued] == ["acme-0"]
    assert metrics.totals()["intake_rejections"] == 1
    (line,) = [line for line in lines if line.startswith("ERROR a text could not be checked")]
    assert "RecursionError: a bug" in line


async def test_a_first_reading_has_a_name_and_a_repeated_one_has_none() -> None:
    queue = RecordingQueue()
    await enqueuer(queue).admit(arrivals(1))
    await enqueuer(queue).admit(arrivals(1))
    await enqueuer(queue).admit(arrivals(1), repeated=True)
    first, second, repeated = queue.readings
    assert first
    assert second
    assert first != second
    assert repeated == ""


async def test_nothing_to_admit_is_no_call() -> None:
    queue = RecordingQueue()
    await enqueuer(queue).admit([])
    assert queue.readings == []


async def test_a_refused_call_is_repeated_and_its_time_counts_as_waiting() -> None:
    queue = RecordingQueue(failures=2)
    await enqueuer(queue).admit(arrivals(1))
    assert [new_job.job_id for new_job in queue.queued] == ["acme-0"]
    assert queue.queued[0].waited_ms >= 0


NO_PROFILES = ProfilePages({})
ISOLATION = ModuleIsolation(Live(ModuleSettings()))
NO_BUDGETS = EgressBudgets(Live(EgressSettings()), Live({}))


async def egress(modules: ModuleContext, name: str, pin: str | None) -> str:
    return (await modules.with_context(new_job((name, pin)))).egress


def new_job(
    module: tuple[str, str | None] = ("shop.product", None),
    profile_id: str | None = None,
    page: PageOptions = PageOptions(),
    proxy_wish: str | None = None,
    tenant_id: str = "acme",
) -> NewJob:
    return NewJob(
        job_id="j",
        tenant_id=tenant_id,
        body=b"",
        module=module,
        profile_id=profile_id,
        page=page,
        proxy_wish=proxy_wish,
    )


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "registry"


async def test_a_job_is_queued_with_the_set_of_its_release(place: Path, tmp_path: Path) -> None:
    author = Author()
    await author.publish(place, packed(version="1.0.0", more='egress = ["a.test"]\n'))
    await author.publish(place, packed(version="2.0.0", more='egress = ["B.test.", "a.test"]\n'))
    modules = ModuleContext(
        await Registry.open(place, author.trust, tmp_path / "state"), NO_PROFILES, policies(), NO_BUDGETS, ISOLATION
    )
    assert await egress(modules, "shop.product", None) == egress_digest(["a.test", "b.test"])
    assert await egress(modules, "shop.product", "1.0.0") == egress_digest(["a.test"])
    assert await egress(modules, "shop.product", "3.0.0") == NO_EGRESS
    assert await egress(modules, "shop.unknown", None) == NO_EGRESS


async def test_a_registry_that_is_away_holds_up_the_first_job_only(place: Path, tmp_path: Path) -> None:
    author = Author()
    await author.publish(place, packed(more='egress = ["a.test"]\n'))
    registry = await Registry.open(place, author.trust, tmp_path / "state")
    shutil.rmtree(place)
    modules = ModuleContext(registry, NO_PROFILES, policies(), NO_BUDGETS, ISOLATION)
    assert await egress(modules, "shop.product", None) == NO_EGRESS
    await author.publish(place, packed(more='egress = ["a.test"]\n'))
    assert await egress(modules, "shop.product", None) == NO_EGRESS, "it rests"
    modules._backoff_until = time.monotonic()
    assert await egress(modules, "shop.product", None) == egress_digest(["a.test"])


async def test_a_worker_without_free_descriptors_queues_the_job_all_the_same(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    author = Author()
    await author.publish(place, packed(more='egress = ["a.test"]\n'))
    registry = await Registry.open(place, author.trust, tmp_path / "state")
    modules = ModuleContext(registry, NO_PROFILES, policies(), NO_BUDGETS, ISOLATION)

    async def no_descriptor(release: object) -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    with monkeypatch.context() as patch:
        patch.setattr(registry, "bundle", no_descriptor)
        assert await egress(modules, "shop.product", None) == NO_EGRESS
    modules._backoff_until = time.monotonic()
    assert await egress(modules, "shop.product", None) == egress_digest(["a.test"])


async def test_a_slow_registry_holds_up_no_longer_than_a_moment(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    author = Author()
    await author.publish(place, packed(more='egress = ["a.test"]\n'))
    registry = await Registry.open(place, author.trust, tmp_path / "state")
    asked = 0

    async def never(release: object) -> None:
        nonlocal asked
        asked += 1
        await asyncio.Event().wait()

    monkeypatch.setattr(registry, "bundle", never)
    monkeypatch.setattr(enqueuer_module, "FETCH_SECONDS", 0.05)
    modules = ModuleContext(registry, NO_PROFILES, policies(), NO_BUDGETS, ISOLATION)
    for _ in range(3):
        assert await egress(modules, "shop.product", None) == NO_EGRESS
    assert asked == 1


async def test_a_job_is_queued_with_the_options_of_module_profile_and_job(place: Path, tmp_path: Path) -> None:
    author = Author()
    page = '[page]\nlocale = "de-DE"\ncolor_scheme = "dark"\njob_may_set = ["locale"]\n'
    await author.publish(place, packed(more=page))
    tenant = TenantSettings(block=("image",))
    profiles = ProfilePages({"acme/lyon-*": {"locale": "fr-FR", "color_scheme": "light"}}, lambda _: tenant)
    modules = ModuleContext(
        await Registry.open(place, author.trust, tmp_path / "state"), profiles, policies(), NO_BUDGETS, ISOLATION
    )
    asked = parse_options({"locale": "it-IT"})
    for asked_for, options in (
        (new_job(), {"locale": "de-DE", "color_scheme": "dark"}),
        (new_job(profile_id="lyon-1"), {"locale": "fr-FR"}),
        (new_job(profile_id="bonn-1", page=asked), {"locale": "it-IT", "color_scheme": "dark"}),
        (new_job(profile_id="lyon-1", page=asked), {"locale": "it-IT"}),
    ):
        wanted = parse_options({**options, "block": ["image"]})
        assert (await modules.with_context(asked_for)).options == options_digest(wanted)
    refused = new_job(page=parse_options({"has_touch": True}))
    assert (await modules.with_context(refused)).options == "", "the worker that runs it rejects it"


async def test_a_job_above_its_tenants_cap_is_rejected() -> None:
    queue, metrics = RecordingQueue(), Metrics()
    queue.full = {"acme-1"}
    await enqueuer(queue, metrics).admit(arrivals(3))
    ((raw, reason, identity, result, *_),) = queue.rejected
    assert raw == job(1)
    assert str(identity) == "acme/acme-1"
    assert reason.startswith("tenant acme has as many jobs as it may have: 1000000 jobs or 1073741824 bytes; push")
    error = msgspec.json.decode(result)["error"]
    assert (error["type"], error["retryable"]) == ("queue_full", True)
    assert b'pageworker_intake_rejections_total{reason="queue_full"} 1.0' in metrics.expose()


async def test_a_job_is_queued_with_the_policy_of_job_module_or_tenant(place: Path, tmp_path: Path) -> None:
    author = Author()
    await author.publish(place, packed(more='proxy = "module"\n'))
    await author.publish(place, packed("shop.plain"))
    proxies = policies({name: {} for name in ("job", "module", "tenant")}, {"acme": {"proxy": "tenant"}})
    registry = await Registry.open(place, author.trust, tmp_path / "state")
    modules = ModuleContext(registry, NO_PROFILES, proxies, NO_BUDGETS, ISOLATION)
    for job_, policy in (
        (new_job(proxy_wish="job"), "job"),
        (new_job(), "module"),
        (new_job(proxy_wish="direct"), ""),
        (new_job(module=("shop.plain", None)), "tenant"),
        (new_job(module=("shop.plain", None), tenant_id="other"), ""),
        (new_job(proxy_wish="gone"), ""),
    ):
        assert (await modules.with_context(job_)).proxy == policy


async def test_a_job_with_a_budget_waits_for_a_runner_with_one_page(place: Path, tmp_path: Path) -> None:
    author = Author()
    await author.publish(place, packed(more="[egress]\nbudget_requests = 5\n"))
    await author.publish(place, packed("shop.plain"))
    registry = await Registry.open(place, author.trust, tmp_path / "state")
    tenants = {"small": TenantSettings(egress_budget_bytes=10)}
    modules = ModuleContext(
        registry, NO_PROFILES, policies(), EgressBudgets(Live(EgressSettings()), Live(tenants)), ISOLATION
    )
    plain = ("shop.plain", None)
    assert (await modules.with_context(new_job())).context.one_page
    assert (await modules.with_context(new_job(module=plain, tenant_id="small"))).context.one_page
    assert not (await modules.with_context(new_job(module=plain))).context.one_page


async def test_a_job_is_queued_with_the_isolation_of_its_module_and_of_the_operator(
    place: Path, tmp_path: Path
) -> None:
    author = Author()
    for version, more in (("1.0.0", 'group = "cart"\n'), ("2.0.0", 'isolation = "job"\n')):
        await author.publish(place, packed(version=version, more=more))
    registry = await Registry.open(place, author.trust, tmp_path / "state")
    strict = ModuleIsolation(Live(ModuleSettings(isolation="module")))
    for isolation, first in ((ISOLATION, Isolation("cart")), (strict, Isolation("cart", "shop.product"))):
        modules = ModuleContext(registry, NO_PROFILES, policies(), NO_BUDGETS, isolation)
        grouped = await modules.with_context(new_job(module=("shop.product", "1.0.0")))
        assert grouped.context.isolation == first
        alone = await modules.with_context(new_job(module=("shop.product", "2.0.0")))
        assert alone.context.isolation == Isolation(one_job=True)
        refused = new_job(module=("shop.product", "2.0.0"), profile_id="p")
        assert await modules.with_context(refused) == refused, "the worker that runs it rejects it"


async def test_a_rejected_text_counts_in_the_batch_that_it_names() -> None:
    queue = RecordingQueue()
    wrong = [b'{"job_id":"1","tenant_id":"acme","batch_id":"b"}', b'{"job_id":"2","tenant_id":"acme","batch_id":7}']
    await enqueuer(queue).admit([Arrival(text) for text in wrong])
    assert queue.batches == ["b", None]
