"""The jobs of a run, drawn from its seed; and which ends each of them may have."""

import datetime as dt
import json
import random
from collections import Counter
from dataclasses import dataclass
from typing import Any

from chaos.runner_kinds import Cast
from pageworker_supervisor.contract.job_ref import JobRef

TENANTS = {f"t{number}": {"concurrency": 1 + number % 5, "weight": 1.0 + number % 3} for number in range(16)}
DOMAINS = {f"d{number}.example": {"concurrency": 2 + number} for number in range(4)}
MODULE = "chaos.echo"

SERVED = frozenset({"succeeded", "dead"})
"""`dead`: faults took its worker three times; nobody can tell that from a job that kills its runner."""


@dataclass(frozen=True)
class Task:
    """One thing that is pushed. `ref` is None for a text that nobody can be told about."""

    text: str
    ref: JobRef | None
    ends: frozenset[str]
    called_back: bool = False
    twice: bool = False
    cancelled: bool = False
    by_stream: bool = False


class Work:
    """Draws tasks one by one. `callback_url` is where a third of them wants to be told."""

    def __init__(self, seed: int, callback_url: str, cast: Cast) -> None:
        self._random = random.Random(f"work {seed}")
        self._tenants = list(TENANTS)[: cast.tenants]
        self._profiles = cast.profiles
        self._url = callback_url
        self._number = 0
        self._numbers: Counter[str] = Counter()

    def draw(self) -> Task:
        """The next one."""
        dice, self._number = self._random, self._number + 1
        tenant = dice.choice(self._tenants)
        self._numbers[tenant] += 1
        job: dict[str, Any] = {
            "job_id": f"j{self._numbers[tenant]}",  # every tenant counts its own: all use the same ids
            "tenant_id": tenant,
            "endpoint_module": MODULE,
            "payload": {"do": "echo", "ms": dice.choice((1, 3, 5, 10, 30))},
            "priority": dice.choices(("high", "normal", "low"), (1, 3, 1))[0],
        }
        kind = dice.random()
        ends = SERVED
        if kind < 0.02:
            job["payload"] |= {"do": "crash", "often": dice.choice((0.5, 1.0))}
        elif kind < 0.06:
            times = dice.choice((1, 2, 9))
            job["payload"] |= {"do": "fail", "times": times}
            ends = frozenset({"failed", "dead"}) if times == 9 else SERVED
        elif kind < 0.08:
            ends = self._hurried(job)
        elif kind < 0.11:
            job["delay_seconds"] = round(dice.uniform(0.05, 3), 3)
        elif kind < 0.14:
            job["payload"]["ms"] = dice.choice((300, 800))
        elif kind < 0.15:
            job["priority"] = "urgent"
            ends = frozenset({"rejected"})
        elif kind < 0.16:
            return Task(json.dumps(job)[:-1] + f"  # {self._number}", None, frozenset())
        if dice.random() < 0.25:
            job["profile_id"] = f"p{dice.randrange(self._profiles)}"
        if dice.random() < 0.2:
            job["domain"] = dice.choice(list(DOMAINS))
        called_back = dice.random() < 0.3
        if called_back:
            job["callback_url"] = self._url
        cancelled = dice.random() < 0.02
        return Task(
            text=json.dumps(job),
            ref=JobRef(tenant, job["job_id"]),
            ends=ends | {"cancelled"} if cancelled else ends,
            called_back=called_back,
            twice=dice.random() < 0.03,
            cancelled=cancelled,
            by_stream=dice.random() < 0.3,
        )

    def _hurried(self, job: dict[str, Any]) -> frozenset[str]:
        in_seconds = self._random.choice((-5, 0.2, 2))
        job["expires_at"] = (dt.datetime.now(dt.UTC) + dt.timedelta(seconds=in_seconds)).isoformat()
        return frozenset({"expired"}) if in_seconds < 0 else SERVED | {"expired"}
