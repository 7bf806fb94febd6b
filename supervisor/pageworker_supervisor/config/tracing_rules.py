"""Rules of the section `[tracing]` that its types cannot express. Pure."""

from collections.abc import Iterator

from pageworker_supervisor.config.redact import redact_url
from pageworker_supervisor.config.tracing_settings import TracingSettings
from pageworker_supervisor.config.value_checks import RuleFinding, header_findings, holds_password, url_findings

SCHEMES = ("http", "https")


def tracing_findings(tracing: TracingSettings, *, has_secrets: bool) -> Iterator[RuleFinding]:
    """Every broken rule. `has_secrets`: a secret backend is configured."""
    at = "tracing"
    if tracing.endpoint is not None:
        yield from url_findings((at, "endpoint"), tracing.endpoint, SCHEMES)
        if holds_password(tracing.endpoint):
            yield (at, "endpoint"), redact_url(tracing.endpoint), "no password in it", "put it into `headers`"
    yield from header_findings((at, "headers"), tracing.headers)
    yield from header_findings((at, "header_secrets"), tracing.header_secrets)
    known = {name.lower() for name in tracing.headers}
    for name in tracing.header_secrets:
        if name.lower() in known:
            yield (at, "header_secrets", name), name, "each header once", "`headers` has it as well"
    if tracing.header_secrets and not has_secrets:
        hint = "it says where secrets are stored (docs/secrets.md)"
        yield (at, "header_secrets"), "no secrets.backend", "`secrets.backend` to be set too", hint
