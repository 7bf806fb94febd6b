"""Runners inside the worker's own process: they replace sandbox and browser. All other code is the product's."""

import asyncio
import fcntl
import os
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

import msgspec

from pageworker_profiles.errors import ProfileBusy, StaleFence
from pageworker_profiles.snapshots.snapshot_folders import SnapshotFolders
from pageworker_sandbox.launch import Host
from pageworker_sandbox.launch.sandboxed_process import ExitStatus
from pageworker_sandbox.memfd import seal
from pageworker_sandbox.signing import VerifiedBundle
from pageworker_sandbox.wire import messages as m
from pageworker_sandbox.wire.profile_report import ProfileReport
from pageworker_supervisor.components import Components
from pageworker_supervisor.contract.context_key import ContextKey
from pageworker_supervisor.runners.errors import RunnerLost
from pageworker_supervisor.runners.fleet import Fleet
from pageworker_supervisor.runners.page_reservation import PageReservation
from pageworker_supervisor.runners.resources import RunnerFolder, RunnerResources
from pageworker_supervisor.runners.runner import Runner
from pageworker_supervisor.runners.runner_end import CLOSED
from pageworker_supervisor.runners.runner_state import RunnerEvent, RunnerState

NOWHERE = Path("/nonexistent")
HOST = Host(NOWHERE, NOWHERE, {"full": NOWHERE, "shell": NOWHERE}, (), (), ())
RECYCLE_SECONDS = 0.001


@dataclass(frozen=True)
class EchoResources(RunnerResources):
    """Each profile is one file, locked by the kernel, in a folder that all workers share. With a snapshot store it is a
    real one, with nothing in it."""

    locks: Path = NOWHERE

    @asynccontextmanager
    async def folder(self, context: ContextKey, fence: int | None) -> AsyncIterator[RunnerFolder]:
        """Hold the profile for the block. Raises ProfileBusy, StaleFence."""
        if context.profile_id is None:
            yield RunnerFolder(None, None, self.profiles)
            return
        if isinstance(self.profiles, SnapshotFolders):
            opened = await self.profiles.open(context.tenant_id, context.profile_id, fence, None)
            with closing(opened) as lease:
                yield RunnerFolder(lease.path, None, self.profiles, lease=lease, fence=fence)
            return
        descriptor = os.open(self.locks / f"{context.tenant_id}--{context.profile_id}", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as busy:
                raise ProfileBusy(self.locks, "another worker") from busy
            newest = int(os.pread(descriptor, 64, 0) or b"0")
            if fence is None or fence < newest:
                raise StaleFence(self.locks, fence or 0, newest)
            os.pwrite(descriptor, b"%d" % fence, 0)
            yield RunnerFolder(None, None, self.profiles)
        finally:
            os.close(descriptor)


class _Gone(Exception):
    """Ends a runner's tasks."""


class EchoRunner(Runner):
    """Sleeps some milliseconds and answers. The payload may tell it to fail or to crash instead."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.assigned: list[str] = []
        """The tenants that it was given to as a spare: one at most."""
        self._stopping = asyncio.Event()
        self._tasks: asyncio.TaskGroup | None = None
        self._answers: dict[str, asyncio.Task[None]] = {}
        self._granted: dict[str, asyncio.Event] = {}
        """Of the artifact that an attempt has offered last."""
        self._thawed = asyncio.Event()
        self._thawed.set()
        self.released = asyncio.Event()
        """What jobs that hold their pages wait for."""
        self.used_bytes = 0
        """What its jobs received, in place of a gateway's count."""
        self.traffic.read_from(lambda: (self.used_bytes // 1000, 0, self.used_bytes))

    async def _serve_in(self, folder: RunnerFolder) -> None:
        await asyncio.sleep(random.uniform(0.002, 0.02))
        self.evidence = {"echo": "yes"}
        self._came_up()
        try:
            async with asyncio.TaskGroup() as self._tasks:
                self._tasks.create_task(self._assign_once_adopted())
                await self._stopping.wait()
                raise _Gone
        except* _Gone:
            self._tasks = None
        if self._end is None:
            self._why.status = ExitStatus(code=CLOSED, signal=None)

    async def _assign_once_adopted(self) -> None:
        await self._adoption.begun.wait()
        await asyncio.sleep(random.uniform(0, 0.002))
        self.assigned.append(self.context.tenant_id)
        self._adoption.finish()

    def _step(self, event: RunnerEvent) -> None:
        super()._step(event)
        if self.state is RunnerState.STOPPING:
            self._stopping.set()

    def crash(self, reason: str) -> None:
        """Behave as after SIGKILL."""
        self._end = RunnerLost(reason, charged=True)
        self._stopping.set()

    async def freeze(self, seconds: float) -> None:
        """Behave as during SIGSTOP."""
        self._thawed.clear()
        await asyncio.sleep(seconds)
        self._thawed.set()

    async def load(self, bundle: VerifiedBundle) -> None:
        """Load nothing: an echo needs no module."""
        await self.up()
        self._here()

    async def run(self, page: PageReservation, words: m.Run, bundle: VerifiedBundle) -> m.Done:
        """Run one attempt. As in the real runner, the runner returns the page from here on."""
        tasks = self._here()
        self._pages.begin(words.attempt_id, page, 0, self._log)
        self._answers[words.attempt_id] = tasks.create_task(self._answer(page, words))
        return await asyncio.shield(page.done)

    async def cancel(self, attempt_id: str, outcome: Literal["timed_out", "cancelled"]) -> None:
        """Cancel the attempt, unless the runner is frozen."""
        if self._thawed.is_set() and (answer := self._answers.get(attempt_id)) is not None:
            answer.cancel(outcome)

    async def grant(self, page: PageReservation, offer: m.Offer) -> None:
        """Hand over what the attempt has offered."""
        message = m.ArtifactData(attempt_id=offer.attempt_id, kind=f"kept.{offer.number}", content_type="text/plain")
        page.deliver(message, seal(b"x" * offer.bytes, "kept"))
        self._granted[offer.attempt_id].set()

    def _here(self) -> asyncio.TaskGroup:
        if self._tasks is None or self._stopping.is_set():
            raise self._end or RunnerLost("the runner is going", charged=False)
        return self._tasks

    async def _answer(self, page: PageReservation, words: m.Run) -> None:
        payload: dict[str, Any] = msgspec.json.decode(words.payload)
        page.accept()
        try:
            done = await self._do(words, payload)
        except asyncio.CancelledError as cancelled:
            if not cancelled.args:
                raise
            done = m.Done(attempt_id=words.attempt_id, outcome=cancelled.args[0])
        self.jobs_done += 1
        del self._answers[words.attempt_id]
        self._pages.end(done)
        await asyncio.sleep(RECYCLE_SECONDS)
        self._pages.free(words.attempt_id)

    async def _keep(self, words: m.Run, count: int) -> None:
        """Keep artifacts, one after the other, as a handler does."""
        page = self._pages.running[words.attempt_id]
        for number in range(count):
            granted = self._granted[words.attempt_id] = asyncio.Event()
            page.offer(m.Offer(attempt_id=words.attempt_id, number=number, bytes=100 + number))
            await granted.wait()

    async def _do(self, words: m.Run, payload: dict[str, Any]) -> m.Done:
        self.used_bytes += payload.get("bytes", 0)
        for number, text in enumerate(payload.get("steps", ()), 1):
            step = m.StepReport(attempt_id=words.attempt_id, number=number, text=text, at_seconds=0.001 * number)
            self._receive(step, [])
        await asyncio.sleep(payload["ms"] / 1000)
        await self._thawed.wait()
        match payload["do"]:
            case "keep":
                await self._keep(words, payload["artifacts"])
            case "hold":
                await self.released.wait()
            case "crash" if random.random() < payload["often"]:
                self.crash("the job crashed its runner")
                await asyncio.Event().wait()
            case "fail" if words.attempt <= payload["times"]:
                failure = m.Failure(type="handler_error", message="told to fail", retryable=True)
                return m.Done(attempt_id=words.attempt_id, outcome="failed", failure=failure)
            case "fail_on" if self._resources.worker_id == payload["on"]:
                failure = m.Failure(type="handler_error", message="a bad build", retryable=False)
                return m.Done(attempt_id=words.attempt_id, outcome="failed", failure=failure)
            case "blocked":
                return m.Done(attempt_id=words.attempt_id, outcome="blocked", obstacle=m.Obstacle(kind="captcha"))
            case "login":
                return m.Done(
                    attempt_id=words.attempt_id, outcome="succeeded", profile=ProfileReport(**payload["report"])
                )
            case "flags":
                flags = msgspec.msgpack.encode({"flags": words.flags})
                return m.Done(attempt_id=words.attempt_id, outcome="succeeded", data=msgspec.Raw(flags))
        data = msgspec.msgpack.encode({"job_id": words.job_id})
        return m.Done(attempt_id=words.attempt_id, outcome="succeeded", data=msgspec.Raw(data))


class EchoFleet(Fleet):
    """The product's fleet, which starts echo runners."""

    def _new_runner(
        self,
        context: ContextKey,
        fence: int | None,
        resources: RunnerResources,
        *,
        probe: bool = False,
        comes_back: bool = False,
    ) -> Runner:
        return EchoRunner(
            next(self._names), context, fence, resources, self._events, probe=probe, comes_back=comes_back
        )

    def hit(self, seconds: float | None) -> None:
        """Kill a random busy runner (`None`), or freeze it for `seconds`."""
        chosen = [runner for runner in self.runners.values() if isinstance(runner, EchoRunner) and runner.taken]
        if chosen and self._tasks is not None:
            victim = random.choice(chosen)
            if seconds is None:
                victim.crash("killed from outside")
            else:
                self._tasks.create_task(victim.freeze(seconds))

    def release(self) -> None:
        """Let the jobs end that hold their pages."""
        for runner in self.runners.values():
            if isinstance(runner, EchoRunner):
                runner.released.set()


class EchoComponents(Components):
    """The product's components without the egress gateway. Set `locks` before the first instance is made."""

    locks = NOWHERE

    def _fleet(self, name: str, resources: RunnerResources, probe_paths: tuple[Path | None, Path | None]) -> Fleet:
        shared = {field.name: getattr(resources, field.name) for field in fields(RunnerResources)}
        self.echo = EchoFleet(name, EchoResources(**shared, locks=self.locks), probe_paths, self._runner_gone)
        return self.echo

    def hit(self, seconds: float | None) -> None:
        """Kill a random busy runner (`None`), or freeze it for `seconds`."""
        self.echo.hit(seconds)

    def break_gateway(self, seconds: float) -> None:
        """Do nothing: there is no gateway."""

    def tasks(self) -> dict[str, Any]:
        """The component tasks without the gateway's."""
        tasks = super().tasks()
        tasks.pop("egress").close()
        return tasks
