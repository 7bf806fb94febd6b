"""What one attempt used, for the job's history: facts of its module, its runner and its end. Pure."""

import msgspec

from pageworker_sandbox.signing import VerifiedBundle
from pageworker_supervisor.contract.job import Job
from pageworker_supervisor.contract.job_history import AttemptUse
from pageworker_supervisor.dispatch.outcome import trace_of
from pageworker_supervisor.runners.page_reservation import PageReservation

LISTED = 12
"""Secrets and artifacts of one attempt, each: a history is kept with every job."""
TEXT_CHARS = 120
DIGEST_CHARS = 16

_encoder = msgspec.json.Encoder()


def attempt_use(
    job: Job,
    number: int,
    config_version: int,
    bundle: VerifiedBundle | None,
    page: PageReservation | None,
    proxy: str | None,
    outcome: str | None = None,
    error: str | None = None,
) -> bytes:
    """JSON of an `AttemptUse`, at most 4 KiB. `bundle` and `page`: None until the attempt has them. `outcome` and
    `error`, an error type: None until it has ended. It holds no value of a secret."""
    secrets, artifacts = (page.secrets_asked, page.artifacts) if page is not None else ((), ())
    return _encoder.encode(
        AttemptUse(
            attempt=number,
            module=bundle.name if bundle else None,
            module_version=bundle.version if bundle else None,
            module_digest=bundle.sha256 if bundle else None,
            config_version=config_version,
            runner_id=page.runner.runner_id if page else None,
            page=page.number if page else None,
            proxy=_cut(proxy),
            trace_id=trace_of(job),
            outcome=outcome,
            error=_cut(error),
            secrets=tuple(text[:TEXT_CHARS] for text in secrets[:LISTED]),
            artifacts=tuple(
                f"{_masked(one.kind, page)} {one.sha256[:DIGEST_CHARS]}"[:TEXT_CHARS] for one in artifacts[:LISTED]
            ),
            left_out=max(0, len(secrets) - LISTED) + max(0, len(artifacts) - LISTED),
        )
    )


def _cut(text: str | None) -> str | None:
    return text[:TEXT_CHARS] if text is not None else None


def _masked(kind: str, page: PageReservation | None) -> str:
    """The module chose the name of the kind."""
    return page.masker.text(kind) if page is not None else kind
