"""Compares what was pushed with the results, dead letters, callbacks and keys that the system left."""

import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field

import msgspec

from chaos.deployments import Deployment
from chaos.keys import strays
from chaos.producer import ChaosProducer
from chaos.receiver import ChaosReceiver
from pageworker_supervisor.contract.job import JobRef
from pageworker_supervisor.queue import QueueClient


@dataclass
class ChaosFindings:
    """One line per finding. A good run has none."""

    lost: list[str] = field(default_factory=list)
    double: list[str] = field(default_factory=list)
    orphans: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)
    batches: int = 0
    """How many were compared."""

    @property
    def clean(self) -> bool:
        """Whether there is no finding."""
        return not (self.lost or self.double or self.orphans or self.wrong)


class ExpectedResults:
    """What each pushed job must have led to. Read it when all workers have ended."""

    def __init__(
        self, deployment: Deployment, queue: QueueClient, producer: ChaosProducer, receiver: ChaosReceiver
    ) -> None:
        self._deployment = deployment
        self._queue = queue
        self._producer = producer
        self._receiver = receiver
        self._found = ChaosFindings()

    async def read(self) -> ChaosFindings:
        """Read everything and return the findings."""
        keys = await self._keys()
        results = await self._results()
        waiting = {JobRef.parse(key.rpartition(":job:")[2]) for key in keys if ":job:" in key}
        await self._jobs(results, waiting)
        await self._dead_letters()
        self._callbacks(results)
        self._found.wrong += await self._producer.batches.wrong(results, self._receiver)
        self._found.batches = len(self._producer.batches.jobs)
        self._found.orphans += await self._queue.inspection.check_consistency()
        self._found.orphans += strays(keys)
        return self._found

    async def _keys(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for node in self._deployment.primaries():
            client = self._producer.client(node.port)
            names = [name async for name in client.scan_iter(count=1000)]
            async with client.pipeline(transaction=False) as pipe:
                for name in names:
                    pipe.ttl(name)
                found |= {
                    name.decode(): ttl for name, ttl in zip(names, await pipe.execute(), strict=True) if ttl != -2
                }
        return found

    async def _entries(self, suffix: str) -> list[dict[bytes, bytes]]:
        found: list[dict[bytes, bytes]] = []
        for shard in range(self._deployment.shards):
            key = f"pw:{{{shard}}}:{suffix}"
            client = self._producer.client(self._deployment.primary_of(key).port)
            found += [fields for _, fields in await client.xrange(key)]
        return found

    async def _results(self) -> defaultdict[JobRef, list[bytes]]:
        results: defaultdict[JobRef, list[bytes]] = defaultdict(list)
        for fields in await self._entries("results"):
            result = json.loads(fields[b"result"])
            results[JobRef(result["tenant_id"], result["job_id"])].append(fields[b"result"])
        return results

    async def _jobs(self, results: dict[JobRef, list[bytes]], waiting: set[JobRef]) -> None:
        for ref, job in self._producer.pushed.items():
            given = results.get(ref, [])
            if not given:
                (self._found.wrong if ref in waiting else self._found.lost).append(f"{ref} has no result")
                continue
            if len(given) > 1:
                self._found.double.append(f"{ref} has {len(given)} results")
            if await self._queue.inspection.result(ref) != given[-1]:
                self._found.lost.append(f"{ref}: its key does not hold its result")
            status = json.loads(given[0])["status"]
            self._found.statuses[status] += 1
            if status not in job.ends:
                self._found.wrong.append(f"{ref} is {status}, not one of {sorted(job.ends)}: {given[0].decode()}")
        for ref in results.keys() - self._producer.pushed.keys():
            self._found.wrong.append(f"{ref} was never pushed")

    async def _dead_letters(self) -> None:
        unnamed = Counter(fields[b"job"] for fields in await self._entries("dead") if not fields[b"job_id"])
        self._found.lost += ["a text is in no dead letter"] * (self._producer.texts - len(unnamed))
        self._found.double += [f"{text!r} has {n} dead letters" for text, n in unnamed.items() if n > 1]

    def _callbacks(self, results: dict[JobRef, list[bytes]]) -> None:
        for ref, job in self._producer.pushed.items():
            accepted = set(self._receiver.accepted[ref.colon_form])
            if job.called_back and ref in results and not accepted:
                self._found.lost.append(f"{ref}: its callback never came")
            if len(accepted) > 1:
                self._found.double.append(f"{ref}: {len(accepted)} results were accepted: {accepted}, {results[ref]}")
            elif accepted and ref in results and accepted != {results[ref][0]}:
                self._found.double.append(f"{ref}: another result was accepted than is kept")
        if self._receiver.forged:
            self._found.wrong.append(f"{self._receiver.forged} callbacks had a wrong signature")


class ChaosSummary(msgspec.Struct, kw_only=True):
    """The last line of `make chaos`, as JSON."""

    suite: str = "chaos"
    jobs: int = 0
    batches: int = 0
    faults: int = 0
    lost: int = 0
    double: int = 0
    over_limit: int = 0
    orphans: int = 0
    seed: int = 0
