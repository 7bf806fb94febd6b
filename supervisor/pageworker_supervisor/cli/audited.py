"""Records in the audit log what a command changes: that it is about to, and how it went.

A command that cannot be recorded is refused before it acts.
"""

import asyncio
import hashlib
import os
import socket
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from pageworker_supervisor.audit.audit_log import AuditLog
from pageworker_supervisor.audit.checkpoint_file import CheckpointFile
from pageworker_supervisor.audit.errors import AuditBusy, AuditRefused
from pageworker_supervisor.audit.key_file import KEY_FILE, read_or_make_key
from pageworker_supervisor.audit.outcome_text import failed_text
from pageworker_supervisor.audit.record import Actor, ActorKind, AuditEntry
from pageworker_supervisor.cli.local_user import local_user
from pageworker_supervisor.cli.output import CommandError, CommandExit, note
from pageworker_supervisor.config.data_dir import data_dir_of
from pageworker_supervisor.config.settings import Settings
from pageworker_supervisor.queue import QueueClient
from pageworker_supervisor.redis_client.errors import Denied, RedisClientError, RedisUnavailable

REQUESTED, DONE = "requested", "done"
FIRST_NAMES = 10
RECORD_SECONDS = 1.0

Reason = Annotated[str | None, Parameter(help="Why, for the audit log.")]


@dataclass
class RecordedAction:
    """What a command is doing. `outcome`: how it went, in a few words; the command may replace it."""

    outcome: str = DONE


def key_path(settings: Settings) -> Path:
    """The file of the audit key. Raises CommandError."""
    try:
        return settings.audit.key_file or data_dir_of(settings) / KEY_FILE
    except OSError as error:
        raise CommandError(
            f"the data folder of the worker cannot be used: {error.strerror}",
            "Run the command as the user of the worker, or give the audit key with `audit.key_file`.",
            CommandExit.REFUSED,
        ) from error


def checkpoint_file(settings: Settings) -> CheckpointFile:
    """The newest record that this host has seen, beside the key."""
    return CheckpointFile(key_path(settings).parent)


def local_actor(program: str, kind: ActorKind = "operator") -> Actor:
    """The user of this process. With sudo, the one who called it."""
    return Actor(kind=kind, name=local_user(), uid=os.getuid(), host=socket.gethostname(), program=program)


@asynccontextmanager
async def audited(
    queue: QueueClient,
    settings: Settings,
    command: str,
    target: str,
    reason: str | None = None,
    detail: Mapping[str, str | int] | None = None,
    kind: ActorKind = "operator",
) -> AsyncIterator[RecordedAction]:
    """Record `command`, such as `dead purge`, on `target` before the block and its outcome after it.

    Raises CommandError if the first record cannot be written: nothing has changed then. RedisClientError if Redis is
    away.
    """
    try:
        key = read_or_make_key(key_path(settings))
        log = AuditLog(
            queue.audit,
            key,
            local_actor(f"workerctl {command}", kind),
            checkpoint_file(settings),
            settings.audit.keep_days,
        )
        action = command.replace(" ", ".")
        entry = AuditEntry(
            action=action, target=target, reason=reason or "", outcome=REQUESTED, detail=dict(detail or {})
        )
        async with asyncio.timeout(RECORD_SECONDS):
            number = await log.append(entry)
    except TimeoutError as slow:
        raise RedisUnavailable(f"no answer within {RECORD_SECONDS:g} s; nothing is changed") from slow
    except AuditRefused as refused:
        raise CommandError(f"nothing is changed: {refused}", refused.mend, CommandExit.REFUSED) from refused
    except AuditBusy as busy:
        raise CommandError(f"nothing is changed: {busy}") from busy
    except Denied as denied:
        raise CommandError(
            f"nothing is changed: the audit log cannot be written: {denied}",
            "Use the Redis user `pageworker` (docs/redis.md).",
            CommandExit.REFUSED,
        ) from denied
    recorded = RecordedAction()
    try:
        yield recorded
    except BaseException as failed:
        text = failed_text(failed)
        await _record_outcome(log, AuditEntry(action=action, target=target, outcome=text, of=number))
        raise
    await _record_outcome(log, AuditEntry(action=action, target=target, outcome=recorded.outcome, of=number))


async def _record_outcome(log: AuditLog, entry: AuditEntry) -> None:
    """The command has acted, so it does not fail any more."""
    try:
        async with asyncio.timeout(RECORD_SECONDS):
            await log.append(entry)
    except (RedisClientError, AuditBusy, AuditRefused, TimeoutError) as error:
        note(f"The outcome is not in the audit log: {error or 'Redis does not answer'}")


def many(names: Sequence[str], what: str) -> tuple[str, dict[str, str | int]]:
    """Target and details of an action on several things: the first few, their number, and a digest of all names."""
    if len(names) == 1:
        return names[0], {}
    digest = hashlib.sha256("".join(f"{name}\n" for name in sorted(names)).encode()).hexdigest()[:16]
    return f"{len(names)} {what}", {"count": len(names), "digest": digest, "first": " ".join(names[:FIRST_NAMES])}


def outcomes_text(outcomes: Iterable[str]) -> str:
    """How many things had which outcome."""
    return ", ".join(f"{count} {outcome}" for outcome, count in sorted(Counter(outcomes).items()))
