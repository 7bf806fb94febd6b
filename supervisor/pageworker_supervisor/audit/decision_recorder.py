"""Writes what a worker decides to the audit log: one task, which never stops or slows the worker's work."""

import asyncio
import contextlib
import os
import pwd
import random
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NoReturn

from msgspec.structs import replace

from pageworker_sandbox.task_group import TaskGroup
from pageworker_supervisor.audit.audit_log import AuditLog, read_head
from pageworker_supervisor.audit.checkpoint_file import CheckpointFile
from pageworker_supervisor.audit.decisions import Decisions, LostBecause, WorkerDecision
from pageworker_supervisor.audit.errors import AuditBusy, AuditRefused
from pageworker_supervisor.audit.key_file import KEY_FILE, read_key, read_or_make_key
from pageworker_supervisor.audit.record import Actor, AuditEntry, AuditKey
from pageworker_supervisor.backoff import Backoff
from pageworker_supervisor.config.settings import Settings
from pageworker_supervisor.queue.audit_store import AuditStore
from pageworker_supervisor.redis_client.errors import RedisUnavailable
from pageworker_supervisor.telemetry import log

WRITE_SECONDS = 30.0
"""For one record. Dropping old ones may be part of it, and takes some seconds after long."""
LAST_SECONDS = 1.0
"""For what is left when the worker ends."""
FIRST_RETRY_SECONDS = 0.5
LONGEST_RETRY_SECONDS = 30.0


class DecisionRecorder:
    """One worker's recorder. It has its own retries: the log must not withhold jobs as other refused calls do."""

    def __init__(
        self,
        decisions: Decisions,
        store: AuditStore,
        settings: Settings,
        data_dir: Path,
        on_lost: Callable[[LostBecause], None],
        *,
        program: str = "pageworker",
    ) -> None:
        """`on_lost`: called for each decision that is not recorded. `program`: which one decides."""
        self._program = program
        self._decisions = decisions
        self._store = store
        self._worker_id = settings.worker.id
        self._keep_days = settings.audit.keep_days
        self._key_file = settings.audit.key_file or data_dir / KEY_FILE
        self._checkpoint = CheckpointFile(self._key_file.parent)
        self._key: AuditKey | None = None
        self._trouble = ""
        decisions.on_lost(on_lost)

    def use(self, store: AuditStore) -> None:
        """Write with this client from the next record on."""
        self._store = store

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Record for the length of the block, and what is left for LAST_SECONDS after it."""
        async with TaskGroup() as tasks:
            task = tasks.create_task(self._run(), name="audit recorder")
            try:
                yield
            finally:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LAST_SECONDS):
                        await self._decisions.all_recorded()
                self._decisions.stop()
                task.cancel()

    async def _run(self) -> NoReturn:
        backoff = Backoff(FIRST_RETRY_SECONDS, LONGEST_RETRY_SECONDS)
        loop = asyncio.get_running_loop()
        while True:
            decision = await self._decisions.oldest()
            try:
                async with asyncio.timeout(WRITE_SECONDS):
                    await self._write(decision)
            except (RedisUnavailable, AuditBusy, TimeoutError) as error:
                self._report(str(error) or f"no answer within {WRITE_SECONDS:g} s", "")
                backoff.pause(loop.time())
                await asyncio.sleep(backoff.remaining_seconds(loop.time()) * random.uniform(0.5, 1))
                continue
            except AuditRefused as refused:
                self._report(str(refused), refused.mend)
                self._decisions.refuse()
            except Exception as bug:  # noqa: BLE001 - a log of the work must not end the work
                log.opt(exception=bug).error("a decision is not in the audit log", action=decision.entry.action)
                self._decisions.refuse()
            else:
                self._trouble = ""
                self._decisions.recorded()
            backoff.reset()

    async def _write(self, decision: WorkerDecision) -> None:
        actor = await asyncio.to_thread(_actor, decision.uid, self._worker_id, self._program)
        audit_log = AuditLog(self._store, await self._open_key(), actor, self._checkpoint, self._keep_days)
        seconds = int(self._decisions.clock() - decision.at)
        late = {"seconds_ago": seconds} if seconds else {}
        lost = {"lost_before": decision.lost_before} if decision.lost_before else {}
        entry: AuditEntry = replace(
            decision.entry, detail={**decision.entry.detail, "worker": self._worker_id, **late, **lost}
        )
        await audit_log.append(entry)

    async def _open_key(self) -> AuditKey:
        """The key. The worker makes one only for an empty log: another host has the key of one that has records.

        Raises AuditRefused, RedisClientError.
        """
        if self._key is None:
            there = await asyncio.to_thread(os.path.lexists, self._key_file)
            if not there and (await read_head(self._store)).seq:
                raise AuditRefused(
                    f"the audit log has records, and its key is not in {self._key_file}",
                    "Copy the key file of another host of the fleet.",
                )
            self._key = await asyncio.to_thread(read_key if there else read_or_make_key, self._key_file)
        return self._key

    def _report(self, trouble: str, mend: str) -> None:
        """Once per trouble: the metric counts."""
        if trouble != self._trouble:
            log.warning("decisions are not in the audit log", reason=trouble, fix=mend)
        self._trouble = trouble


def _actor(uid: int | None, worker_id: str, program: str) -> Actor:
    host = socket.gethostname()
    if uid is None:
        return Actor(kind="policy", name=worker_id, uid=os.geteuid(), host=host, program=program)
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        name = ""  # a user id without an entry, as in containers
    return Actor(kind="operator", name=name, uid=uid, host=host, program="control socket")
