"""Which files the worker's user has to reach. That a daemon leaves root is in tests/e2e/test_own_user.py."""

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from pageworker_supervisor.config.module_settings import ModuleSettings
from pageworker_supervisor.config.settings import Settings, WorkerSettings
from pageworker_supervisor.host import leave_root


def test_every_path_of_the_settings_but_the_data_folder() -> None:
    settings = Settings(
        worker=WorkerSettings(data_dir=Path("/data")),
        modules=ModuleSettings(registry="/registry", trusted_keys=("/keys/release.pub",)),
    )
    assert set(leave_root._paths(settings)) >= {Path("/registry"), Path("/keys/release.pub")}
    assert Path("/data") not in set(leave_root._paths(settings))


def test_what_root_has_published_is_read_by_the_worker(tmp_path: Path) -> None:
    assert list(leave_root._registry(tmp_path)) == []
    (tmp_path / "registry").mkdir()
    assert list(leave_root._registry(tmp_path)) == [tmp_path / "registry"]
    (tmp_path / "registry" / "index.json").touch()
    assert list(leave_root._registry(tmp_path)) == [tmp_path / "registry", tmp_path / "registry" / "index.json"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root leaves root")
def test_a_worker_whose_profiles_are_those_of_others_stays_root(tmp_path: Path) -> None:
    settings = Settings()
    assert leave_root.way_out_of_root(settings, tmp_path) is not None
    (tmp_path / "profiles").symlink_to(tmp_path)
    assert leave_root.way_out_of_root(settings, tmp_path) is None
    named = msgspec.structs.replace(settings, worker=WorkerSettings(user="ann"))
    assert leave_root.way_out_of_root(named, tmp_path) is not None


def test_an_account_with_its_groups() -> None:
    account = leave_root._account("root")
    assert account is not None
    assert (account.name, account.uid, account.gid) == ("root", 0, 0)
    assert 0 in account.groups


@pytest.mark.parametrize("name", ["no-such-account", ""])
def test_an_account_that_does_not_exist(name: str) -> None:
    assert leave_root._account(name) is None


GIVE = """
import sys
from pathlib import Path
from pageworker_supervisor.host import leave_root
from pageworker_supervisor.host.uid_ranges import IdRange
from pageworker_supervisor.host.worker_user import WorkerUser
leave_root._give_data_dir(Path(sys.argv[1]), WorkerUser(4001, 4002, IdRange(1, 1), "range"), ())
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root lacks single capabilities")
def test_root_that_may_not_change_owners_is_told_what_to_do(tmp_path: Path) -> None:
    without = ["setpriv", "--bounding-set=-chown", "--inh-caps=-chown"]
    command = [*without, sys.executable, "-c", GIVE, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"`chown -R 4001:4002 {tmp_path}` while no worker runs" in done.stderr
