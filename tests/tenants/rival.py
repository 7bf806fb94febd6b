"""The other tenant: the jobs that it pushes during an attack, and how they must have ended."""

import asyncio
import itertools
import time
from typing import Any

from pw_daemon import Producer

EVERY_SECONDS = 0.1


class Rival:
    """Pushes small jobs at a steady pace, and keeps their answers."""

    def __init__(self, producer: Producer) -> None:
        self.producer = producer
        self.pushed: dict[str, float] = {}
        self._numbers = itertools.count(1)

    async def warm(self) -> None:
        """Until its runner is up."""
        await self._push("warm")
        await self.answered(60)

    async def run(self, name: str) -> None:
        """Push for ever."""
        while True:
            await self._push(name)
            await asyncio.sleep(EVERY_SECONDS)

    async def answered(self, seconds: float) -> list[dict[str, Any]]:
        """All results of what was pushed so far."""
        until = time.monotonic() + seconds
        while missing := [job_id for job_id in self.pushed if job_id not in self.producer.results]:
            if time.monotonic() > until:
                raise AssertionError(f"{len(missing)} of the rival's jobs have no answer in {seconds} s")
            await self.producer.collect(len(self.producer.results) + 1, seconds)
        return [self.producer.results[job_id] for job_id in self.pushed]

    async def _push(self, name: str) -> None:
        job_id = f"{name}-{next(self._numbers)}"
        self.pushed[job_id] = time.monotonic()
        await self.producer.push(self.producer.job(job_id, "demo.echo", {"id": job_id}))


def unharmed(results: list[dict[str, Any]]) -> None:
    """Each job ran once, and succeeded."""
    assert {result["status"] for result in results} == {"succeeded"}
    assert {len(result["attempts"]) for result in results} == {1}


def totals(results: list[dict[str, Any]]) -> list[float]:
    """From push to result, seconds, sorted."""
    return sorted(result["timing"]["total"] for result in results)
