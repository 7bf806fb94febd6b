"""Commands that change a registry: the key is opened once, and what is published is signed."""

import json
from pathlib import Path

import pytest

from pageworker_sandbox.signing import SecretKey, read_secret
from pageworker_sandbox.signing.keys import Cost
from pageworker_supervisor.cli.app import run
from pageworker_supervisor.cli.password import VARIABLE

BUNDLE = "acme.prices-0.1.0.zip"


@pytest.fixture
def derivations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """A packed bundle, and a key whose password is typed. Counts how often the key is derived."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setenv("PAGEWORKER_WORKER__DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setattr("pageworker_sandbox.signing.keys.Cost", lambda *_: Cost(32768, 16 * 1024 * 1024))
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("getpass.getpass", lambda _: "secret")
    assert run(["key", "new", "release"]) == 0
    for line in ("new acme.prices", "pack acme.prices"):
        assert run(["module", *line.split()]) == 0
    opened: list[Path] = []

    def counted(text: str, password: bytes | None) -> SecretKey:
        opened.append(tmp_path)
        return read_secret(text, password)

    monkeypatch.setattr("pageworker_supervisor.cli.password.read_secret", counted)
    return opened


PUBLISH = ["module", "publish", BUNDLE, "--registry", "shelf", "--key", "release.key", "--json"]


def test_publish_signs_bundle_and_index_with_one_derivation(
    derivations: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert run([*PUBLISH, "--sign"]) == 0
    assert json.loads(capsys.readouterr().out)["version"] == "0.1.0"
    assert len(derivations) == 1
    assert run(["module", "verify", BUNDLE, "--trusted", "release.pub"]) == 0


def test_an_unsigned_bundle_is_refused_before_the_key_is_opened(
    derivations: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(PUBLISH) == 4
    assert "--sign" in capsys.readouterr().err
    assert derivations == []
    assert not Path("shelf").exists()


@pytest.mark.parametrize("command", ["refresh-index", "yank acme.prices 0.1.0", "channel set acme.prices canary 0.1.0"])
def test_every_change_opens_the_key_once(derivations: list[Path], command: str) -> None:
    assert run([*PUBLISH, "--sign"]) == 0
    derivations.clear()
    run(["module", *command.split(), "--registry", "shelf", "--key", "release.key"])
    assert len(derivations) == 1
