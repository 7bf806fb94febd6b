"""`workerctl key trusted` and `key revoke` as an operator calls them."""

import json
from pathlib import Path

import pytest

from pageworker_sandbox.signing import SecretKey
from pageworker_supervisor.cli.app import run
from pageworker_supervisor.cli.output import CommandExit
from pageworker_supervisor.registry.trust import load_trust

PLAIN, SHOP = SecretKey.new().public, SecretKey.new().public
FILE = f"""\
# Whom we trust.
[[key]]
name = "shop"
key = "{SHOP.line()}"
modules = ["shop.*"]
not_after = 2020-01-01T00:00:00Z
"""


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PAGEWORKER_WORKER__DATA_DIR", str(tmp_path / "data"))
    Path("trust.toml").write_text(FILE)
    Path("worker.toml").write_text(f'[modules]\ntrusted_keys = ["{PLAIN.line()}"]\ntrust = "trust.toml"\n')


def test_trusted_and_revoke(capsys: pytest.CaptureFixture[str]) -> None:
    revoke = ["key", "revoke", SHOP.name.lower(), "--reason", 'he said "gone"', "--config", "worker.toml"]
    assert run(revoke) == 0
    assert SHOP.name in capsys.readouterr().out
    assert run(revoke) == CommandExit.REFUSED
    assert "revoked already" in capsys.readouterr().err
    assert run(["key", "revoke", "0" * 16, "--reason", "r", "--file", "trust.toml", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["key"] == "0" * 16
    assert Path("trust.toml").read_text().startswith(FILE), "the text of the operator stays"
    assert run(["key", "trusted", "--config", "worker.toml", "--json"]) == 0
    shop, plain, unknown = json.loads(capsys.readouterr().out)
    assert (shop["state"], shop["label"], shop["reason"]) == ("revoked", "shop", 'he said "gone"')
    assert (plain["key"], plain["state"], plain["may_index"]) == (PLAIN.name, "valid", True)
    assert (unknown["key"], unknown["state"], unknown["modules"]) == ("0" * 16, "revoked", [])
    assert run(["key", "trusted", "--config", "worker.toml"]) == 0
    assert "shop.*" in capsys.readouterr().out


def test_a_key_that_has_expired_is_shown_as_such(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["key", "trusted", "--config", "worker.toml", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["state"] == "expired"


@pytest.mark.parametrize(
    ("text", "arguments", "code", "found"),
    [
        (FILE, ["12", "--reason", "r"], CommandExit.USAGE, "16 hex digits"),
        (FILE, ["0" * 16, "--reason", "a\nb"], CommandExit.FAILED, "one line"),
        ("[[kee]]", ["0" * 16, "--reason", "r"], CommandExit.FAILED, "did you mean `key`"),
        (None, ["0" * 16, "--reason", "r"], CommandExit.FAILED, "No such file"),
    ],
)
def test_a_revocation_that_is_refused_changes_nothing(
    text: str | None, arguments: list[str], code: int, found: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = Path("trust.toml")
    file.write_text(text) if text is not None else file.unlink()
    assert run(["key", "revoke", *arguments, "--file", "trust.toml"]) == code
    assert found in capsys.readouterr().err
    assert (file.read_text() if file.exists() else None) == text
    assert [path.name for path in Path().iterdir() if path.suffix == ".part"] == []


def test_the_file_keeps_its_mode_and_its_link(capsys: pytest.CaptureFixture[str]) -> None:
    Path("trust.toml").rename("real.toml")
    Path("real.toml").chmod(0o640)
    Path("trust.toml").symlink_to("real.toml")
    assert run(["key", "revoke", "0" * 16, "--reason", "r", "--file", "trust.toml"]) == 0
    assert Path("trust.toml").is_symlink()
    assert Path("real.toml").stat().st_mode & 0o777 == 0o640
    assert len(load_trust([], Path("trust.toml")).revoked) == 1


def test_without_a_trust_file_the_setting_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    Path("worker.toml").write_text("")
    assert run(["key", "revoke", "0" * 16, "--reason", "r", "--config", "worker.toml"]) == CommandExit.FAILED
    assert "modules.trust" in capsys.readouterr().err
