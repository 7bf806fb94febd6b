"""Pages of one runner that are reserved for jobs, each with one owner from reservation to release.

A page knows how the attempt on it goes: when its handler began, which artifacts it hands over, and how it ended.
"""

import asyncio
import datetime as dt
import os
import time
from collections import deque
from collections.abc import Callable
from math import inf
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar

from pageworker_sandbox import memfd
from pageworker_sandbox.egress.shared_counts import BudgetName
from pageworker_sandbox.wire import messages as m
from pageworker_sandbox.wire.errors import OutputExceeded, ProtocolViolation
from pageworker_sandbox.wire.profile_report import PROBE_SECONDS, ProfileReport
from pageworker_supervisor.config.egress_budget import NO_BUDGET, EgressBudget
from pageworker_supervisor.contract.result import ArtifactRecord, LostArtifact
from pageworker_supervisor.contract.traffic import NO_TRAFFIC, Traffic
from pageworker_supervisor.files.fetched_file import FetchedFile
from pageworker_supervisor.proxies.policies import ProxyPolicies
from pageworker_supervisor.runners.artifact_handover import ArtifactHandover
from pageworker_supervisor.runners.budget_breach import BudgetBreach, budget_breach
from pageworker_supervisor.runners.limit_breach import Breach
from pageworker_supervisor.runners.runner_traffic import RunnerTraffic
from pageworker_supervisor.runners.step_log import StepLog
from pageworker_supervisor.secrets.errors import SecretUnavailable
from pageworker_supervisor.secrets.masker import SecretMasker
from pageworker_supervisor.telemetry import log

if TYPE_CHECKING:
    from loguru import Logger

    from pageworker_supervisor.runners.runner import Runner

Request = TypeVar("Request")
OnLogin = Callable[[ProfileReport], None]
RECYCLINGS = 4
RECYCLING_SLACK_SECONDS = 5.0
"""A page must be free again within four time limits of recycling, plus this slack for a busy host: it is cleaned or
replaced, its context is wiped, and it may have waited while the context was wiped for another page."""


class PageReservation:
    """One page of a runner, reserved for one job, and the job's attempt on it. Times are monotonic seconds.

    Use it as a `with` block. The end of the block releases the page, unless the runner has begun to use it: then the
    runner releases it once the page is clean again. A runner that dies takes its pages with it.
    """

    def __init__(self, runner: "Runner", pages: "RunnerPages", *, exclusive: bool) -> None:
        """`exclusive`: the job must be alone on the runner."""
        self.runner = runner
        self.exclusive = exclusive
        self.taken = True
        """Whether it keeps a page from other jobs, or has died with its runner."""
        self.sent = False
        """Whether the attempt was sent to the runner. What follows is meaningful only then."""
        self.done: asyncio.Future[m.Done] = asyncio.get_running_loop().create_future()
        self.reserved_at = self.sent_at = time.monotonic()
        self.accepted_at: float | None = None
        self.answer_by = inf
        """When the runner must have answered, where the attempt has ended without its answer."""
        self.started_at = dt.datetime.now(dt.UTC)
        self.memory_before_bytes = 0
        """What the runner used when it was measured last before the handler began."""
        self.log: Logger = log
        """For the log lines of the job and its module."""
        self.changed = asyncio.Event()
        """Set when something below may have changed."""
        self.delivery: ArtifactHandover | None = None
        """An artifact that was handed over and not taken yet."""
        self.artifacts: list[ArtifactRecord] = []
        """Artifacts that are stored."""
        self.artifacts_lost: list[LostArtifact] = []
        """Artifacts that the runner handed over and that could not be stored."""
        self.spans: m.Spans | None = None
        """What the runner says of the spans within the handler."""
        self.files: tuple[FetchedFile, ...] = ()
        """The files of the job, for the runner."""
        self.steps = StepLog()
        self.masker = SecretMasker()
        """The secrets that the attempt was granted."""
        self.secrets_asked: list[str] = []
        """`NAME FORM OUTCOME` of each secret that the attempt asked for."""
        self.number: int | None = None
        """Of the page in its runner, once the handler has begun."""
        self.secret_outage: SecretUnavailable | None = None
        """Set if the attempt is stopped because the secret backend does not answer."""
        self.secret_requests: deque[m.SecretRequest] = deque()
        self.once_requests: deque[m.OnceRequest] = deque()
        """What the runner asks and gets an answer to. The message rules limit how often. Use `next_request`."""
        self._pages = pages
        self._attempt_id = ""
        self._traffic: Traffic | None = None
        self._budget, self._used_before = NO_BUDGET, NO_TRAFFIC
        self._over_budget: BudgetName | None = None
        self._in_use = False
        self._on_accept: Callable[[], None] = lambda: None
        self.on_login: OnLogin | None = None
        self._offer: m.Offer | None = None
        self._handed_over = 0
        self._handed_over_bytes = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._in_use:
            self.release()

    async def wait_until_exclusive(self) -> None:
        """Return when this is the only page of the runner that is taken."""
        await self._pages.wait_until_only_one_is_taken()

    async def begin_route(
        self, attempt: str, proxies: ProxyPolicies, budget: EgressBudget, used_before: Traffic
    ) -> None:
        """The job goes out by the upstreams of its runner's proxy policy, if it has one, within its budget, of which
        its earlier attempts have used `used_before`. Raises RunnerLost."""
        self._budget, self._used_before = budget, used_before
        context = self.runner.context
        proxies.mask(context.proxy, self.masker)
        if context.proxy or context.one_page:
            await self.runner.route.take_turn(attempt, budget.left(used_before))

    async def used_proxy(self) -> str | None:
        """`POLICY/HOST:PORT` of the upstream that the runner used last, `POLICY/direct` for none, `POLICY` if it made
        no request; None without a policy."""
        policy = self.runner.context.proxy
        if not policy:
            return None
        # A request on a connection that an earlier job has opened counts as bytes alone.
        upstream = await self.runner.route.upstream() if self.traffic != NO_TRAFFIC else ""
        return f"{policy}/{upstream}" if upstream else policy

    def release(self) -> None:
        """The page is free for other jobs."""
        self.taken = False
        self._pages.release(self)

    def send(self, on_accept: Callable[[], None], on_login: OnLogin | None = None) -> None:
        """The attempt goes to the runner now. `on_accept` is called when its handler begins, `on_login` with what a
        login probe found after it. None: there is no probe."""
        self.sent = True
        self.sent_at = time.monotonic()
        self.started_at = dt.datetime.now(dt.UTC)
        self._on_accept = on_accept
        self.on_login = on_login

    def use(self, attempt_id: str, memory_before_bytes: int, log: "Logger") -> None:
        """The runner gets the attempt: from now on the runner releases the page."""
        self._in_use = True
        self._attempt_id = attempt_id
        self.memory_before_bytes = memory_before_bytes
        self.log = log

    @property
    def traffic(self) -> Traffic:
        """What the attempt has used of the network: so far, or in all once it has ended."""
        return self._pages.traffic.share(self._attempt_id) if self._traffic is None else self._traffic

    def end_traffic(self) -> None:
        """Nothing that is counted from now on is this attempt's. The first call counts."""
        if self._traffic is None:
            self._over_budget = self._pages.traffic.over_budget()
            self._traffic = self._pages.traffic.end(self._attempt_id)

    @property
    def budget_breach(self) -> BudgetBreach | None:
        """Set where the job wanted more than its budget. The attempt must have ended."""
        return budget_breach(self._over_budget, self._budget, self._used_before + self.traffic)

    @property
    def past_budget(self) -> bool:
        """Whether the job wanted more than its budget, while its attempt runs. `changed` is set when that changes."""
        return budget_breach(self._pages.traffic.over_budget(), self._budget, NO_TRAFFIC) is not None

    @property
    def began_at(self) -> float:
        """When the handler began; when the attempt was sent, if it did not."""
        return self.accepted_at or self.sent_at

    def accept(self, number: int | None = None) -> None:
        """The handler begins now, on the page of this number."""
        self.number = number
        self.accepted_at = time.monotonic()
        self.started_at = dt.datetime.now(dt.UTC)
        self._on_accept()

    def offer(self, offer: m.Offer) -> None:
        """The runner has an artifact and waits for a grant. An earlier offer is void. Raises OutputExceeded."""
        if self._handed_over >= m.MAX_ARTIFACTS:
            raise OutputExceeded(self._handed_over + 1, m.MAX_ARTIFACTS, "artifacts")
        if self._handed_over_bytes + offer.bytes > m.MAX_ARTIFACTS_BYTES:
            raise OutputExceeded(self._handed_over_bytes + offer.bytes, m.MAX_ARTIFACTS_BYTES, "bytes")
        self._offer = offer
        self.changed.set()

    def deliver(self, message: m.ArtifactData, descriptor: int) -> None:
        """The granted artifact arrives. Closes the descriptor in the end. Raises ProtocolViolation."""
        offer = self._offer
        if offer is None:
            os.close(descriptor)
            raise ProtocolViolation("an artifact that was not offered")
        try:
            size = memfd.sealed_bytes(descriptor, offer.bytes)
        except memfd.NotSealed as error:
            os.close(descriptor)
            raise ProtocolViolation(f"artifact: {error}") from error
        self._handed_over += 1
        self._handed_over_bytes += size
        self.discard()
        self._offer = None
        of_page = message.page_url, message.page_status
        self.delivery = ArtifactHandover(message.kind, message.content_type, descriptor, size, *of_page)
        self.changed.set()

    def is_open(self, offer: m.Offer) -> bool:
        """Whether the runner still waits for a grant of this offer, or has one and has not used it."""
        return self._offer is offer and not self.done.done()

    async def next_offer(self) -> m.Offer | None:
        """Wait for the next offer; None: the attempt has ended. A delivery that came too late is discarded."""
        while not self.done.done():
            self.discard()
            if self._offer is not None:
                return self._offer
            await self._change()
        return None

    async def next_request(self, waiting: deque[Request]) -> Request | None:
        """Wait for the next request of this kind; None: the attempt has ended."""
        await self.until(lambda: bool(waiting) or self.done.done())
        return None if self.done.done() else waiting.popleft()

    def take_delivery(self) -> ArtifactHandover | None:
        """The artifact that arrived, or None. The caller closes it."""
        delivery, self.delivery = self.delivery, None
        return delivery

    def discard(self) -> None:
        """Close an artifact that arrived and was not taken."""
        if (delivery := self.take_delivery()) is not None:
            delivery.close()

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until this holds. It is checked after every change."""
        while not holds():
            await self._change()

    async def _change(self) -> None:
        self.changed.clear()
        await self.changed.wait()

    def end(self, done: m.Done) -> None:
        """The runner answered, or was killed. The first call counts: a kill may race with the runner's own answer."""
        if not self.done.done():
            self.done.set_result(done)
            self.changed.set()

    def end_unanswered(self, done: m.Done, seconds: float) -> None:
        """As `end`. If the runner has not answered, it has `seconds` left for that: then it is `overdue`."""
        if not self.done.done():
            self.answer_by = time.monotonic() + seconds
            self.end(done)

    def lose(self, error: Exception) -> None:
        """No answer can come any more."""
        if not self.done.done():
            self.done.set_exception(error)
            self.changed.set()


class RunnerPages:
    """The reservations of one runner, and the attempts on them. `on_release` is called after each release."""

    def __init__(self, on_release: Callable[[], None], traffic: RunnerTraffic | None = None) -> None:
        """`traffic`: of the runner; None: nothing is counted."""
        self.traffic = traffic or RunnerTraffic("")
        self.last_used = time.monotonic()
        """When a page was released last; when the runner was made, before."""
        self.running: dict[str, PageReservation] = {}
        """Pages whose attempt has no answer yet, by attempt id."""
        self._reservations: set[PageReservation] = set()
        self._recycling: dict[str, tuple[float, PageReservation]] = {}
        """Since when pages are being recycled, by the attempt that left them. Monotonic seconds."""
        self._released = asyncio.Event()
        self._on_release = on_release
        self.traffic.tell_refusals(self._refused)

    @property
    def taken(self) -> int:
        """Pages that are reserved, in use or being recycled."""
        return len(self._reservations)

    @property
    def exclusive(self) -> bool:
        """True while a job that must run alone has, or waits for, the runner."""
        return any(reservation.exclusive for reservation in self._reservations)

    def reserve(self, runner: "Runner", *, exclusive: bool) -> PageReservation:
        """Take one page. The caller has checked that one is free."""
        reservation = PageReservation(runner, self, exclusive=exclusive)
        self._reservations.add(reservation)
        return reservation

    def release(self, reservation: PageReservation) -> None:
        """Give one page back. Raises KeyError if it was given back before: a bug."""
        self._reservations.remove(reservation)
        self.last_used = time.monotonic()
        self._released.set()
        self._on_release()

    def begin(
        self,
        attempt_id: str,
        page: PageReservation,
        memory_before_bytes: int,
        log: "Logger",
        job: str = "",
        trace_id: str = "",
    ) -> None:
        """The runner gets an attempt. `memory_before_bytes`: what it used when it was measured last.

        `job`: TENANT/ID.
        """
        page.use(attempt_id, memory_before_bytes, log)
        self.running[attempt_id] = page
        self.traffic.begin(attempt_id, job, trace_id)

    def end(self, done: m.Done) -> None:
        """An attempt has its answer and has left its page, which is taken until `free` is called."""
        page = self.running.pop(done.attempt_id)
        page.end_traffic()
        probing = PROBE_SECONDS if page.on_login is not None else 0.0
        self._recycling[done.attempt_id] = (time.monotonic() + probing, page)
        if done.blocked:
            page.log.info("requests blocked", **done.blocked)
        page.end(done)

    def lose(self, error: Exception) -> None:
        """No answer can come any more to the attempts that run."""
        for page in self.running.values():
            page.end_traffic()
            page.lose(error)

    def alone(self, breach: Breach) -> bool:
        """Whether one attempt must have exceeded the limit: it is alone on the runner, which was well below the limit.

        An attempt is alone only once the pages of all attempts that are done are free.
        """
        if len(self.running) != 1 or self._recycling:
            return False
        (one,) = self.running.values()
        return breach.limit != "memory_limit" or one.memory_before_bytes <= breach.allowed / 2

    def recycled_within(self, seconds: float) -> int:
        """Pages whose recycling began less than `seconds` ago."""
        return sum(since > time.monotonic() - seconds for since, _ in self._recycling.values())

    def overdue(self, recycle_seconds: float) -> str | None:
        """An attempt whose page should be free again; None if there is none. `recycle_seconds`: one time limit."""
        for attempt_id, page in self.running.items():
            if page.answer_by < time.monotonic():
                return attempt_id
        latest = time.monotonic() - recycle_seconds * RECYCLINGS - RECYCLING_SLACK_SECONDS
        return next((attempt_id for attempt_id, (since, _) in self._recycling.items() if since < latest), None)

    def free(self, attempt_id: str, profile: ProfileReport | None = None) -> None:
        """The page that this attempt left is clean again. `profile`: what its login probe found."""
        _, reservation = self._recycling.pop(attempt_id)
        if profile is not None and reservation.on_login is not None:
            reservation.on_login(profile)
        reservation.release()

    def _refused(self) -> None:
        for page in self.running.values():
            page.changed.set()

    async def wait_until_only_one_is_taken(self) -> None:
        """Return when all other pages are free."""
        while self.taken > 1:
            self._released.clear()
            await self._released.wait()
