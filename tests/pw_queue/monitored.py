"""Reads what Redis' MONITOR shows of the queue."""

import re

JOB = "pw:{0}:job:"
_BEGUN = re.compile(r" begun 1(?: |$)")


def begun_job(command: str) -> str | None:
    """The job, `TENANT/ID`, if the queue notes with this command that a handler of it has begun; else None.

    `command`: as the client shows it, a command and its arguments with spaces between.
    """
    if not command.startswith(f"HSET {JOB}") or not _BEGUN.search(command):
        return None
    return command.split(" ", 2)[1].removeprefix(JOB)
