"""The end of a job that can never run, or that does not get its files: what its sender is told. Pure."""

import datetime as dt

import msgspec

from pageworker_sandbox.page_rules import OptionRefused
from pageworker_sandbox.wire.messages import Failure
from pageworker_supervisor.dispatch.outcome import EndJob, Outcome, error
from pageworker_supervisor.files.errors import FileError
from pageworker_supervisor.input_schema.errors import PayloadInvalid
from pageworker_supervisor.proxies.choice import ProxyRefused
from pageworker_supervisor.registry.errors import ModuleError
from pageworker_supervisor.runners.egress_sets import DigestCollision

Refusal = FileError | ModuleError | ProxyRefused | OptionRefused | DigestCollision


def rejection_of(refusal: Refusal) -> EndJob:
    """Rejected, with the type and the detail of this refusal."""
    type_, detail = _type_and_detail(refusal)
    return EndJob("rejected", error(type_, str(refusal), retryable=False, detail=detail))


def failed_fetch(failed: FileError) -> Outcome:
    """The outcome of an attempt that did not get its files, and may get them another time."""
    return Outcome(
        outcome="failed",
        runner_id=None,
        started_at=dt.datetime.now(dt.UTC),
        failure=Failure(type=failed.type, message=str(failed), retryable=failed.retryable),
        detail=msgspec.Raw(msgspec.json.encode(failed.detail)),
        begun=False,
    )


def _type_and_detail(refusal: Refusal) -> tuple[str, object]:
    match refusal:
        case FileError():
            return refusal.type, refusal.detail
        case PayloadInvalid():
            return refusal.type, refusal.mistakes
        case ModuleError():
            return refusal.type, {"mend": refusal.mend}
        case ProxyRefused():
            return refusal.type, refusal.detail
        case OptionRefused():
            return "invalid_field", {"field": f"page.{refusal.key}", "rule": refusal.rule, "hint": refusal.hint}
        case DigestCollision():
            return "module_invalid", None
