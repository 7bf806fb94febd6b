"""Records in the audit log what a command changes in a registry or in key files, if there is an audit log.

Both work without Redis. So a user may have none, and then is told that nothing is recorded.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from pageworker_supervisor.audit.record import ActorKind
from pageworker_supervisor.cli.audited import RecordedAction, audited
from pageworker_supervisor.cli.connect import queue_of
from pageworker_supervisor.cli.output import CommandError, CommandExit, note
from pageworker_supervisor.config.data_dir import data_dir_of
from pageworker_supervisor.config.settings import Settings
from pageworker_supervisor.contract.printable import printable
from pageworker_supervisor.redis_client.redis_folder import RedisFolder


@asynccontextmanager
async def recorded(
    settings: Settings,
    command: str,
    target: str,
    reason: str | None,
    detail: Mapping[str, str | int],
    kind: ActorKind = "publisher",
) -> AsyncIterator[RecordedAction]:
    """Record `command`, such as `module yank`, before the block and its outcome after it.

    Raises CommandError if there is an audit log, and the first record cannot be written: nothing has changed then.
    """
    if (missing := _why_there_is_no_log(settings)) is not None:
        note(f"The audit log has no record of this: {printable(missing)}")
        yield RecordedAction()
        return
    async with (
        # The first record finds out whether Redis answers.
        queue_of(settings, probed=None) as (_, queue, _settings),
        audited(queue, settings, command, target, reason, detail, kind) as action,
    ):
        yield action


def _why_there_is_no_log(settings: Settings) -> str | None:
    """None: there is one. Raises CommandError if this user cannot find out."""
    if settings.redis.url is not None:
        return None
    try:
        folder = data_dir_of(settings)
    except OSError as error:
        if settings.worker.data_dir is not None:
            raise _refused(f"the data folder of the worker cannot be used: {error.strerror}") from error
        return f"redis.url is not set, and this user has no data folder: {error.strerror}."
    try:
        if RedisFolder(folder).listening():
            return None
    except PermissionError as error:
        raise _refused(f"only root and the user of the worker may use its Redis in {folder}") from error
    return f"redis.url is not set, and no worker runs a Redis in {folder}."


def _refused(what: str) -> CommandError:
    return CommandError(
        f"nothing is changed: {printable(what)}",
        "Run the command as the user of the worker, or give --config a file with another redis.url or worker.data_dir.",
        CommandExit.REFUSED,
    )
