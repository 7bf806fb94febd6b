"""Checks what a handler returned against the output schema of its module, before the result is stored."""

import msgspec
from msgspec import structs

from pageworker_sandbox.signing import BundleMalformed, VerifiedBundle
from pageworker_sandbox.wire import messages as m
from pageworker_supervisor.contract.job import Job
from pageworker_supervisor.dispatch.attempt_services import AttemptServices
from pageworker_supervisor.dispatch.outcome import NotJson, json_of
from pageworker_supervisor.dispatch.secret_requests import masked_done
from pageworker_supervisor.input_schema.errors import CheckLimitExceeded, OutputInvalid
from pageworker_supervisor.input_schema.input_checks import InputChecks
from pageworker_supervisor.registry.errors import VersionSetAside
from pageworker_supervisor.registry.resolve import Release
from pageworker_supervisor.runners.page_reservation import PageReservation

NIL = msgspec.Raw(b"\xc0")


async def final_done(page: PageReservation, bundle: VerifiedBundle, job: Job, services: AttemptServices) -> m.Done:
    """What the runner answered for this page, without the secrets of the job, and checked.

    Raises VersionSetAside if the module does not load and another version goes on, OSError if the host has no process
    for the check.
    """
    masked = await masked_done(await page.done, page.masker)
    failure = masked.failure
    # A handler that has begun may raise an error of any type.
    if failure is not None and failure.type == VersionSetAside.type and page.accepted_at is None:
        release = Release(bundle.name, bundle.version, bundle.sha256, len(bundle.data))
        await services.registry.load_failed(release, job.module_pin, job.ref, failure.message)
    return await checked_done(masked, bundle, job.tenant_id, services.input_checks)


async def checked_done(done: m.Done, bundle: VerifiedBundle, tenant_id: str, checks: InputChecks) -> m.Done:
    """The same message; or one that failed as `result_invalid`, final, if its data does not match the schema.

    Call it with masked data: that is what the reader of the result gets. Raises OSError if the host has no process for
    the check.
    """
    if done.outcome != "succeeded" or bundle.output_schema is None:
        return done
    try:
        await checks.check_output(bundle, tenant_id, bytes(json_of(done.data)))
    except NotJson:
        # The next reader of the data reports it: the runner is to blame, not the module.
        return done
    except OutputInvalid as invalid:
        return _failed(done, f"The handler returned what its output schema refuses: {invalid}", invalid.mistakes)
    except (BundleMalformed, CheckLimitExceeded) as unusable:
        return _failed(done, f"What the handler returned cannot be checked: {unusable}", {"mend": unusable.mend})
    return done


def _failed(done: m.Done, message: str, detail: object) -> m.Done:
    failure = m.Failure(
        type=OutputInvalid.type,
        message=message,
        retryable=False,
        detail=msgspec.Raw(msgspec.msgpack.encode(detail)),
    )
    return structs.replace(done, outcome="failed", data=NIL, failure=failure)
