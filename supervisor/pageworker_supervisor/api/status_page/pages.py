"""Reads what each page shows, within limits of number and time. Every method raises ApiProblem."""

import re
from collections.abc import Awaitable, Callable, Mapping

from starlette.responses import Response

from pageworker_supervisor.api.artifact_endpoint import ArtifactEndpoint
from pageworker_supervisor.api.grant import nothing_there, tenant_seen
from pageworker_supervisor.api.problem import ApiProblem
from pageworker_supervisor.api.query import choice_of, text_of
from pageworker_supervisor.api.redis_calls import RedisCalls
from pageworker_supervisor.api.status_page import fleet_views, job_views, record_views, tenant_views
from pageworker_supervisor.api.status_page.fleet_views import ShownRunner
from pageworker_supervisor.api.status_page.job_views import ENDED, STATES, STATUSES, JobQuestion
from pageworker_supervisor.api.status_page.layout import PageView, PageVisitor
from pageworker_supervisor.api.status_page.markup import Address, address
from pageworker_supervisor.config.live import Live
from pageworker_supervisor.config.settings import Settings
from pageworker_supervisor.config.tenant_lookup import GlobTable
from pageworker_supervisor.contract.job import JOB_ID, JobRef
from pageworker_supervisor.queue import QueueClient
from pageworker_supervisor.queue.fleet_status import fleet_status, fleet_worker
from pageworker_supervisor.queue.fleet_workers import WorkersPage
from pageworker_supervisor.queue.views import ListedState

JOBS_SHOWN = 50
ENDED_SHOWN = 10
"""On the overview and on the page of a tenant."""
LETTERS_SHOWN = 20
"""A letter holds the whole job, of up to 256 KiB."""
WORKERS_SHOWN = 100
TENANTS_SHOWN = 50
ROLLOUTS_SHOWN = 50
LONGEST_FIELD = 1000

_WORKERS_POSITION = re.compile(r"([0-9]{1,20}(\.[0-9]{1,9})?\|[0-9]{1,9})?", re.ASCII)
_LETTERS_CURSOR = re.compile(r"[0-9]{1,4}:([0-9]{1,19}-[0-9]{1,19})?", re.ASCII)

Fields = Mapping[str, str]
"""The query of a request."""
PageReader = Callable[[PageVisitor, Fields], Awaitable[PageView]]


class StatusPages:
    """The pages, over the queue, the settings and the store of artifacts."""

    def __init__(
        self, queue: QueueClient, calls: RedisCalls, live: Live[Settings], artifacts: ArtifactEndpoint
    ) -> None:
        self._queue = queue
        self._calls = calls
        self._live = live
        self._artifacts = artifacts

    def table(self) -> Mapping[str, PageReader]:
        """Each page with its reader."""
        return {
            "/": self.overview,
            "/workers": self.workers,
            "/runners": self.runners,
            "/queues": self.queues,
            "/tenants": self.tenants,
            "/tenant": self.tenant,
            "/jobs": self.jobs,
            "/job": self.job,
            "/dead-letters": self.dead_letters,
            "/dead-letter": self.dead_letter,
            "/rollouts": self.rollouts,
        }

    async def overview(self, visitor: PageVisitor, fields: Fields) -> PageView:
        """The fleet, or the tenant of the visitor."""
        if visitor.tenant_id is not None:
            return await self._tenant("Overview", _here("/", fields), visitor.tenant_id)
        run, queue = self._calls.run, self._queue
        workers = await run(queue.workers.everyone())
        stats = await run(queue.inspection.stats())
        pauses = await run(queue.pauses.all())
        ended = await run(queue.ended_jobs.page(ENDED_SHOWN))
        return fleet_views.overview(_here("/", fields), fleet_status(workers, stats, pauses), stats, ended.jobs)

    async def workers(self, visitor: PageVisitor, fields: Fields) -> PageView:
        """Some workers, silent ones first."""
        _of_the_fleet(visitor)
        page = await self._workers(fields)
        found = [fleet_worker(heard, page.now) for heard in page.workers]
        return fleet_views.workers(_here("/workers", fields), found, page.position)

    async def runners(self, visitor: PageVisitor, fields: Fields) -> PageView:
        """The runners of some workers; of the visitor's tenant alone, if it has one."""
        page = await self._workers(fields)
        found = [
            ShownRunner(worker.report.worker_id, runner)
            for worker in page.workers
            if worker.report is not None and not worker.report.silent(page.now)
            for runner in worker.report.runners
            if visitor.tenant_id in (None, runner.tenant_id)
        ]
        return fleet_views.runners(_here("/runners", fields), found, page.position, visitor.tenant_id)

    async def _workers(self, fields: Fields) -> WorkersPage:
        position = _field(fields, "after")
        if not _WORKERS_POSITION.fullmatch(position):
            raise _unknown_page("after")
        return await self._calls.run(self._queue.workers.page(position, WORKERS_SHOWN))

    async def queues(self, visitor: PageVisitor, fields: Fields) -> PageView:
        """Shards, drains, pauses."""
        _of_the_fleet(visitor)
        stats = await self._calls.run(self._queue.inspection.stats())
        # Drains are on the first page of workers.
        drains = (await self._calls.run(self._queue.workers.page(count=1))).drains
        pauses = await self._calls.run(self._queue.pauses.all())
        return fleet_views.queues(_here("/queues", fields), stats, drains, pauses)

    async def tenants(self, visitor: PageVisitor, fields: Fields) -> PageView:
        """Some tenants, by name."""
        _of_the_fleet(visitor)
        named = [name.lower() for name in self._live.value.tenants if not set(name) & {"*", "?"}]
        page = await self._calls.run(self._queue.tenants.page(_field(fields, "after"), TENANTS_SHOWN, named))
        following = page.tenants[-1].tenant_id if page.more and page.tenants else None
        return tenant_views.tenants(_here("/tenants", fields), page.tenants, following)

    async def tenant(self, visitor: PageVisitor, fields: Fields) -> PageView:
        """One tenant."""
        tenant_id = tenant_seen(visitor.tenant_id, _field(fields, "tenant_id"))
        if tenant_id is None:
            raise nothing_there()
        return await self._tenant(f"Tenant {tenant_id}", _here("/tenant", fields), tenant_id)

    async def _tenant(self, title: str, here: Address, tenant_id: str) -> PageView:
        used = await self._calls.run(self._queue.tenants.show(tenant_id))
        hours = await self._calls.run(self._queue.usage.last_days(tenant_id, 1))
        ended = await self._calls.run(self._queue.ended_jobs.page(ENDED_SHOWN, tenant_id=tenant_id))
        settings = GlobTable(dict(self._live.value.tenants), None).find(tenant_id)
        return tenant_views.tenant(title, here, used, settings, hours, ended.jobs)

    async def jobs(self, visitor: PageVisitor, fields: Fields) -> PageView:
        """A page of jobs."""
        tenant_id = tenant_seen(visitor.tenant_id, _field(fields, "tenant_id"))
        question = JobQuestion(
            tenant_id=_field(fields, "tenant_id"),
            state=choice_of(fields, "state", ("", *STATES)),
            status=choice_of(fields, "status", ("", *STATUSES)),
        )
        here, cursor = _here("/jobs", fields), _field(fields, "cursor") or None
        try:
            if question.ended:
                ended = await self._calls.run(
                    self._queue.ended_jobs.page(JOBS_SHOWN, cursor, tenant_id, question.status or None)
                )
                content = job_views.ended_jobs(here, ended.jobs, ended.looked_until, ended.cursor)
            else:
                page = await self._calls.run(
                    self._queue.inspection.jobs(_listed(question.state), tenant_id, cursor, JOBS_SHOWN)
                )
                content = job_views.waiting_jobs(here, page.jobs, page.cursor)
        except ValueError as invalid:
            raise _unknown_page() from invalid
        return job_views.jobs(here, question, content, one_tenant=visitor.tenant_id is not None)

    async def job(self, visitor: PageVisitor, fields: Fields) -> PageView:
        """One job."""
        ref = self.job_named(visitor, fields)
        details = await self._calls.run(self._queue.inspection.details(ref))
        if details is None:
            raise nothing_there()
        result = await self._calls.run(self._queue.inspection.result(ref)) if details.state == ENDED else None
        return job_views.job(_named("/job", ref, fields), details, result)

    async def dead_letters(self, visitor: PageVisitor, fields: Fields) -> PageView:
        """A page of dead letters."""
        tenant_id = tenant_seen(visitor.tenant_id, _field(fields, "tenant_id"))
        cursor = _field(fields, "cursor") or None
        if cursor is not None and (
            not _LETTERS_CURSOR.fullmatch(cursor) or int(cursor.partition(":")[0]) >= self._queue.shards
        ):
            raise _unknown_page()
        page = await self._calls.run(self._queue.dead_letters.page(LETTERS_SHOWN, cursor, tenant_id))
        return record_views.dead_letters(_here("/dead-letters", fields), page.letters, page.cursor)

    async def dead_letter(self, visitor: PageVisitor, fields: Fields) -> PageView:
        """One dead letter. One whose tenant could not be read is for the fleet."""
        letter = await self._calls.run(self._queue.dead_letters.show(_field(fields, "id")))
        if letter is None or visitor.tenant_id not in (None, letter.tenant_id):
            raise ApiProblem("not_found", "There is no such dead letter")
        return record_views.dead_letter(_here("/dead-letter", fields), letter)

    async def rollouts(self, visitor: PageVisitor, fields: Fields) -> PageView:
        """Some rollout entries, by module."""
        _of_the_fleet(visitor)
        entries = sorted((await self._calls.run(self._queue.rollouts.look())).entries.items())
        later = [entry for entry in entries if entry[0] > _field(fields, "after")]
        shown = later[:ROLLOUTS_SHOWN]
        following = shown[-1][0] if len(later) > len(shown) else None
        return record_views.rollouts(_here("/rollouts", fields), shown, following)

    async def artifact(self, visitor: PageVisitor, fields: Fields, *, head: bool) -> Response:
        """An artifact as a download."""
        return await self._artifacts.download(self.job_named(visitor, fields), _field(fields, "number"), head=head)

    async def image(self, visitor: PageVisitor, fields: Fields) -> Response:
        """An artifact that is an image."""
        return await self._artifacts.image(self.job_named(visitor, fields), _field(fields, "number"))

    def job_named(self, visitor: PageVisitor, fields: Fields) -> JobRef:
        """The job that a query names, as far as the visitor may see it."""
        tenant_id = tenant_seen(visitor.tenant_id, _field(fields, "tenant_id"))
        job_id = _field(fields, "job_id")
        if tenant_id is None or not re.match(JOB_ID, job_id):
            raise nothing_there()
        return JobRef(tenant_id, job_id)


def _here(path: str, fields: Fields) -> Address:
    return address(path, **fields)


def _named(path: str, ref: JobRef, fields: Fields) -> Address:
    return address(path, **{**fields, "tenant_id": ref.tenant_id, "job_id": ref.job_id})


def _field(fields: Fields, name: str) -> str:
    return text_of(fields, name, LONGEST_FIELD)


def _of_the_fleet(visitor: PageVisitor) -> None:
    if visitor.tenant_id is not None:
        raise nothing_there()


def _listed(state: str) -> ListedState | None:
    return None if state in ("", STATES[0]) else state  # type: ignore[return-value]  # choice_of compared it


def _unknown_page(field: str = "cursor") -> ApiProblem:
    return ApiProblem("invalid_request", "No list has a page of this name", field=field, hint="begin with the list")
