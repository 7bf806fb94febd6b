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

WRITES = """
# payload: log, print (text to write), fields (of the logged line), error (text of an exception that is logged),
# raises (text of an exception that ends the job), lines (number of lines)
import logging
fields = payload.get("fields", {})
for _ in range(payload.get("lines", 1)):
    if "log" in payload:
        helpers.log.info(payload["log"], **fields)
    if "print" in payload:
        print(payload["print"])
if "error" in payload:
    try:
        raise ValueError(payload["error"])
    except ValueError:
        logging.exception("it failed")
if "raises" in payload:
    raise ValueError(payload["raises"])
return {"said": payload.get("log"), "tenant": context.tenant_id}
"""

BRANCHES = """
[[input.anyOf]]
required = ["zz"]
properties.a."$ref" = "#"
[[input.anyOf]]
required = ["zz"]
properties.a."$ref" = "#"
"""
"""An input schema whose check takes twice as long with each level of a payload that does not match."""


def write_modules(folder: Path) -> list[Path]:
    """Their folders, made below `folder`."""
    return [
        write_module(folder, "tenants.say", SAY),
        write_module(folder, "tenants.writes", WRITES),
        write_module(folder, "tenants.branches", "return {}", more_toml=BRANCHES),
    ]
