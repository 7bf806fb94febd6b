"""The library of Redis Functions: its text, its name, and how it gets onto a primary."""

import hashlib
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from pageworker_supervisor.engine.types import LEASE_MS, PROMISE_MS


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
    sources = sorted((source for source in folder.iterdir() if source.name.endswith(".lua")), key=str)
    body = "\n".join(source.read_text(encoding="utf-8") for source in sources)
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
