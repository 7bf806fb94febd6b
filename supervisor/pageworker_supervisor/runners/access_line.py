"""One line of the access log: what the egress gateway recorded of a request, and whose it was. Pure."""

from pageworker_sandbox.egress.messages import AccessRecord
from pageworker_supervisor.config.settings import EgressSettings
from pageworker_supervisor.runners.runner_traffic import RunnerTraffic

MAX_JOBS = 16
"""Jobs per line. A tunnel may stay open over many jobs of a runner."""


def recorded_share(settings: EgressSettings) -> float:
    """Which share of the requests the gateway records, 0 to 1."""
    match settings.access_log:
        case "off":
            return 0.0
        case "sampled":
            return settings.access_log_sample
        case "all":
            return 1.0


def access_line(record: AccessRecord, traffic: RunnerTraffic | None) -> dict[str, object]:
    """The fields of the line. `traffic`: the runner's; None: it is gone.

    `job` and `trace_id` are one text if one job ran during the request, lists if several did, None without a job.
    """
    jobs = [] if traffic is None else traffic.jobs_within(record.seconds)[-MAX_JOBS:]
    return {
        "runner_id": record.runner_id,
        "tenant_id": None if traffic is None else traffic.tenant_id,
        "job": _one_or_all([job.job for job in jobs]),
        "trace_id": _one_or_all([job.trace_id for job in jobs]),
        "method": record.method,
        "host": record.host,
        "port": record.port,
        "status": record.status,
        "bytes_in": record.down_bytes,
        "bytes_out": record.up_bytes,
        "seconds": round(record.seconds, 4),
        "reason": record.reason or None,
        "suppressed": record.suppressed or None,
    }


def _one_or_all(texts: list[str]) -> str | list[str] | None:
    if not texts:
        return None
    return texts[0] if len(texts) == 1 else texts
