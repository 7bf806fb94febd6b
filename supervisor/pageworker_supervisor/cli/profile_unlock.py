"""`workerctl profile unlock`: releases the lock of a worker that is gone."""

import asyncio
import os
import socket
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from pageworker_supervisor.admin.control_socket import control_path
from pageworker_supervisor.cli.audited import Reason, audited
from pageworker_supervisor.cli.connect import Config, open_queue
from pageworker_supervisor.cli.output import CommandError, CommandExit, Json, show
from pageworker_supervisor.cli.profile_name import ProfileName, profile_named
from pageworker_supervisor.cli.profile_rows import ProfileChange
from pageworker_supervisor.config.data_dir import chosen_data_dir, open_regular
from pageworker_supervisor.contract.printable import printable
from pageworker_supervisor.queue.profile_locks import ProfileLock
from pageworker_supervisor.worker_identity import FILE

CONNECT_SECONDS = 1.0
MOST_BYTES = 1000
"""Of the file with the worker's name, which the worker's user may have written."""


def unlock(
    name: str,
    *,
    force: Annotated[bool, Parameter(negative=())] = False,
    reason: Reason = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Release the lock of one profile whose worker is gone, so that another worker opens it at once.

    Other workers do this by themselves, 45 s after the last heartbeat. A worker counts as gone if its lock has run
    out, or if it was the worker of this data folder and its process has ended. A lock of any other is refused with its
    name (exit code 4). The exit code is 1 if the profile is not locked.

    Example: `workerctl profile unlock acme/main --force --reason "host burnt"`.

    Parameters
    ----------
    name
        Tenant and profile, `TENANT/PROFILE`.
    force
        Release the lock of any worker or command; needs --reason. A worker that still runs kills the profile's runner
        at its next heartbeat: what its browser has not stored is lost.
    """
    profile = profile_named(name)
    if force and not reason:
        raise CommandError("--force needs a reason", 'Write e.g. --reason "host burnt".', CommandExit.USAGE)
    lock = asyncio.run(_unlock(profile, force, reason, config))
    report = ProfileChange(tenant_id=profile.tenant_id, profile_id=profile.profile_id, change="unlocked")
    show(report, printable(f"{profile} is unlocked: {lock.holder} held it"), json)


async def _unlock(profile: ProfileName, force: bool, reason: str | None, config: Path | None) -> ProfileLock:
    async with (
        open_queue(config) as (_, queue, settings),
        audited(queue, settings, "profile unlock", str(profile), reason, {"force": 1} if force else {}) as action,
    ):
        lock = await queue.profile_locks.lock(*profile)
        if lock is None:
            raise CommandError(f"{profile} is not locked")
        if not force and lock.left_seconds > 0 and not has_ended(chosen_data_dir(settings), lock.holder):
            raise CommandError(
                printable(f"{profile} is open: {lock.holder} holds it for {lock.left_seconds:.0f} s at least"),
                "Drain that worker. If it is gone for certain, use --force with --reason.",
                CommandExit.REFUSED,
            )
        if not await queue.profile_locks.unlock(*profile, lock):
            raise CommandError(f"{profile} has another lock by now", exit_code=CommandExit.REFUSED)
        action.outcome = f"released the lock of {lock.holder}"
        return lock


def has_ended(data_dir: Path, holder: str) -> bool:
    """Whether `holder` was the last worker of this data folder, and its process has ended. Read without its help."""
    try:
        with os.fdopen(open_regular(data_dir / FILE), "rb") as file:
            if file.read(MOST_BYTES).decode(errors="replace").strip() != holder:
                return False
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(CONNECT_SECONDS)
            connection.connect(str(control_path(data_dir)))
    except ConnectionRefusedError:
        # A socket without a process. A worker that is suspended still accepts connections, and one that stopped in good
        # order has released its locks.
        return True
    except OSError:
        return False
    return False
