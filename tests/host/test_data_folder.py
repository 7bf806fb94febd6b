"""A data folder that a worker can write to, and what an operator is told of one that it cannot."""

import errno
import os
from pathlib import Path

import pytest

from pageworker_supervisor.config.settings import Settings, WorkerSettings
from pageworker_supervisor.host.data_folder import explain, usable_data_dir
from pageworker_supervisor.host.errors import DataFolderFull, DataFolderUnusable

USER = 4_000_000_001


def settings(folder: Path) -> Settings:
    return Settings(worker=WorkerSettings(data_dir=folder))


def test_it_is_created_and_nothing_is_left_in_it(tmp_path: Path) -> None:
    folder = usable_data_dir(settings(tmp_path / "new" / "data"))
    assert folder == tmp_path / "new" / "data"
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("below", ["", "below"])
def test_a_file_in_its_place(tmp_path: Path, below: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataFolderUnusable, match=r"is no folder; set worker\.data_dir"):
        usable_data_dir(settings(tmp_path / "file" / below))


@pytest.mark.parametrize(
    ("code", "kind", "what"),
    [
        (errno.ENOSPC, DataFolderFull, "is full"),
        (errno.EDQUOT, DataFolderFull, "is full"),
        (errno.EROFS, DataFolderUnusable, "read-only file system"),
        (errno.EACCES, DataFolderUnusable, f"user {USER} may not write"),
        (errno.EPERM, DataFolderUnusable, f"user {USER} may not write"),
        (errno.EIO, OSError, "Input/output error"),
    ],
)
def test_each_error_names_the_folder_and_the_setting(
    code: int, kind: type[Exception], what: str, tmp_path: Path
) -> None:
    told = explain(OSError(code, os.strerror(code)), tmp_path, USER)
    assert type(told) is kind
    for part in (what, str(tmp_path), "worker.data_dir"):
        assert part in str(told)


def test_the_owner_is_named_of_the_nearest_folder_that_exists(tmp_path: Path) -> None:
    refused = OSError(errno.EACCES, os.strerror(errno.EACCES))
    owner = tmp_path.owner()
    assert f"{tmp_path}, which belongs to user {owner};" in str(explain(refused, tmp_path, USER))
    assert f"{tmp_path}/a/b: {tmp_path} belongs to user {owner};" in str(explain(refused, tmp_path / "a/b", USER))
