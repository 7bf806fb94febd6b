"""A job's name on the command line, `TENANT/ID`."""

from pageworker_supervisor.cli.output import CommandError, CommandExit
from pageworker_supervisor.contract.job_ref import JobRef, JobRefInvalid


def job_named(text: str) -> JobRef:
    """Ends the command, with how to write it, where the text names no job."""
    try:
        return JobRef.parse(text)
    except JobRefInvalid as invalid:
        raise CommandError(str(invalid), exit_code=CommandExit.USAGE) from invalid
