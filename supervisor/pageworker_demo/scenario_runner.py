"""Pushes the scenario's jobs as n8n does, collects results and callbacks, and checks them."""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from pageworker_demo.callback_receiver import DemoReceiver
from pageworker_demo.expectations import DecodedResult, jobs_to_call_back, problems, ref_of
from pageworker_demo.queue_client import DemoQueueClient
from pageworker_demo.scenario import NO_JOB, ScenarioJob
from pageworker_demo.terminal import DemoTerminal
from pageworker_sandbox.task_group import TaskGroup
from pageworker_supervisor.contract.job import JobRef

RESULT_SECONDS = 120.0
"""Many times what the jobs take: a slow host is not a failure."""
CALLBACK_SECONDS = 15.0


@dataclass
class ScenarioRunner:
    """One run of the scenario."""

    queue_client: DemoQueueClient
    jobs: Sequence[ScenarioJob]
    receiver: DemoReceiver
    terminal: DemoTerminal
    results: list[DecodedResult] = field(default_factory=list)
    _arrived: dict[JobRef, asyncio.Event] = field(default_factory=dict)

    async def run(self) -> list[str]:
        """Run every job. Returns the problems that were found."""
        self._arrived = {job.ref: asyncio.Event() for job in self.jobs}
        self.terminal.begin(len(self.jobs))
        try:
            async with asyncio.timeout(RESULT_SECONDS), TaskGroup() as tasks:
                tasks.create_task(self._collect())
                await self.queue_client.push(NO_JOB)
                for job in self.jobs:
                    tasks.create_task(self._push(job))
        except TimeoutError:
            self.terminal.step(f"Some jobs have no result after {RESULT_SECONDS:g} s.")
        finally:
            self.terminal.end()
        await self._await_callbacks()
        return [
            *problems(self.jobs, await self.queue_client.all_results(), self.receiver.callbacks),
            *await self._wrong_keys(),
            *await self._missing_dead_letter(),
            *(problem for result in self.results for problem in artifact_problems(result)),
        ]

    async def _push(self, job: ScenarioJob) -> None:
        if job.after is not None:
            await self._arrived[job.after].wait()
        for _ in range(job.pushes):
            await self.queue_client.push(job.text)

    async def _collect(self) -> None:
        async for result in self.queue_client.results():
            self._take(result)
            if all(event.is_set() for event in self._arrived.values()):
                return

    def _take(self, result: DecodedResult) -> None:
        self.results.append(result)
        self.terminal.result(result)
        if arrived := self._arrived.get(ref_of(result)):
            arrived.set()

    async def _await_callbacks(self) -> None:
        expected = jobs_to_call_back(self.jobs)
        try:
            async with asyncio.timeout(CALLBACK_SECONDS):
                while expected - {each.ref for each in self.receiver.callbacks if each.accepted}:
                    self.receiver.changed.clear()
                    await self.receiver.changed.wait()
        except TimeoutError:
            # `problems` names the missing ones.
            return

    async def _wrong_keys(self) -> list[str]:
        stored = await self.queue_client.stored_results([ref_of(result) for result in self.results])
        return [
            f"{ref_of(result)}: the result under its key differs from the one in the stream"
            for result, under_key in zip(self.results, stored, strict=True)
            if under_key != result
        ]

    async def _missing_dead_letter(self) -> list[str]:
        letters = await self.queue_client.dead_letters()
        found = any(NO_JOB.encode() in letter for letter in letters)
        return [] if found else [f"{NO_JOB!r} is not among the {len(letters)} dead letters"]


def artifact_problems(result: DecodedResult) -> list[str]:
    """Artifacts of a result that do not exist, or differ from their SHA-256. Reads the files."""
    found: list[str] = []
    for artifact in result["artifacts"]:
        path = Path(unquote(urlsplit(artifact["url"]).path))
        if not path.is_file():
            found.append(f"{ref_of(result)}: artifact {artifact['kind']} does not exist")
        elif hashlib.sha256(path.read_bytes()).hexdigest() != artifact["sha256"]:
            found.append(f"{ref_of(result)}: artifact {artifact['kind']} differs from its sha256")
    return found
