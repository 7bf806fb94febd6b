"""Checks of `workerctl doctor`: users, descriptors, folders and ports."""

import os
import resource
from pathlib import Path

import msgspec
import pytest

from pageworker_supervisor.cli.host_findings import endpoint, folder_access, open_files, user_ids
from pageworker_supervisor.config.settings import HttpSettings, PoolSettings, SandboxSettings, Settings
from pageworker_supervisor.host.uid_lock import UidLock
from pageworker_supervisor.host.uid_ranges import IdRange

AT = 2_100_000_000
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root changes users")


@as_root
def test_unused_user_ids_pass(tmp_path: Path) -> None:
    found = user_ids(SandboxSettings(first_uid=AT), tmp_path, tmp_path / "lock")
    assert (found.ok, found.found, found.mend) == (True, f"{AT}-{AT + 499}, not used by any account", "")


@as_root
def test_a_running_worker_is_no_failure(tmp_path: Path) -> None:
    lock = UidLock(tmp_path / "lock")
    assert lock.take(IdRange(AT, 500)) is None
    found = user_ids(SandboxSettings(first_uid=AT), tmp_path, tmp_path / "lock")
    lock.close()
    assert found.ok
    assert "used by a running worker" in found.found


@as_root
def test_user_ids_of_an_account_fail_with_how_to_fix_it(tmp_path: Path) -> None:
    found = user_ids(SandboxSettings(first_uid=65_200), tmp_path, tmp_path / "lock")
    assert not found.ok
    assert "65200-65699 overlap 65534-65534, " in found.found
    assert "remove sandbox.first_uid" in found.mend


@as_root
def test_a_range_that_useradd_may_assign_gets_a_hint(tmp_path: Path) -> None:
    found = user_ids(SandboxSettings(first_uid=400_000_000), tmp_path, tmp_path / "lock")
    assert found.ok
    assert "pageworker:400000000:500" in found.mend


@as_root
def test_a_lock_that_is_not_roots_fails(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    assert not user_ids(SandboxSettings(first_uid=AT), tmp_path, tmp_path / "lock").ok


def test_too_few_open_files_for_the_pool_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = msgspec.structs.replace(Settings(), pool=PoolSettings(runners=64, pages=64))
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1024, 1024))
    found = open_files(settings)
    assert not found.ok
    assert found.found.startswith("the hard limit is 1024 open files, this pool needs ")
    assert "LimitNOFILE" in found.mend
    assert open_files(Settings()).ok


@pytest.mark.parametrize(("mode", "fine"), [(0o711, True), (0o700, True), (0o777, False), (0o730, False)])
def test_a_folder_that_others_may_write_fails(tmp_path: Path, mode: int, fine: bool) -> None:
    tmp_path.chmod(mode)
    assert folder_access(tmp_path).ok is fine


@as_root
def test_a_folder_of_another_user_fails(tmp_path: Path) -> None:
    os.chown(tmp_path, 65534, 65534)
    found = folder_access(tmp_path)
    assert not found.ok
    assert "belongs to user 65534" in found.found


@pytest.mark.parametrize(("bind", "told"), [("0.0.0.0:9470", True), ("[::]:1", True), ("127.0.0.1:9470", False)])
def test_an_endpoint_on_all_addresses_gets_a_hint(bind: str, told: bool) -> None:
    assert bool(endpoint(HttpSettings(bind=bind)).mend) is told
