"""The modules that the tenants of a shared worker may run."""

from pathlib import Path

from pw_daemon import write_module

SAY = """
# payload: seconds (sleep), artifact (text to leave), fail (type of a failure), retryable
await asyncio.sleep(payload.get("seconds", 0))
if "artifact" in payload:
    await helpers.artifact("note", payload["artifact"], "text/plain")
if "fail" in payload:
    raise Failed("told to fail", type=payload["fail"], retryable=payload.get("retryable", False))
return {
    "tenant": context.tenant_id,
    "job": context.job_id,
    "trace": context.trace_id,
    "attempt": context.attempt,
    "words": payload.get("words"),
}
"""


def write_modules(folder: Path) -> list[Path]:
    """Their folders, made below `folder`."""
    return [write_module(folder, "tenants.say", SAY)]
