"""How mistakes in a module, in its payload and in the job end an author's command."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pageworker_author.attached_files import AttachInvalid
from pageworker_author.local_job import job_text
from pageworker_sandbox.signing import PackedBundle
from pageworker_sandbox.signing.manifest import FILE
from pageworker_supervisor.cli.output import CommandError, CommandExit
from pageworker_supervisor.cli.payload import GivenPayload
from pageworker_supervisor.cli.registry_access import registry_errors
from pageworker_supervisor.contract.errors import ContractError
from pageworker_supervisor.contract.printable import printable
from pageworker_supervisor.input_schema.errors import PayloadInvalid
from pageworker_supervisor.input_schema.input_checks import check_payload


def given_job(
    packed: PackedBundle, given: GivenPayload, tenant: str, profile: str | None, timeout: float | None
) -> bytes:
    """The JSON of a job with the payload that was given. Raises CommandError with the payload's source."""
    try:
        return job_text(packed, given.text, tenant, profile, timeout)
    except ContractError as error:
        where = f"{given.source}: " if error.field.partition(".")[0] == "payload" else ""
        raise CommandError(printable(f"{where}{error}")) from error


def check_given(packed: PackedBundle, given: GivenPayload, folder: Path) -> None:
    """Check the payload by the module's input schema. Raises CommandError with the lines of the mistakes."""
    try:
        check_payload(packed.input_schema, given.text.encode())
    except PayloadInvalid as invalid:
        lines = "\n".join(f"  {line}" for line in given.explain(invalid))
        raise CommandError(
            f"the payload does not match the module's input schema:\n{lines}",
            f"Correct the payload, or `input` in {folder / FILE}.",
        ) from invalid


@contextmanager
def author_errors() -> Iterator[None]:
    """Every error of the module, the payload or the host ends the command with exit code 1; a signal with 130."""
    try:
        with registry_errors():
            yield
    except AttachInvalid as invalid:
        raise CommandError(printable(invalid)) from invalid
    except CommandError as error:
        if error.exit_code is CommandExit.REFUSED:
            raise CommandError(str(error), error.mend) from error
        raise
