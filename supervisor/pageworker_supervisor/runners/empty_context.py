"""An ephemeral browser context is empty when it begins: what its runner found is checked here. Pure.

The evidence is our own code's: the runner sends it before it gets a module.
"""

from collections.abc import Mapping

from pageworker_supervisor.contract.context_key import ContextKey
from pageworker_supervisor.runners.errors import SpawnFailed

EMPTY = {"profile_files": "0", "cookies": "0", "stored_origins": "0"}
"""Files in the browser's folder before it started; cookies, and origins with storage, of its new context."""


def check_empty(context: ContextKey, evidence: Mapping[str, str]) -> None:
    """Raises SpawnFailed for an ephemeral context that holds anything, or of which nothing is known."""
    if context.profile is not None:
        return
    found = {name: evidence.get(name, "unknown") for name in EMPTY}
    if found != EMPTY:
        told = ", ".join(f"{name} {value}" for name, value in found.items())
        raise SpawnFailed(f"a new ephemeral browser context is not empty: {told}; no job runs there")
