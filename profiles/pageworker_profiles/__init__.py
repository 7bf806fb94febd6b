"""Persistent browser profiles and scratch folders: where they live, who holds them, and how they go.

On disk, below the store's root:
    <tenant>/<profile>/lock        kernel lock (flock(2)) and who holds it; never visible to a runner
    <tenant>/<profile>/fence       highest fencing token that opened the profile
    <tenant>/<profile>/data/       the browser's user data folder, the only part a runner gets
    <tenant>/<profile>/aside/      quarantined data folders, each with its reason
    .scratch/<runner>/{lock,data}  of one runner, gone with it
    .trash/                        renamed here first, then deleted: nothing is ever half removed in place
"""

from pageworker_profiles.errors import (
    InvalidName,
    ProfileBusy,
    ProfileError,
    ProfileTampered,
    StaleFence,
    StoreDamaged,
    StoreDenied,
    StoreFull,
)
from pageworker_profiles.lease import Lease, ProfileLease
from pageworker_profiles.store import ProfileStore

__all__ = [
    "InvalidName",
    "Lease",
    "ProfileBusy",
    "ProfileError",
    "ProfileLease",
    "ProfileStore",
    "ProfileTampered",
    "StaleFence",
    "StoreDamaged",
    "StoreDenied",
    "StoreFull",
]
