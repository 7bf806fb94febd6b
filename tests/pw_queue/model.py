"""A queue in memory: what must hold of a real one after any events, seen from outside."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from msgspec.structs import replace

from pageworker_supervisor.contract.context_key import ContextKey
from pageworker_supervisor.contract.job import JobRef
from pageworker_supervisor.queue.claim import Capacity, ContextCapacity, Lease
from pageworker_supervisor.queue.limits_table import LimitsTable
from pageworker_supervisor.queue.producer import NewJob, QuotaLimits

ProfileKey = tuple[str, str]
"""Tenant and profile."""


@dataclass
class ModelQueue:
    """Jobs by their whole name. A method takes what the real queue answered, and asserts that it may answer so."""

    pushed: set[str] = field(default_factory=set)
    owed: dict[str, int] = field(default_factory=dict)
    """Results that each job must have in the end: one, and one more for each retry from the dead letters."""
    results: dict[str, int] = field(default_factory=dict)
    leases: dict[str, Lease] = field(default_factory=dict)
    """Live, by token."""
    ended: list[Lease] = field(default_factory=list)
    """Not live any more: finished, given up or reaped."""
    holder: dict[str, str] = field(default_factory=dict)
    """Worker by token."""
    profiles: dict[ProfileKey, tuple[str, int]] = field(default_factory=dict)
    """Held profiles: (worker, fence)."""
    opened: dict[ProfileKey, ContextKey] = field(default_factory=dict)
    """With which hosts each was opened."""
    fences: dict[ProfileKey, int] = field(default_factory=dict)
    tickets: dict[str, NewJob] = field(default_factory=dict)
    cancelled: set[str] = field(default_factory=set)
    """Whose cancellation was acknowledged: they end so, without running again."""
    awaited: set[str] = field(default_factory=set)
    """The same of jobs of tenant a that were not pushed yet."""
    storing: set[str] = field(default_factory=set)
    """Tokens of live leases that hold no permit any more: only artifacts are missing."""
    begun: set[str] = field(default_factory=set)
    """Whose handler has begun once."""
    paused: dict[tuple[str, str | None], int | None] = field(default_factory=dict)
    """Until when, by kind and name; None: without end."""

    def push(self, ticket: NewJob, replies: Sequence[str]) -> None:
        """The same job was pushed once per reply."""
        name = str(JobRef(ticket.tenant_id, ticket.job_id))
        assert replies[0] == ("duplicate" if name in self.pushed else "queued")
        assert set(replies[1:]) <= {"duplicate"}
        if name not in self.pushed and name in self.awaited:
            self.cancelled.add(name)
        self.tickets[name] = ticket
        self.pushed.add(name)
        self.owed.setdefault(name, 1)

    def capacity(self, worker: str, limit: int, runner_slots: int, pages: int) -> Capacity:
        """A capacity with the profiles that the worker holds."""
        held = [ContextCapacity(self.opened[key], pages) for key in self.held(worker)]
        return Capacity(limit=limit, contexts=held, runner_slots=runner_slots, pages_per_runner=pages)

    def claim(self, worker: str, capacity: Capacity, leases: Sequence[Lease], before_ms: int) -> None:
        """A claim that began at `before_ms` gave these leases."""
        running = [lease for lease in leases if lease.ending is None]
        assert len(running) <= capacity.limit
        opened = {lease.context for lease in running} - {warm.context for warm in capacity.contexts}
        assert len(opened) <= capacity.runner_slots
        for lease in leases:
            self.admit(worker, lease)
            if lease.ending is None:
                expires = self.tickets[str(lease.ref)].expires_at_ms
                assert str(lease.ref) not in self.cancelled, "what is cancelled never runs again"
                late = expires is not None and expires < before_ms
                assert not late or str(lease.ref) in self.begun, "what has not begun in time never begins"

    def admit(self, worker: str, lease: Lease) -> None:
        """The worker has this lease now."""
        assert str(lease.ref) in self.pushed
        assert self.results.get(str(lease.ref), 0) < self.owed[str(lease.ref)], "finished jobs never run again"
        assert str(lease.ref) not in {str(live.ref) for live in self.leases.values()}, "one lease a job"
        assert lease.token not in {old.token for old in self.ended}, "tokens never come again"
        if str(lease.ref) in self.cancelled and lease.ending is not None:
            assert lease.ending == "cancelled", "an acknowledged cancellation holds"
        if lease.ending == "expired":
            assert str(lease.ref) not in self.begun, "a job whose handler has begun does not expire"
        self.leases[lease.token] = lease
        self.holder[lease.token] = worker
        if lease.profile_id is not None and lease.ending is None:
            key = (lease.tenant_id, lease.profile_id)
            assert lease.profile_fence is not None
            if key in self.profiles:
                assert self.profiles[key] == (worker, lease.profile_fence), "one holder a profile"
            else:
                assert lease.profile_fence > self.fences.get(key, 0), "fences only rise"
                self.opened[key] = lease.context
            assert self.opened[key] == lease.context, "one egress set at a time"
            self.profiles[key] = (worker, lease.profile_fence)
            self.fences[key] = lease.profile_fence

    def close(self, lease: Lease) -> None:
        """The lease is not live any more."""
        del self.leases[lease.token]
        self.ended.append(lease)

    def finish(self, lease: Lease) -> None:
        """The job of this lease has a result, one more than before."""
        self.close(lease)
        self.results[str(lease.ref)] = self.results.get(str(lease.ref), 0) + 1

    def begin(self, lease: Lease) -> None:
        """A handler of the job begins, unless the lease is only there to end the job."""
        if lease.ending is None:
            self.begun.add(str(lease.ref))

    def store(self, lease: Lease) -> None:
        """The handler of the job has ended, and its permits are free."""
        if lease.ending is None:
            self.storing.add(lease.token)

    def with_permits(self) -> list[Lease]:
        """Live leases that hold permits."""
        live = self.leases.values()
        return [lease for lease in live if lease.ending is None and lease.token not in self.storing]

    def cancel(self, ref: JobRef, word: str) -> None:
        """A cancellation was answered with this word."""
        name = str(ref)
        running = {str(lease.ref): lease for lease in self.leases.values()}.get(name)
        if name not in self.pushed:
            assert word == "awaited"
            self.awaited.add(name)
            return
        if self.results.get(name, 0) == self.owed[name]:
            assert word == "finished"
        elif running is None or running.ending is not None:
            assert word in ("cancelled", "finished")
        else:
            assert word == "cancelling"
        if word != "finished":
            self.cancelled.add(name)

    def dead_retry(self, ref: JobRef, word: str) -> None:
        """The retry of a dead letter was answered with this word."""
        name = str(ref)
        unfinished = self.results.get(name, 0) < self.owed[name]
        assert word == ("duplicate" if unfinished else "queued")
        if word == "queued":
            self.owed[name] += 1
            self.cancelled.discard(name)
            self.begun.add(name)  # it does not expire any more
            # The retry reads the job's JSON, which names no domain in these tests.
            self.tickets[name] = replace(self.tickets[name], domain=None)

    def leases_of(self, worker: str) -> list[Lease]:
        """The live leases of a worker."""
        return [lease for token, lease in self.leases.items() if self.holder[token] == worker]

    def held(self, worker: str) -> list[ProfileKey]:
        """The profiles that a worker holds."""
        return [key for key, (owner, _) in self.profiles.items() if owner == worker]

    def idle_profiles(self, worker: str) -> list[ProfileKey]:
        """Those of them with which no job runs."""
        live = self.leases.values()
        busy = {(lease.tenant_id, lease.profile_id) for lease in live if lease.token not in self.storing}
        return [key for key in self.held(worker) if key not in busy]

    def lose(self, worker: str) -> None:
        """The worker's leases were reaped, and its profiles with them."""
        for lease in self.leases_of(worker):
            self.close(lease)
        for key in self.held(worker):
            del self.profiles[key]

    def check_claim(self, table: LimitsTable, leases: Sequence[Lease]) -> None:
        """What a claim gave under this table. A lowered limit is reached when jobs end, so only new ones tell."""
        live = self.with_permits()
        new = [lease for lease in leases if lease.ending is None]
        if new and table.fleet is not None:
            assert len(live) <= table.fleet.concurrency
        for name in {self.tickets[str(lease.ref)].module[0] for lease in new}:
            limits = next((each for glob, each in table.modules.items() if fnmatchcase(name, glob)), None)
            at = sum(self.tickets[str(lease.ref)].module[0] == name for lease in live)
            assert limits is None or at <= limits.concurrency

    def check_pauses(self, leases: Sequence[Lease], after_ms: int) -> None:
        """What a claim gave that ended at `after_ms`: no job of what is paused until later than that."""
        for lease in leases:
            job = self.tickets[str(lease.ref)]
            for key in (("tenant", job.tenant_id), ("module", job.module[0]), ("domain", job.domain)):
                until = self.paused.get(key, 0)
                assert lease.ending or (until is not None and until <= after_ms), f"{key} is paused"

    def check_limits(self, of_tenants: dict[str, QuotaLimits], of_domains: dict[str, QuotaLimits]) -> None:
        """No tenant and no domain has more running jobs than it may have."""
        live = self.with_permits()
        for tenant, limits in of_tenants.items():
            assert sum(lease.tenant_id == tenant for lease in live) <= limits.concurrency
        for domain, limits in of_domains.items():
            at = sum(self.tickets[str(lease.ref)].domain == domain for lease in live)
            assert at <= limits.concurrency
