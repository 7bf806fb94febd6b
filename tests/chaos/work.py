"""The jobs of a run, drawn from its seed, and the statuses that each may end with."""

import datetime as dt
import json
import random
from collections import Counter
from dataclasses import dataclass
from typing import Any

from chaos.runner_kinds import RunnerKind
from pageworker_supervisor.contract.batch import BatchRef
from pageworker_supervisor.contract.job import JobRef

TENANTS = {f"t{number}": {"concurrency": 1 + number % 5, "weight": 1.0 + number % 3} for number in range(16)}
DOMAINS = {f"d{number}.example": {"concurrency": 2 + number} for number in range(4)}
MODULES = {"chaos.echo": {"concurrency": 8}, "chaos.twin": {"concurrency": 6}, "chaos.alone": {"concurrency": 5}}
ALONE = "chaos.alone"
"""Isolates each job from all others, so its jobs have no profile."""
FLEET = {"concurrency": 12}
"""Below the limits of both modules together, and above each."""

SERVED = frozenset({"succeeded", "dead"})
"""`dead`: faults ended its worker three times. The queue cannot tell this from a job that kills its runner."""


@dataclass(frozen=True)
class ChaosJob:
    """One push. `ref` is None for a text without a readable job id, which gets no result."""

    text: str
    ref: JobRef | None
    ends: frozenset[str]
    called_back: bool = False
    twice: bool = False
    cancelled: bool = False
    by_stream: bool = False
    batch: BatchRef | None = None


class JobGenerator:
    """Draws jobs one by one. A third of them has `callback_url`. With a `batch_size`, each that
    has an id belongs to a batch of its tenant."""

    def __init__(self, seed: int, callback_url: str, runner_kind: RunnerKind, batch_size: int = 0) -> None:
        self._random = random.Random(f"work {seed}")
        self._tenants = list(TENANTS)[: runner_kind.tenants]
        self._profiles = runner_kind.profiles
        self._url = callback_url
        self._number = 0
        self._numbers: Counter[str] = Counter()
        self._batch_size = batch_size
        self._in_batches: Counter[str] = Counter()

    def draw(self) -> ChaosJob:
        """The next job."""
        rng, self._number = self._random, self._number + 1
        tenant = rng.choice(self._tenants)
        self._numbers[tenant] += 1
        job: dict[str, Any] = {
            "job_id": f"j{self._numbers[tenant]}",  # per tenant: all tenants use the same ids
            "tenant_id": tenant,
            "endpoint_module": rng.choice([name for name in MODULES if name != ALONE]),
            "payload": {"do": "echo", "ms": rng.choice((1, 3, 5, 10, 30))},
            "priority": rng.choices(("high", "normal", "low"), (1, 3, 1))[0],
        }
        kind = rng.random()
        ends = SERVED
        if kind < 0.02:
            job["payload"] |= {"do": "crash", "often": rng.choice((0.5, 1.0))}
        elif kind < 0.06:
            times = rng.choice((1, 2, 9))
            job["payload"] |= {"do": "fail", "times": times}
            ends = frozenset({"failed", "dead"}) if times == 9 else SERVED
        elif kind < 0.08:
            ends = self._hurried(job)
        elif kind < 0.11:
            job["delay_seconds"] = round(rng.uniform(0.05, 3), 3)
        elif kind < 0.14:
            job["payload"]["ms"] = rng.choice((300, 800))
        elif kind < 0.15:
            job["priority"] = "urgent"
            ends = frozenset({"rejected"})
        elif kind < 0.16:
            return ChaosJob(json.dumps(job)[:-1] + f"  # {self._number}", None, frozenset())
        if rng.random() < 0.25:
            job["profile_id"] = f"p{rng.randrange(self._profiles)}"
        elif rng.random() < 0.1:
            job["endpoint_module"] = ALONE
        if rng.random() < 0.2:
            job["domain"] = rng.choice(list(DOMAINS))
        called_back = rng.random() < 0.3
        if called_back:
            job["callback_url"] = self._url
        cancelled = rng.random() < 0.02
        batch = self._batch_of(tenant)
        if batch is not None:
            job["batch_id"] = batch.batch_id
        return ChaosJob(
            text=json.dumps(job),
            ref=JobRef(tenant, job["job_id"]),
            ends=ends | {"cancelled"} if cancelled else ends,
            called_back=called_back,
            twice=rng.random() < 0.03,
            cancelled=cancelled,
            by_stream=rng.random() < 0.3,
            batch=batch,
        )

    def _batch_of(self, tenant: str) -> BatchRef | None:
        if not self._batch_size:
            return None
        self._in_batches[tenant] += 1
        return BatchRef(tenant, f"b{(self._in_batches[tenant] - 1) // self._batch_size}")

    def _hurried(self, job: dict[str, Any]) -> frozenset[str]:
        in_seconds = self._random.choice((-5, 0.2, 2))
        job["expires_at"] = (dt.datetime.now(dt.UTC) + dt.timedelta(seconds=in_seconds)).isoformat()
        return frozenset({"expired"}) if in_seconds < 0 else SERVED | {"expired"}
