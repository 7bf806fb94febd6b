"""The store of profiles that the settings name."""

import socket
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from pageworker_profiles import FolderSize, ProfileFolders
from pageworker_profiles.backend import ProfileBackend
from pageworker_profiles.snapshots.folder_objects import FolderObjects
from pageworker_profiles.snapshots.objects import SnapshotObjects
from pageworker_profiles.snapshots.profile_snapshots import ProfileSnapshots, SnapshotOptions
from pageworker_profiles.snapshots.snapshot_folders import SnapshotFolders
from pageworker_supervisor.config.profile_settings import ProfileSettings
from pageworker_supervisor.config.settings import Settings
from pageworker_supervisor.profile_stores.bucket_objects import BucketObjects
from pageworker_supervisor.profile_stores.fleet_keys import FleetKeys
from pageworker_supervisor.profile_stores.home_record import HomeRecord
from pageworker_supervisor.profile_stores.snapshot_reports import SnapshotReports
from pageworker_supervisor.queue.profile_stores import ProfileStores
from pageworker_supervisor.redis_client.availability import Availability
from pageworker_supervisor.secrets.fleet_secrets import FleetSecrets
from pageworker_supervisor.telemetry.metrics import Metrics


def open_objects(url: str) -> SnapshotObjects:
    """The objects at this URL. Nothing is read yet."""
    parts = urlsplit(url)
    return FolderObjects(Path(unquote(parts.path))) if parts.scheme == "file" else BucketObjects(url)


def open_snapshots(settings: ProfileSettings, worker_id: str) -> ProfileSnapshots | None:
    """The heads and containers; None: profiles live in local folders. `worker_id`: for the holder in a head."""
    if settings.store is None:
        return None
    return ProfileSnapshots(
        open_objects(settings.store),
        SnapshotOptions(
            worker=worker_id,
            host=socket.gethostname(),
            keep=settings.keep_snapshots,
            seconds=settings.store_seconds,
        ),
    )


@dataclass(frozen=True)
class ProfileHost:
    """Where a worker has its profiles. `namespace`: as in ProfileFolders. `local`: of a run without Redis, which keeps
    them in its data folder whatever the settings say."""

    data_dir: Path
    namespace: int | None
    local: bool = False


def open_profiles(
    settings: Settings,
    place: ProfileHost,
    stores: ProfileStores,
    availability: Availability,
    secrets: FleetSecrets,
    metrics: Metrics,
) -> tuple[ProfileBackend, SnapshotReports]:
    """The store of a worker, and what it reports."""
    profiles, root = settings.profiles, place.data_dir / "profiles"
    most = FolderSize(profiles.max_files, profiles.max_bytes)
    homes, reports = HomeRecord(stores, availability), SnapshotReports(stores, metrics)
    if place.local:
        return ProfileFolders(root, most, place.namespace, on_failed_check=reports.failed_check), reports
    snapshots = open_snapshots(profiles, settings.worker.id)
    if snapshots is None or profiles.key_secret is None:
        return ProfileFolders(root, most, place.namespace, homes, reports.failed_check), reports
    keys = FleetKeys(secrets, profiles.key_secret, profiles.key_secrets_before)
    return SnapshotFolders(ProfileFolders(root, most, place.namespace), snapshots, keys, homes, reports.events), reports
