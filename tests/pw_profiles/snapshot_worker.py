"""One worker's half of a snapshot store."""

from pathlib import Path

from pageworker_profiles import FolderSize, ProfileFolders, ProfileLease
from pageworker_profiles.errors import ProfileElsewhere, SnapshotKeyMissing
from pageworker_profiles.snapshots.keys import SnapshotKey, key_id
from pageworker_profiles.snapshots.objects import SnapshotObjects
from pageworker_profiles.snapshots.profile_snapshots import ProfileSnapshots, SnapshotOptions
from pageworker_profiles.snapshots.snapshot_folders import SnapshotEvents, SnapshotFolders

KEY = bytes(range(32))
SECONDS = 20.0


class Keys:
    """Keys of a test: the first one encrypts."""

    def __init__(self, *keys: bytes) -> None:
        self.keys = list(keys or (KEY,))

    async def current(self) -> SnapshotKey:
        """See SnapshotKeys."""
        if not self.keys:
            raise SnapshotKeyMissing("no key")
        return SnapshotKey(key_id(self.keys[0]), self.keys[0])

    async def find(self, wanted: str) -> SnapshotKey:
        """See SnapshotKeys."""
        for key in self.keys:
            if key_id(key) == wanted:
                return SnapshotKey(wanted, key)
        raise SnapshotKeyMissing(f"no key {wanted}")


class Homes:
    """The fleet's record, in this process. Redis' is tested in tests/queue/test_profile_stores.py."""

    def __init__(self) -> None:
        self.stores: dict[tuple[str, str], tuple[str, bool]] = {}

    async def claim(self, tenant_id: str, profile_id: str, store: str) -> bool:
        """See ProfileHomes."""
        known, kept = self.stores.setdefault((tenant_id, profile_id), (store, False))
        if known != store:
            raise ProfileElsewhere(f"the profile lives in {known}")
        return kept

    async def keep(self, tenant_id: str, profile_id: str, store: str) -> None:
        """See ProfileHomes."""
        self.stores[tenant_id, profile_id] = (store, True)


class SnapshotWorker:
    """A worker with a data folder of its own."""

    def __init__(
        self,
        name: str,
        root: Path,
        objects: SnapshotObjects,
        homes: Homes,
        keys: Keys | None = None,
        most: FolderSize = FolderSize(1000, 10_000_000),
        keep: int = 3,
        seconds: float = SECONDS,
    ) -> None:
        self.root = root
        self.moved: list[str] = []
        self.failed: list[str] = []
        self.refused: list[tuple[str, str]] = []
        self.aside: list[str] = []
        self.damaged: list[str] = []
        self.waits: list[bool] = []
        """Whether a folder waits to be published, each time that this was told."""
        self.keys = keys or Keys()
        options = SnapshotOptions(worker=name, host=f"host of {name}", keep=keep, seconds=seconds)
        self.snapshots = ProfileSnapshots(objects, options)
        events = SnapshotEvents(
            moved=lambda step, _, __: self.moved.append(step),
            failed=lambda step, _, __, error: self.failed.append(f"{step} {type(error).__name__}"),
            refused=lambda _, __, snapshot, reason: self.refused.append((snapshot, reason)),
            damaged=lambda _, __, error: self.damaged.append(str(error)),
            set_aside=lambda _, __, reason: self.aside.append(reason),
            waits_since=lambda since: self.waits.append(since is not None),
        )
        local = ProfileFolders(root, most)
        self.profiles = SnapshotFolders(local, self.snapshots, self.keys, homes, events)

    async def open(self, fence: int, profile_id: str = "p", tenant_id: str = "acme") -> ProfileLease:
        """Open a profile, as a runner that starts does."""
        return await self.profiles.open(tenant_id, profile_id, fence, None)

    async def close(self, lease: ProfileLease, fence: int, *, clean: bool = True) -> None:
        """Close it, as a runner that ends does."""
        await self.profiles.release(lease, fence, clean=clean, browser_version="150.0.1.2")
        lease.close()

    async def visit(self, fence: int, text: str | None = None, *, clean: bool = True) -> str:
        """Open the profile, write a text, close it. Returns what it held before; "": nothing."""
        lease = await self.open(fence)
        try:
            file = lease.path / "Default/Preferences"
            before = file.read_text() if file.exists() else ""
            if text is not None:
                put(lease.path, text)
        finally:
            await self.close(lease, fence, clean=clean)
        return before


def put(folder: Path, text: str) -> None:
    """What a browser writes."""
    (folder / "Default").mkdir(exist_ok=True)
    (folder / "Default/Preferences").write_text(text)
