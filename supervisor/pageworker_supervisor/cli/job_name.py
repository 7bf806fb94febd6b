"""Reads the name of a job, `TENANT/ID`, from the command line."""

from pageworker_supervisor.cli.output import CommandError, CommandExit
from pageworker_supervisor.contract.job import JobRef, JobRefInvalid


def job_named(text: str) -> JobRef:
    """Parse `TENANT/ID`. Raises CommandError with an example if the text names no job."""
    try:
        return JobRef.parse(text)
    except JobRefInvalid as invalid:
        raise CommandError(str(invalid), exit_code=CommandExit.USAGE) from invalid
