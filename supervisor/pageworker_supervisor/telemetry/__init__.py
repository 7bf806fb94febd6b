"""Log lines and metrics of the worker.

`log` is the only logger of the supervisor: `log.bind(job="acme/17").info("job ended", status=…)`. Keyword arguments
become fields of the line. Payloads, secrets and cookies are never logged.
"""

from pageworker_supervisor.telemetry.logs import AUDIT, log, log_to, mask_lines

__all__ = ["AUDIT", "log", "log_to", "mask_lines"]
