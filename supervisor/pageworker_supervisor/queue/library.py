"""The library of Redis Functions: its text, its name, and how it gets onto a primary."""

import hashlib
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from pageworker_supervisor.queue.options import LEASE_MS, PROMISE_MS

FILES = (
    *("shard", "limits", "wakeup", "tenant", "timer", "domain", "backlog", "browser_context", "profile_lock", "job"),
    *("cancellation", "push", "listing", "dead_letter"),
    *("fn_enqueue", "claim_capacity", "fn_claim", "fn_lease", "fn_finish", "fn_outbox", "fn_dead_letters"),
    *("fn_workers", "fn_inspect", "fn_audit", "register"),
)
"""The sources of the library in their order: a local function of Lua is known only below its definition."""


@dataclass(frozen=True)
class Library:
    """One version of the functions, for one prefix. Versions have different names and stand side by side."""

    name: str
    code: str

    def function(self, name: str) -> str:
        """The name that Redis knows a function by: names are global to a server."""
        return f"{self.name}_{name}"


@cache
def library(
    prefix: str, *, cluster: bool, test_clock: bool = False, lease_ms: int = LEASE_MS, promise_ms: int = PROMISE_MS
) -> Library:
    """Join the sources. The name is the prefix and a digest of the text."""
    folder = files(__package__).joinpath("lua")
    body = "\n".join(folder.joinpath(f"{name}.lua").read_text(encoding="utf-8") for name in FILES)
    body = _set(body, "CLUSTER", "false", str(cluster).lower())
    body = _set(body, "TEST_CLOCK", "false", str(test_clock).lower())
    body = _set(body, "LEASE_MS", "45000", str(lease_ms))
    body = _set(body, "TAKE_MS", "60000", str(promise_ms))
    digest = hashlib.blake2b(f"{prefix}\n{body}".encode(), digest_size=4).hexdigest()
    name = f"{re.sub('[^A-Za-z0-9]', '_', prefix)}_{digest}"
    code = body.replace("FUNCTION_PREFIX", f"{name}_")
    return Library(name, f"#!lua name={name}\n{code}")


def _set(body: str, name: str, default: str, value: str) -> str:
    line = f"local {name} = {default} "
    if body.count(line) != 1:
        raise LookupError(f"the library sets {name} {body.count(line)} times")
    return body.replace(line, f"local {name} = {value} ")
