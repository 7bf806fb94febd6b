"""Blocker rules of one's own: begin with those of the release, sign them, and check them as a worker does."""

import json
from pathlib import Path

import pytest

from pageworker_sandbox.blockers.rules import decode_rules
from pageworker_sandbox.signing import SecretKey, write_secret
from pageworker_supervisor.cli.app import run
from pageworker_supervisor.cli.output import CommandExit

KEY = SecretKey.new()


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PAGEWORKER_WORKER__DATA_DIR", str(tmp_path / "data"))
    Path("rules.key").write_text(write_secret(KEY, None))
    Path("trust.toml").write_text(f'[[key]]\nkey = "{KEY.public.line()}"\nmodules = []\nmay_rules = true\n')
    Path("worker.toml").write_text('[modules]\nregistry = "shelf"\ntrust = "trust.toml"\n')


def test_the_rules_of_the_release_are_signed_and_verified(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["blockers", "rules"]) == 0
    Path("rules.json").write_text(capsys.readouterr().out)
    verify = ["blockers", "verify", "rules.json", "--config", "worker.toml", "--json"]
    assert run(verify) == CommandExit.REFUSED
    assert "not signed" in capsys.readouterr().err
    assert run(["blockers", "sign", "rules.json", "--key", "rules.key", "--days", "3", "--json"]) == 0
    signed = json.loads(capsys.readouterr().out)
    assert run(verify) == 0
    assert json.loads(capsys.readouterr().out) == signed
    assert (signed["key"], signed["serial"]) == (KEY.public.name, decode_rules(Path("rules.json").read_bytes()).serial)
    Path("rules.json").write_bytes(Path("rules.json").read_bytes() + b"\n")
    assert run(verify) == CommandExit.REFUSED
    assert "not valid for these bytes" in capsys.readouterr().err


def test_what_is_not_signed(capsys: pytest.CaptureFixture[str]) -> None:
    Path("rules.json").write_text('{"version": "1", "rules": [{"kind": "annoyance", "signs": []}]}')
    assert run(["blockers", "sign", "rules.json", "--key", "rules.key"]) == CommandExit.REFUSED
    assert "$.rules[0]" in capsys.readouterr().err
    assert not Path("rules.json.minisig").exists()
    assert run(["blockers", "sign", "rules.json", "--key", "rules.key", "--days", "0"]) == CommandExit.USAGE


def test_a_key_without_the_scope_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["blockers", "rules"]) == 0
    Path("rules.json").write_text(capsys.readouterr().out)
    assert run(["blockers", "sign", "rules.json", "--key", "rules.key"]) == 0
    Path("trust.toml").write_text(f'[[key]]\nkey = "{KEY.public.line()}"\n')
    assert run(["blockers", "verify", "rules.json", "--config", "worker.toml"]) == CommandExit.REFUSED
    assert "may not sign blocker rules" in capsys.readouterr().err
