"""Checks of the host: users, descriptors, folders, ports and keys."""

import os
import resource
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest

from pageworker_sandbox.signing import SecretKey
from pageworker_supervisor.config.module_settings import ModuleSettings
from pageworker_supervisor.config.settings import HttpSettings, PoolSettings, SandboxSettings, Settings, WorkerSettings
from pageworker_supervisor.host.rights import NEEDED, Rights
from pageworker_supervisor.host.uid_lock import UidLock
from pageworker_supervisor.host.uid_ranges import IdRange
from pageworker_supervisor.self_checks import host_findings
from pageworker_supervisor.self_checks.host_findings import (
    MIN_FREE_BYTES,
    data_dir_access,
    data_dir_space,
    endpoint,
    open_files,
    trusted_keys,
    user,
    user_ids,
)

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


@as_root
def test_a_folder_of_a_worker_that_has_left_root_is_fine(tmp_path: Path) -> None:
    os.chown(tmp_path, AT, AT)
    assert not data_dir_access(tmp_path).ok
    (tmp_path / "user-ids").write_text(f"{AT} 500\n")
    assert data_dir_access(tmp_path).ok


NEEDED_NAMES = tuple(needed.name for needed in NEEDED)


@pytest.mark.parametrize(
    ("rights", "found"),
    [
        (
            Rights(0, NEEDED_NAMES),
            (
                "root: the worker becomes pageworker, or an unused id if there is no such account, without "
                "capabilities; each"
            ),
        ),
        (Rights(9, NEEDED_NAMES), "user 9, without capabilities; each runner gets its own user id"),
        (Rights(0, ("CAP_SETUID",)), "root without CAP_SETGID"),
        (Rights(9), "not root: all runners share this user id"),
    ],
)
def test_it_says_whose_user_ids_runners_get(rights: Rights, found: str) -> None:
    assert user(rights, None).found.startswith(found)


def test_it_says_why_a_worker_of_root_stays_root(tmp_path: Path) -> None:
    shared = user(Rights(0, NEEDED_NAMES), None, "/d/profiles is a link to another folder")
    assert shared.found.startswith("root: the worker keeps root's rights, because /d/profiles is a link")
    assert user(Rights(0, NEEDED_NAMES), "ann").found.startswith("root: the worker becomes ann, without capabilities")
    with_link = Settings(worker=WorkerSettings(data_dir=tmp_path))
    (tmp_path / "profiles").symlink_to("elsewhere")
    assert ("is a link to another folder" in host_findings._shared(with_link, tmp_path)) is (os.geteuid() == 0)


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
    assert data_dir_access(tmp_path).ok is fine


@as_root
def test_a_folder_of_another_user_fails(tmp_path: Path) -> None:
    os.chown(tmp_path, 65534, 65534)
    found = data_dir_access(tmp_path)
    assert not found.ok
    assert "belongs to user 65534" in found.found


def test_a_folder_of_a_daemons_user_is_fine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root asks, and a unit runs the daemon as the account pageworker."""
    monkeypatch.setattr(host_findings, "daemon_users", lambda: {0, tmp_path.stat().st_uid})
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert data_dir_access(tmp_path).ok
    monkeypatch.setattr(host_findings, "daemon_users", lambda: {tmp_path.stat().st_uid + 1})
    assert not data_dir_access(tmp_path).ok


@pytest.mark.parametrize(("bind", "told"), [("0.0.0.0:9470", True), ("[::]:1", True), ("127.0.0.1:9470", False)])
def test_an_endpoint_on_all_addresses_gets_a_hint(bind: str, told: bool) -> None:
    assert bool(endpoint(HttpSettings(bind=bind)).mend) is told


@pytest.mark.parametrize(("free", "fine"), [(MIN_FREE_BYTES, True), (MIN_FREE_BYTES - 1, False)])
def test_little_free_space_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, fine: bool) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=free))
    found = data_dir_space(tmp_path)
    assert (found.ok, found.mend.startswith("free at least 2048 MiB")) == (fine, not fine)


def test_keys_are_named_or_missed(tmp_path: Path) -> None:
    key = SecretKey.new().public
    assert trusted_keys(ModuleSettings(trusted_keys=(key.line(),))).found == key.name
    missing = trusted_keys(ModuleSettings())
    assert (missing.ok, "no key is trusted" in missing.found) == (False, True)
    (tmp_path / "key.pub").write_text("nonsense")
    unusable = trusted_keys(ModuleSettings(trusted_keys=(str(tmp_path / "key.pub"),)))
    assert (unusable.ok, "key.pub" in unusable.found) == (False, True)
