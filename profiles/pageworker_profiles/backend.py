"""What a worker needs of a store of profiles: one interface for local folders and for snapshots in an object store."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from pageworker_profiles.browser_version import BrowserVersion
from pageworker_profiles.checkpoint import ProfileCheckpoint
from pageworker_profiles.errors import ProfileError
from pageworker_profiles.lease import ProfileLease
from pageworker_profiles.sizes import FolderSize


class ProfileBackend(Protocol):
    """Opens profiles, and keeps what their browsers leave. All calls raise ProfileError."""

    async def open(
        self,
        tenant_id: str,
        profile_id: str,
        fence: int | None,
        uid: int | None,
        browser: BrowserVersion | None = None,
    ) -> ProfileLease:
        """A local folder with the newest good state of the profile, locked until the lease is closed.

        `fence`: of the job's lease. `uid`: the runner's user; None: the owner stays. `browser`: the version
        that will use the profile; None: it is not compared. Raises BrowserOlder, ProfileElsewhere, StaleFence,
        SnapshotStoreAway and others.
        """

    async def release(self, lease: ProfileLease, fence: int | None, *, clean: bool, browser_version: str) -> None:
        """The runner has ended: keep what it left. The caller closes the lease afterwards. Raises nothing.

        `clean`: its browser was closed normally.
        """

    async def keep_checkpoint(self, lease: ProfileLease, fence: int | None, checkpoint: ProfileCheckpoint) -> None:
        """Keep the cookies and storage of an open profile, in case that its browser is killed. Raises StaleFence.

        The next opening finds it in its lease, unless the browser was closed normally since.
        """

    async def measure(self, folder: Path) -> FolderSize:
        """Size of an open profile's folder. Raises ProfileTooLarge."""

    async def run(self, on_error: Callable[[ProfileError], None]) -> None:
        """The work behind, until cancelled. `on_error`: of a step that is repeated later."""
