"""Persistent browser profiles: opens, locks, measures, quarantines and removes them.

On disk, below the store's root:
    <tenant>/<profile>/lock        kernel lock (flock(2)) and the name of its holder; no runner sees it
    <tenant>/<profile>/fence       highest fencing token that opened the profile
    <tenant>/<profile>/data/       the browser's user data folder, the only part that a runner sees
    <tenant>/<profile>/aside/      quarantined data folders, each with its reason
    .trash/                        a removed folder is renamed to here and then deleted, so no path holds half of it
    .scratch/                      left by earlier versions
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
