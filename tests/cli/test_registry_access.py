"""Options that name a registry, and how its errors end a command."""

import os
from pathlib import Path

import pytest

from pageworker_sandbox.signing import BadSignature, KeyUnusable, Mistake, SecretKey
from pageworker_supervisor.cli.output import CommandError, CommandExit
from pageworker_supervisor.cli.registry_access import RegistryAccess, registry_errors
from pageworker_supervisor.config.errors import ConfigInvalid, ConfigProblem
from pageworker_supervisor.registry.errors import PackRefused, RegistryAway, RegistryRefused

KEY, OTHER = SecretKey.new().public, SecretKey.new().public


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PAGEWORKER_WORKER__DATA_DIR", str(tmp_path / "data"))
    (tmp_path / "shelf").mkdir()
    file = tmp_path / "pageworker.toml"
    file.write_text(f'[modules]\nregistry = "{tmp_path}/shelf"\ntrusted_keys = ["{KEY.line()}"]\n')
    return file


def test_options_win_over_the_configuration(config: Path, tmp_path: Path) -> None:
    configured = RegistryAccess(config=config)
    assert (configured.store().folder, configured.trust().keys) == (tmp_path / "shelf", (KEY,))
    given = RegistryAccess(registry=str(tmp_path / "other"), trusted=(OTHER.line(),), config=config)
    assert (given.store().folder, given.trust().keys) == (tmp_path / "other", (OTHER,))
    scopes = tmp_path / "trust.toml"
    scopes.write_text(f'[[key]]\nkey = "{OTHER.line()}"\nchannels = ["canary"]\n')
    with config.open("a") as file:
        file.write('trust = "trust.toml"\n')
    assert set(configured.trust().keys) == {KEY, OTHER}
    assert configured.trust().has_limits


def test_the_default_registry_is_in_the_data_folder(config: Path, tmp_path: Path) -> None:
    folder = tmp_path / "data" / "registry"
    assert RegistryAccess().store().folder == folder
    if os.geteuid() == 0:
        folder.symlink_to(tmp_path)
        os.chown(folder, 261_501, 261_501, follow_symlinks=False)
        with pytest.raises(PermissionError, match="it is a link that user 261501 has made"):
            RegistryAccess().store()


def test_the_environment_names_the_configuration(config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAGEWORKER_CONFIG", str(config))
    assert (RegistryAccess().store().folder, RegistryAccess().trust().keys) == (tmp_path / "shelf", (KEY,))


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (
            PackRefused((Mistake("f", "a", "x", "y"), Mistake("f", "b", "x", "y"))),
            CommandExit.FAILED,
            "f: `b`: found x",
        ),
        (RegistryAway("away"), CommandExit.FAILED, "away"),
        (RegistryRefused("no", "do this"), CommandExit.REFUSED, "no"),
        (BadSignature("bad"), CommandExit.REFUSED, "bad"),
        (ConfigInvalid((ConfigProblem("f:1", "k", "x", "y"),)), CommandExit.FAILED, "f:1  k"),
        (KeyUnusable("unusable"), CommandExit.FAILED, "unusable"),
        (FileNotFoundError(2, "No such file", "x"), CommandExit.FAILED, "No such file"),
    ],
)
def test_an_error_ends_the_command_with_its_exit_code(error: Exception, code: CommandExit, words: str) -> None:
    with pytest.raises(CommandError) as caught, registry_errors():
        raise error
    assert (caught.value.exit_code, words in str(caught.value)) == (code, True)
    assert caught.value.mend == getattr(error, "mend", "")
