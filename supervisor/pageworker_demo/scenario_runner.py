"""The demo from the first push to the last callback, as effects around the programme and the ledger."""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from pageworker_demo.callback_receiver import DemoReceiver
from pageworker_demo.expectations import Answer, complaints, owed, ref_of
from pageworker_demo.queue_client import DemoQueueClient
from pageworker_demo.scenario import NO_JOB, ScenarioJob
from pageworker_demo.terminal import DemoTerminal
from pageworker_supervisor.contract.job_ref import JobRef

RESULT_SECONDS = 120.0
"""Many times what it takes: a slow host is no failure."""
CALLBACK_SECONDS = 15.0


@dataclass
class ScenarioRunner:
    """Pushes as n8n does, and collects what comes back."""

    queue_client: DemoQueueClient
    acts: Sequence[ScenarioJob]
    receiver: DemoReceiver
    screen: DemoTerminal
    answers: list[Answer] = field(default_factory=list)
    _arrived: dict[JobRef, asyncio.Event] = field(default_factory=dict)

    async def run(self) -> list[str]:
        """All of it; returns what was wrong."""
        self._arrived = {act.ref: asyncio.Event() for act in self.acts}
        self.screen.begin(len(self.acts))
        try:
            async with asyncio.timeout(RESULT_SECONDS), asyncio.TaskGroup() as tasks:
                tasks.create_task(self._collect())
                await self.queue_client.push(NO_JOB)
                for act in self.acts:
                    tasks.create_task(self._push(act))
        except TimeoutError:
            self.screen.step(f"some jobs have no result after {RESULT_SECONDS:g} s")
        finally:
            self.screen.end()
        await self._await_callbacks()
        return [
            *complaints(self.acts, await self.queue_client.all_results(), self.receiver.deliveries),
            *await self._wrong_keys(),
            *await self._wrong_dead_letters(),
            *(wrong for answer in self.answers for wrong in wrong_artifacts(answer)),
        ]

    async def _push(self, act: ScenarioJob) -> None:
        if act.after is not None:
            await self._arrived[act.after].wait()
        for _ in range(act.pushes):
            await self.queue_client.push(act.text)

    async def _collect(self) -> None:
        async for answer in self.queue_client.results():
            self._take(answer)
            if all(event.is_set() for event in self._arrived.values()):
                return

    def _take(self, answer: Answer) -> None:
        self.answers.append(answer)
        self.screen.answered(answer)
        if arrived := self._arrived.get(ref_of(answer)):
            arrived.set()

    async def _await_callbacks(self) -> None:
        wanted = owed(self.acts)
        try:
            async with asyncio.timeout(CALLBACK_SECONDS):
                while wanted - {each.ref for each in self.receiver.deliveries if each.accepted}:
                    self.receiver.changed.clear()
                    await self.receiver.changed.wait()
        except TimeoutError:
            # The ledger names those that are missing.
            return

    async def _wrong_keys(self) -> list[str]:
        kept = await self.queue_client.kept([ref_of(answer) for answer in self.answers])
        return [
            f"{ref_of(answer)}: its key holds something else"
            for answer, again in zip(self.answers, kept, strict=True)
            if again != answer
        ]

    async def _wrong_dead_letters(self) -> list[str]:
        letters = await self.queue_client.dead_letters()
        named = any(NO_JOB.encode() in letter for letter in letters)
        return [] if named else [f"{NO_JOB!r} is not among the {len(letters)} dead letters"]


def wrong_artifacts(answer: Answer) -> list[str]:
    """Artifacts of a result that are not there, or not what the result says. Reads files."""
    wrong: list[str] = []
    for artifact in answer["artifacts"]:
        path = Path(unquote(urlsplit(artifact["url"]).path))
        if not path.is_file():
            wrong.append(f"{ref_of(answer)}: {artifact['kind']} is not there")
        elif hashlib.sha256(path.read_bytes()).hexdigest() != artifact["sha256"]:
            wrong.append(f"{ref_of(answer)}: {artifact['kind']} is not what its sha256 says")
    return wrong
