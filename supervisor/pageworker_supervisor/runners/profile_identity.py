"""The browser of a profile has opened the folder that was prepared for it: asserted from the browser itself. Pure.

The folder worker writes a random marker into the folder at each opening. After the start, the runner reads it in the
folder that is in the command line of the browser's own process. The evidence is our own code's: the runner sends it
before it gets a module. What an earlier runner left in the profile cannot cause a mismatch.
"""

from collections.abc import Mapping

from pageworker_profiles.lease import ProfileLease
from pageworker_supervisor.runners.errors import SpawnFailed


def check_identity(lease: ProfileLease | None, evidence: Mapping[str, str]) -> None:
    """Raises SpawnFailed if the browser uses another folder than that of the lease, or does not tell."""
    if lease is None or lease.marker is None:
        return
    found = evidence.get("profile_marker", "unknown")
    if found != lease.marker:
        raise SpawnFailed(
            f"the browser has not opened the folder of profile {lease.tenant_id}/{lease.profile_id}: its marker is "
            f"{found[:40]!r}, expected {lease.marker!r}. No job runs there: check the mounts of this host"
        )
