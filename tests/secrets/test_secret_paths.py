"""Which files a worker has to read for its secrets."""

import os
from functools import partial
from pathlib import Path

import pytest

from pageworker_supervisor.config.secret_settings import FileSecretSettings, SecretSettings, SystemdSecretSettings
from pageworker_supervisor.config.settings import Settings
from pageworker_supervisor.host import leave_root
from pageworker_supervisor.host.reach import out_of_reach
from pageworker_supervisor.secrets.secret_paths import secret_folder, secret_paths

ENVIRON = {"CREDENTIALS_DIRECTORY": "/run/credentials/pageworker.service"}


def test_credentials_of_systemd_are_where_it_says_unless_the_settings_name_a_folder() -> None:
    assert secret_folder(SecretSettings(backend="systemd"), ENVIRON) == Path(ENVIRON["CREDENTIALS_DIRECTORY"])
    named = SecretSettings(backend="systemd", systemd=SystemdSecretSettings(folder=Path("/own")))
    assert secret_folder(named, ENVIRON) == Path("/own")
    assert secret_folder(SecretSettings(backend="systemd"), {}) is None
    assert list(secret_paths(SecretSettings(backend="systemd"), {})) == []


def test_other_backends_read_no_credentials_of_systemd() -> None:
    for settings in (SecretSettings(), SecretSettings(backend="vault"), SecretSettings(backend="files")):
        assert list(secret_paths(settings, ENVIRON)) == []


def test_every_file_of_every_tenant(tmp_path: Path) -> None:
    (tmp_path / "acme").mkdir()
    (tmp_path / "acme" / "login").touch()
    settings = SecretSettings(backend="files", files=FileSecretSettings(folder=tmp_path))
    assert list(secret_paths(settings, {})) == [tmp_path, tmp_path / "acme", tmp_path / "acme" / "login"]


def test_files_of_boto3_that_exist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    aws = SecretSettings(backend="aws")
    assert list(secret_paths(aws, {})) == []
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "credentials").touch()
    (tmp_path / "token").touch()
    token = {"AWS_WEB_IDENTITY_TOKEN_FILE": str(tmp_path / "token"), "AWS_CONFIG_FILE": str(tmp_path / "absent")}
    assert list(secret_paths(aws, token)) == [tmp_path / ".aws" / "credentials", tmp_path / "token"]


def test_a_folder_that_does_not_exist_is_named_alone() -> None:
    settings = SecretSettings(backend="systemd", systemd=SystemdSecretSettings(folder=Path("/absent")))
    assert list(secret_paths(settings, {})) == [Path("/absent")]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another user")
def test_credentials_of_root_are_out_of_reach_of_another_user(tmp_path: Path) -> None:
    (tmp_path / "acme.login").touch(0o400)
    tmp_path.chmod(0o500)
    settings = SecretSettings(backend="systemd")
    paths = list(secret_paths(settings, {"CREDENTIALS_DIRECTORY": str(tmp_path)}))
    assert out_of_reach(paths, 4001, 4001) == tuple(paths)
    leave = leave_root.way_out_of_root(Settings(secrets=settings), tmp_path, paths)
    assert isinstance(leave, partial)
    assert leave.args[2] == tuple(paths), "the start looks whether the user can read them"
