"""The end of a job that can never run: what its sender is told. Pure."""

from pageworker_sandbox.page_rules import OptionRefused
from pageworker_supervisor.dispatch.outcome import EndJob, error
from pageworker_supervisor.input_schema.errors import PayloadInvalid
from pageworker_supervisor.proxies.choice import ProxyRefused
from pageworker_supervisor.registry.errors import ModuleError
from pageworker_supervisor.runners.egress_sets import DigestCollision

Refusal = ModuleError | ProxyRefused | OptionRefused | DigestCollision


def rejection_of(refusal: Refusal) -> EndJob:
    """Rejected, with the type and the detail of this refusal."""
    type_, detail = _type_and_detail(refusal)
    return EndJob("rejected", error(type_, str(refusal), retryable=False, detail=detail))


def _type_and_detail(refusal: Refusal) -> tuple[str, object]:
    match refusal:
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
