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


def test_a_folder_is_packed_signed_and_published_with_one_derivation(
    derivations: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is written beside the folder."""
    before = tuple(Path().iterdir())
    capsys.readouterr()
    assert run(["module", "publish", "acme.prices", "--registry", "shelf", "--key", "release.key", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["version"], told["channel"], told["before"], told["dry_run"]) == ("0.1.0", "stable", None, False)
    assert len(derivations) == 1
    assert {*Path().iterdir()} - {*before} <= {Path("shelf"), Path("data")}
    manifest = Path("acme.prices/module.toml")
    manifest.write_text(manifest.read_text().replace("0.1.0", "0.2.0"))
    assert run(["module", "publish", "acme.prices", "--registry", "shelf", "--key", "release.key"]) == 0
    told = capsys.readouterr().out
    assert "published acme.prices 0.2.0 to stable, which pointed to 0.1.0; index" in told
    assert "rollout" not in told
    manifest.write_text(manifest.read_text().replace("0.2.0", "0.3.0"))
    to_canary = ["--registry", "shelf", "--key", "release.key", "--channel", "canary"]
    assert run(["module", "publish", "acme.prices", *to_canary]) == 0
    assert "`workerctl module rollout acme.prices 0.3.0 --percent 10` gives it" in capsys.readouterr().out


def test_a_dry_run_changes_nothing_and_refuses_what_publish_refuses(
    derivations: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    publish = ["module", "publish", "acme.prices", "--registry", "shelf", "--key", "release.key"]
    capsys.readouterr()
    assert run([*publish, "--dry-run"]) == 0
    assert "would publish" in capsys.readouterr().out
    assert not Path("shelf").exists()
    assert run(publish) == 0
    index = Path("shelf/index.json").read_bytes()
    code = Path("acme.prices/acme_prices/__init__.py")
    code.write_text(f"{code.read_text()}\n")
    capsys.readouterr()
    assert run([*publish, "--dry-run"]) == 4
    assert "published already, with other bytes" in capsys.readouterr().err
    manifest = Path("acme.prices/module.toml")
    manifest.write_text(manifest.read_text().replace("0.1.0", "0.2.0"))
    assert run([*publish, "--dry-run", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["before"], told["dry_run"]) == ("0.1.0", True)
    assert Path("shelf/index.json").read_bytes() == index
