"""A fake supervisor: as much of the wire as tests need. The permit table checks every message of the runner."""

import asyncio
import itertools
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self, TypeVar

import msgspec

from pageworker_sandbox.memfd import read_sealed, seal
from pageworker_sandbox.wire import messages as m
from pageworker_sandbox.wire.channel import Channel
from pageworker_sandbox.wire.errors import ChannelClosed
from pageworker_sandbox.wire.message_rules import MessageRules
from pageworker_sandbox.wire.profile_report import ProbeWish
from pageworker_sandbox.wire.request_failure import failure_pipe
from pw_runner.attempt_report import AttemptReport as AttemptReport
from pw_runner.bundles import Packed
from pw_runner.site import Site

CHROMIUM = Path("/usr/lib/chromium/chromium")
HEADLESS_SHELL = Path("/usr/lib/chromium/chromium-headless-shell")
UNPRIVILEGED_UID = 65534
STOP_SECONDS = 15
ROOT = Path(__file__).resolve().parents[2]

Word = TypeVar("Word", bound=m.Message)


class Supervisor:
    """Starts one runner and exchanges messages with it."""

    def __init__(
        self,
        browser: Path = HEADLESS_SHELL,
        profile: Path | None = None,
        restore: tuple[bytes, float] | None = None,
        **boot: Any,
    ) -> None:
        """Without `profile` the runner gets a folder that is deleted with it. `restore`: a checkpoint, and its time."""
        self.checkpoints: list[bytes] = []
        self._restore = restore
        self.site = Site()
        self.retired: list[str] = []
        self.retire_causes: list[m.RetireCause] = []
        self.logs: list[m.LogLine] = []
        self.reports: dict[str, AttemptReport] = {}
        self.freed: list[str] = []
        self.offers: list[m.Offer] = []
        self.secrets: dict[str, str] = {}
        """What a module gets that asks for a secret. It is told that another one is not granted."""
        self.asked: list[m.SecretRequest] = []
        self.grants = True
        """Whether offered artifacts are granted at once."""
        # Not pytest's own folder: the runner's user cannot enter it.
        self._scratch = None if profile else tempfile.TemporaryDirectory(prefix="pw_", ignore_cleanup_errors=True)
        self.profile = profile or Path(self._scratch.name if self._scratch else "")
        self.permits: list[str] = []
        """Hosts of the permits that were asked for, one per request."""
        self.answer_permits: Callable[[str], bool | None] = lambda _: True
        """Whether a host gets a permit; None: no answer."""
        self.held_permits: list[int] = []
        """Numbers of the requests without an answer."""
        self._boot = {"pages": 2, "persistent": True, "recycle_seconds": 3.0, **boot}
        self._browser = browser
        self._numbers = itertools.count()
        self._rules = MessageRules()
        self._changed = asyncio.Condition()
        self._pongs: list[int] = []
        self._sent: set[tuple[str, str, str]] = set()
        self.ended = False
        self.ready: m.Ready | None = None
        self.failures = list(failure_pipe())
        """The runner's failure pipe: read end, write end. Kept open on this side for as long as the runner lives."""

    async def start(self) -> Self:
        """Start the process and boot the runner. Returns once it is ready."""
        self.channel = Channel(await self.spawn(), m.TO_RUNNER, m.TO_SUPERVISOR)
        self._reader = asyncio.get_running_loop().create_task(self._read())
        await self.send(
            m.Boot(
                protocol=m.PROTOCOL,
                runner_id="r-1",
                worker_id="w-1",
                tenant_id="acme",
                browser=str(self._browser),
                restores=self._restore is not None,
                **self._boot,
            ),
            [self.failures[0]],
        )
        if self._restore is not None:
            await self._send_checkpoint(*self._restore)
        try:
            await self.until(lambda: self.ready is not None or self.ended)
            assert self.ready is not None, [log.message for log in self.logs]
        except (AssertionError, TimeoutError):
            await self.close()
            raise
        return self

    async def spawn(self) -> socket.socket:
        """Start the process without a sandbox. Returns the supervisor's end of the channel."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        with theirs:
            self.process = self._popen(theirs.fileno())
        return ours

    def _popen(self, channel: int) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "pw_runner.direct", str(channel), str(self.profile)],
            pass_fds=[channel],
            cwd="/",
            env={
                "PATH": "/usr/bin:/bin",
                "HOME": str(self.profile),
                "TMPDIR": "/tmp",
                "PYTHONPATH": ":".join(str(ROOT / folder) for folder in ("runner", "sandbox", "tests")),
            },
            **self._user(UNPRIVILEGED_UID),
        )

    def _user(self, uid: int) -> dict[str, Any]:
        """Chromium's own sandbox refuses to run as root. So the profile is given to this user."""
        if os.geteuid() != 0:
            return {}
        for folder, _, files in os.walk(self.profile):
            for path in (folder, *(f"{folder}/{file}" for file in files)):
                os.chown(path, uid, uid, follow_symlinks=False)
        return {"user": uid, "group": uid, "extra_groups": []}

    async def connect_to_network(self, listener: socket.socket) -> None:
        """Serve the runner's listener, and close it in the end."""
        await self.site.serve(listener, self.failures[1])

    async def wait(self) -> int:
        """Wait until the process has ended. Returns its exit code."""
        return await asyncio.get_running_loop().run_in_executor(None, self.process.wait, 20)

    def kill(self) -> None:
        """Kill the process."""
        self.process.kill()

    async def stop(self) -> int:
        """Ask the runner to stop. Returns its exit code."""
        if not self.ended:
            await self.send(m.Stop())
        return await self.exited()

    async def exited(self) -> int:
        """Wait for the end of the process and clean up. Returns its exit code."""
        code = await self.wait()
        await self._reader
        self.channel.close()
        await self.site.close()
        while self.failures:
            os.close(self.failures.pop())
        if self._scratch is not None:
            self._scratch.cleanup()
        return code

    async def close(self) -> None:
        """End the runner, whatever state it is in."""
        if not self.ended:
            try:
                await self.send(m.Stop())
                await self.until(lambda: self.ended, STOP_SECONDS)
            except (ChannelClosed, TimeoutError):
                self.kill()
        await self.exited()

    async def send(self, message: m.Message, descriptors: list[int] | None = None) -> None:
        """Send one message."""
        await self.channel.send(message, descriptors or [])

    async def give(self, module: Packed, sha256: str | None = None) -> None:
        """Send a module. `sha256`: announce this digest instead of the right one."""
        descriptor = seal(module.data, module.name)
        try:
            message = m.Module(
                name=module.name,
                version=module.version,
                sha256=sha256 or module.sha256,
                entrypoint=module.entrypoint,
            )
            await self.send(message, [descriptor])
        finally:
            os.close(descriptor)

    async def forget(self, module: Packed) -> None:
        """Have the runner unload a module. The next attempt of it sends it again."""
        self._sent.discard((module.name, module.version, module.sha256))
        await self.send(m.Forget(name=module.name, version=module.version))

    async def begin(
        self,
        module: Packed,
        payload: dict[str, Any] | None = None,
        *,
        timeout_seconds: float = 20,
        job_id: str = "j",
        profile_id: str | None = None,
        begin_before: float | None = None,
        flags: dict[str, bool] | None = None,
        spans: bool = False,
        blocker_check: m.BlockerCheck = "failures",
        probe: ProbeWish = "no",
        trace: bool = False,
    ) -> str:
        """Send the module, if it was not sent before, and a Run. Returns the attempt id."""
        if (module.name, module.version, module.sha256) not in self._sent:
            self._sent.add((module.name, module.version, module.sha256))
            await self.give(module)
        attempt = f"a-{next(self._numbers)}"
        self.reports[attempt] = AttemptReport()
        self._rules.sent(attempt, spans=spans)
        await self.send(
            m.Run(
                attempt_id=attempt,
                job_id=job_id,
                tenant_id="acme",
                profile_id=profile_id,
                module=module.name,
                version=module.version,
                payload=msgspec.json.encode(payload or {}),
                attempt=1,
                timeout_seconds=timeout_seconds,
                trace_id="0" * 32,
                begin_before=begin_before,
                flags=flags or {},
                spans=spans,
                blocker_check=blocker_check,
                probe=probe,
                trace=trace,
            )
        )
        return attempt

    async def run(self, module: Packed, payload: dict[str, Any] | None = None, **given: Any) -> AttemptReport:
        """Run one attempt to its end, recycling included."""
        return await self.finished(await self.begin(module, payload, **given))

    async def finished(self, attempt: str) -> AttemptReport:
        """Wait for Done and Free."""
        await self.until(lambda: attempt in self.freed or self.ended)
        assert attempt in self.freed, (self.retired, self.reports[attempt].done)
        return self.reports[attempt]

    async def accepted(self, attempt: str) -> AttemptReport:
        """Wait until its handler runs."""
        await self.until(lambda: self.reports[attempt].accepted is not None)
        return self.reports[attempt]

    async def done(self, attempt: str) -> AttemptReport:
        """Wait for its Done."""
        await self.until(lambda: self.reports[attempt].done is not None)
        return self.reports[attempt]

    async def grant(self, offer: m.Offer) -> None:
        """Grant an offer."""
        self._rules.granted(offer.attempt_id)
        await self.send(m.Grant(attempt_id=offer.attempt_id, number=offer.number))

    async def answer(self, request: m.SecretRequest) -> None:
        """Answer a request by `secrets`; "…" there: never."""
        value = self.secrets.get(request.name)
        if value != "…":
            answer = m.SecretAnswer(
                attempt_id=request.attempt_id,
                number=request.number,
                value=value,
                denied=None if value is not None else "it is not granted",
            )
            await self.send(answer)

    async def permit(self, number: int, *, refused: bool = False) -> None:
        """Answer a permit request."""
        self._rules.permit_answered()
        await self.send(m.PermitAnswer(number=number, refused=refused))

    async def checkpoint(self) -> bytes:
        """Have the runner take one."""
        number = next(self._numbers)
        self._rules.checkpoint_asked(number)
        before = len(self.checkpoints)
        await self.send(m.TakeCheckpoint(number=number))
        await self.until(lambda: len(self.checkpoints) > before or self.ended)
        return self.checkpoints[-1]

    async def _send_checkpoint(self, data: bytes, taken_at: float) -> None:
        descriptor = seal(data, "checkpoint")
        try:
            await self.send(m.Restore(taken_at=taken_at), [descriptor])
        finally:
            os.close(descriptor)

    async def ping(self) -> None:
        """Wait for a Pong."""
        number = next(self._numbers)
        await self.send(m.Ping(number=number))
        await self.until(lambda: number in self._pongs)

    async def until(self, holds: Any, seconds: float = 30) -> None:
        """Wait until `holds()` is true. It is evaluated after every message of the runner."""
        async with asyncio.timeout(seconds), self._changed:
            await self._changed.wait_for(holds)

    async def _read(self) -> None:
        while not self.ended:
            try:
                message, descriptors = await self.channel.receive()
            except ChannelClosed:
                self.ended = True
            else:
                self._rules.receive(message)
                await self._take(message, descriptors)
            async with self._changed:
                self._changed.notify_all()

    async def _take(self, message: m.Message, descriptors: list[int]) -> None:
        attempt: str | None = getattr(message, "attempt_id", None)
        report = self.reports.get(attempt or "")
        if report is not None:
            report.order.append(type(message).__name__)
        match message:
            case m.Listener():
                await self.connect_to_network(socket.socket(fileno=descriptors[0]))
            case m.Ready():
                self.ready = message
            case m.Pong():
                self._pongs.append(message.number)
            case m.Retire():
                self.retired.append(message.reason)
                self.retire_causes.append(message.cause)
            case m.LogLine():
                (report.logs if report is not None else self.logs).append(message)
            case m.Accepted() if report is not None:
                report.accepted = message
            case m.Offer():
                self.offers.append(message)
                if self.grants:
                    await self.grant(message)
            case m.PermitRequest():
                self.permits.append(message.host)
                if (permitted := self.answer_permits(message.host)) is None:
                    self.held_permits.append(message.number)
                else:
                    await self.permit(message.number, refused=not permitted)
            case m.SecretRequest():
                self.asked.append(message)
                await self.answer(message)
            case m.ArtifactData() if report is not None:
                report.artifacts.append((message, read_sealed(descriptors[0], m.MAX_ARTIFACT_BYTES)))
                os.close(descriptors[0])
            case m.CheckpointTaken():
                self.checkpoints.append(read_sealed(descriptors[0], m.MAX_CHECKPOINT_BYTES))
                os.close(descriptors[0])
            case m.Spans() if report is not None:
                report.spans = message
            case m.StepReport() if report is not None:
                report.steps.append(message)
            case m.Done() if report is not None:
                report.done = message
            case m.Free():
                self.freed.append(message.attempt_id)
                if report is not None:
                    report.probed = message.profile
