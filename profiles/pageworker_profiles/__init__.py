"""Persistent browser profiles: where they live, who holds them, how large they are, and how they go.

On disk, below the store's root:
    <tenant>/<profile>/lock        kernel lock (flock(2)) and who holds it; never visible to a runner
    <tenant>/<profile>/fence       highest fencing token that opened the profile
    <tenant>/<profile>/data/       the browser's user data folder, the only part a runner gets
    <tenant>/<profile>/aside/      quarantined data folders, each with its reason
    .trash/                        renamed here first, then deleted: nothing is ever half removed in place
    .scratch/                      of earlier versions
"""

from pageworker_profiles.errors import (
    FolderWorkerFailed,
    InvalidName,
    ProfileBusy,
    ProfileError,
    ProfileTampered,
    ProfileTooLarge,
    StaleFence,
    StoreDamaged,
    StoreDenied,
    StoreFull,
)
from pageworker_profiles.folders import ProfileFolders
from pageworker_profiles.lease import FolderLease, ProfileLease
from pageworker_profiles.sizes import FolderSize
from pageworker_profiles.store import ProfileStore

__all__ = [
    "FolderLease",
    "FolderSize",
    "FolderWorkerFailed",
    "InvalidName",
    "ProfileBusy",
    "ProfileError",
    "ProfileFolders",
    "ProfileLease",
    "ProfileStore",
    "ProfileTampered",
    "ProfileTooLarge",
    "StaleFence",
    "StoreDamaged",
    "StoreDenied",
    "StoreFull",
]
