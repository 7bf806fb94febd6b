"""Workers that share one snapshot store."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pw_profiles import Homes, SnapshotWorker, act_in_process

from pageworker_profiles.snapshots.folder_objects import FolderObjects

Worker = Callable[..., SnapshotWorker]


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """The folder of the snapshot store."""
    folder = tmp_path / "store"
    folder.mkdir()
    return folder


@pytest.fixture
def worker(tmp_path: Path, store: Path, monkeypatch: pytest.MonkeyPatch) -> Worker:
    """Makes a worker with this name. Made again, it is the worker after a restart."""
    act_in_process(monkeypatch)
    homes = Homes()

    def make(name: str, **options: Any) -> SnapshotWorker:
        return SnapshotWorker(name, tmp_path / name, FolderObjects(store), homes, **options)

    return make
