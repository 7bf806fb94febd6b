"""The section `[tracing]`: where traces go, and which jobs have one."""

from typing import Annotated

from msgspec import Meta

from pageworker_sandbox.wire.messages import SECRET_NAME
from pageworker_supervisor.config.redact import SecretText
from pageworker_supervisor.config.section import Section


class TracingSettings(Section, frozen=True):
    """Traces of jobs by OpenTelemetry (docs/tracing.md). Without `endpoint` there are none, and they cost nothing."""

    endpoint: str | None = None
    """URL of an OTLP/HTTP collector, e.g. `http://127.0.0.1:4318`. `/v1/traces` is added. Default: no traces."""
    sample_ratio: Annotated[float, Meta(ge=0, le=1)] = 1.0
    """Share of the jobs that have a trace. A job whose `trace_id` is a `traceparent` has one if its caller's flag says
    so, whatever the share is."""
    headers: dict[str, SecretText] = {}
    """Headers of each request to the collector, e.g. `{"Authorization" = "…"}`. Their values are never shown."""
    header_secrets: dict[str, Annotated[str, Meta(pattern=SECRET_NAME)]] = {}
    """Headers whose value is a secret of the fleet, by the name of the secret. `[secrets]` says where it is stored."""
    timeout_seconds: Annotated[float, Meta(gt=0, le=60)] = 10.0
    """Seconds per request to the collector. No job waits for it."""
