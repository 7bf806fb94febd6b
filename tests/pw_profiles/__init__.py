"""Workers' halves of a snapshot store, in one process: their local folders, keys, and what they report."""

from pw_profiles.in_process import act_in_process
from pw_profiles.snapshot_worker import KEY, Homes, Keys, SnapshotWorker, put

__all__ = ["KEY", "Homes", "Keys", "SnapshotWorker", "act_in_process", "put"]
