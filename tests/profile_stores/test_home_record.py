"""Where a profile lives, on a real Redis: a worker with another store is told where, and gets nothing."""

from pathlib import Path

import pytest
from pw_queue import QueueHarness

from pageworker_profiles import FolderSize, ProfileFolders
from pageworker_profiles.errors import ProfileElsewhere, SnapshotStoreAway
from pageworker_supervisor.profile_stores.home_record import HomeRecord
from pageworker_supervisor.queue.profile_stores import ProfileStoreRecord, ProfileStores
from pageworker_supervisor.redis_client.availability import Availability
from pageworker_supervisor.redis_client.errors import RedisClientError


@pytest.fixture
def availability(harness: QueueHarness) -> Availability:
    async def probe() -> None:
        await harness.client.ping()

    return Availability(probe)


async def test_a_profile_of_another_host_is_never_empty_here(
    harness: QueueHarness, availability: Availability, tmp_path: Path
) -> None:
    stores = harness.queue.profile_stores
    most = FolderSize(100, 10**7)
    a, b = (
        ProfileFolders(tmp_path / host, most, profile_homes=HomeRecord(stores, availability, host)) for host in "ab"
    )
    (await a.open("acme", "p", 1, None)).close()
    with pytest.raises(ProfileElsewhere, match=r"host a.*docs/profiles\.md") as caught:
        await b.open("acme", "p", 2, None)
    assert caught.value.retryable
    assert not (tmp_path / "b/acme").exists(), "no empty folder is made"
    (await a.open("acme", "p", 3, None)).close()
    assert await stores.forget("acme", "p")
    (await b.open("acme", "p", 4, None)).close()


class LostStores(ProfileStores):
    """Records that cannot be read, for a reason that does not pass."""

    async def claim(
        self, tenant_id: str, profile_id: str, store: str, host: str, *, keep: bool = False
    ) -> ProfileStoreRecord:
        """See ProfileStores."""
        raise RedisClientError("the reply makes no sense")


async def test_a_record_that_cannot_be_read_defers_the_job_and_ends_no_worker(availability: Availability) -> None:
    record = HomeRecord(LostStores.__new__(LostStores), availability, "a")
    with pytest.raises(SnapshotStoreAway, match="makes no sense"):
        await record.claim("acme", "p", "one")


async def test_a_shared_folder_is_one_store(harness: QueueHarness, availability: Availability, tmp_path: Path) -> None:
    stores = harness.queue.profile_stores
    (tmp_path / "shared").mkdir()
    for name in "ab":
        (tmp_path / name).symlink_to(tmp_path / "shared")
        folders = ProfileFolders(tmp_path / name, profile_homes=HomeRecord(stores, availability, name))
        (await folders.open("acme", "p", 1, None)).close()
