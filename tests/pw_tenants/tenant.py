"""One tenant of a shared worker, as its producer sees it."""

import itertools
import json
from typing import Any

from pageworker_supervisor.contract.job import JobRef
from pageworker_supervisor.redis_client import RedisClient
from pw_tenants.mailbox import Mailbox

SECONDS = 40.0
SAY = "tenants.say"
"""The module of `say`; see modules.py for what its payload may ask for."""


class Tenant:
    """Pushes its jobs and waits for their results and events."""

    def __init__(self, name: str, redis_client: RedisClient, mailbox: Mailbox) -> None:
        self.name = name
        self._redis_client = redis_client
        self._mailbox = mailbox
        self._fences = itertools.count()

    def ref(self, job_id: str) -> JobRef:
        """The name of its job."""
        return JobRef(self.name, job_id)

    def job(self, job_id: str, module: str, payload: dict[str, Any] | None = None, **fields: Any) -> str:
        """A job's JSON. `fields` are further fields of the job."""
        job = {"job_id": job_id, "tenant_id": self.name, "endpoint_module": module, "payload": payload or {}}
        return json.dumps({**job, **fields})

    def say(self, job_id: str, payload: dict[str, Any] | None = None, **fields: Any) -> str:
        """A job of the module that answers with its own identity."""
        return self.job(job_id, SAY, payload, **fields)

    def broken(self, job_id: str, **fields: Any) -> str:
        """A text that is no job, and whose tenant and id can be read."""
        return self.job(job_id, SAY, no_such_field=1, **fields)

    async def push(self, *texts: str) -> None:
        """Push onto the list, in this order."""
        await self._redis_client.ingress.send("RPUSH", "pw:inbox", *texts, key="pw:inbox")

    async def add(self, *texts: str) -> None:
        """Push into the stream."""
        for text in texts:
            await self._redis_client.ingress.send("XADD", "pw:jobs", "*", "job", text, key="pw:jobs")

    async def results(self, job_id: str, count: int = 1, seconds: float = SECONDS) -> list[dict[str, Any]]:
        """All results of a job so far, once there are at least `count`."""
        ref = self.ref(job_id)
        found = self._mailbox.results
        await self._mailbox.until(lambda: len(found[ref]) >= count, seconds, f"{count} results of {ref}")
        return list(found[ref])

    async def result(self, job_id: str, seconds: float = SECONDS) -> dict[str, Any]:
        """The one result of a job. Raises AssertionError if there are more, or none in time."""
        found = await self.results(job_id, 1, seconds)
        assert len(found) == 1, found
        return found[0]

    async def run(self, job_id: str, payload: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
        """Push a job of `say` and wait for its result."""
        await self.push(self.say(job_id, payload, **fields))
        return await self.result(job_id)

    async def kept(self, job_id: str) -> dict[str, Any] | None:
        """What the key of the result holds."""
        key = f"pw:result:{self.name}:{job_id}"
        text = await self._redis_client.send("GET", key, key=key)
        return None if text is None else json.loads(text)

    def events(self, job_id: str | None = None) -> list[str]:
        """Names of the events heard so far, of one job or of all."""
        heard = self._mailbox.events[self.name]
        return [event["event"] for event in heard if job_id in (None, event["job_id"])]

    async def event(self, name: str, job_id: str, seconds: float = SECONDS) -> dict[str, Any]:
        """Wait for the first such event."""
        heard = self._mailbox.events[self.name]

        def found() -> list[dict[str, Any]]:
            return [event for event in heard if (event["event"], event["job_id"]) == (name, job_id)]

        await self._mailbox.until(found, seconds, f"event {name} of {self.ref(job_id)}")
        return found()[0]

    def announced(self, job_id: str) -> list[dict[str, Any]]:
        """Results of a job that came on the tenant's channel so far."""
        return [result for result in self._mailbox.announced[self.name] if result["job_id"] == job_id]

    async def fence(self) -> None:
        """When this returns, everything that was pushed onto the list before has been taken in.

        By a text that is no job: those are answered in their order, after the jobs of the same batch.
        """
        job_id = f"fence-{next(self._fences)}"
        await self.push(self.broken(job_id))
        await self.result(job_id)
