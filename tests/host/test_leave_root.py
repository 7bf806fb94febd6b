"""Which files the worker's user has to reach. That a daemon leaves root is in tests/e2e/test_own_user.py."""

from pathlib import Path

import pytest

from pageworker_supervisor.config.settings import ModuleSettings, Settings, WorkerSettings
from pageworker_supervisor.host import leave_root


def test_every_path_of_the_settings_but_the_data_folder() -> None:
    settings = Settings(
        worker=WorkerSettings(data_dir=Path("/data")),
        modules=ModuleSettings(registry="/registry", trusted_keys=("/keys/release.pub",)),
    )
    assert set(leave_root._paths(settings)) >= {Path("/registry"), Path("/keys/release.pub")}
    assert Path("/data") not in set(leave_root._paths(settings))


def test_an_account_with_its_groups() -> None:
    account = leave_root._account("root")
    assert account is not None
    assert (account.name, account.uid, account.gid) == ("root", 0, 0)
    assert 0 in account.groups


@pytest.mark.parametrize("name", ["no-such-account", ""])
def test_an_account_that_does_not_exist(name: str) -> None:
    assert leave_root._account(name) is None
