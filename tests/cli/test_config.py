"""`workerctl config`: the settings in effect, and every mistake in them."""

import json
import tomllib
from pathlib import Path

import pytest

from pageworker_supervisor.cli.app import run
from pageworker_supervisor.config.load import load

PASSWORD = "geheim"


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PAGEWORKER_POOL__PAGES", "7")
    secret = tmp_path / "callback.secret"
    secret.write_text("s" * 16)
    path = tmp_path / "pageworker.toml"
    path.write_text(f'[redis]\nurl = "redis://me:{PASSWORD}@host:1"\n[tenants.acme]\nweight = 2\n')
    with path.open("a") as more:
        more.write(f'callback_allow = ["https://n8n.test"]\ncallback_secret_file = "{secret}"\n')
        more.write(f'callback_headers = {{ "X-Worker-Token" = "{PASSWORD}" }}\n')
    return path


def test_show_prints_the_settings_in_effect_without_passwords(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["config", "show", "--config", str(file)]) == 0
    text = capsys.readouterr().out
    shown = tomllib.loads(text)
    assert PASSWORD not in text
    assert shown["redis"]["url"] == "redis://me:(hidden)@host:1"
    assert shown["tenants"]["acme"]["callback_headers"] == {"X-Worker-Token": "(hidden)"}
    assert (shown["pool"]["pages"], shown["pool"]["runners"], shown["tenants"]["acme"]["weight"]) == (7, 4, 2.0)
    assert run(["config", "show", "--config", str(file), "--json"]) == 0
    text = capsys.readouterr().out
    assert PASSWORD not in text
    as_json = json.loads(text)
    assert as_json["pool"] == {**shown["pool"], "memory_bytes": None}, "TOML has no null"
    assert as_json["redis"]["ca_file"] is None


def test_what_show_prints_is_a_configuration_with_the_same_settings(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["config", "show"]) == 0
    copy = tmp_path / "copy.toml"
    copy.write_text(capsys.readouterr().out)
    assert load(copy, {}) == load(None, {})


def test_show_names_the_origin_of_each_setting(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["config", "show", "--origin", "--config", str(file), "--json"]) == 0
    text = capsys.readouterr().out
    assert PASSWORD not in text
    found = {one["setting"]: (one["value"], one["layer"], one["source"]) for one in json.loads(text)}
    assert found["pool.pages"] == (7, "environment", "PAGEWORKER_POOL__PAGES")
    assert found["tenants.acme.weight"] == (2.0, "file", f"{file}:4")
    assert found["pool.runners"] == (4, "default", "")
    assert found["tenants.acme.callback_headers.X-Worker-Token"][0] == "(hidden)"
    assert run(["config", "show", "--origin", "--config", str(file)]) == 0
    assert f"tenants.acme.weight 2.0 file {file}:4" in " ".join(capsys.readouterr().out.split())


def test_check_passes_a_valid_configuration(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["config", "check", "--config", str(file)]) == 0
    assert "is valid" in capsys.readouterr().out
    assert run(["config", "check", "--config", str(file), "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["fingerprint"]) == 16


def test_check_prints_every_mistake_with_its_line(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text("[pool]\nrunners = 0\n[status_page]\nthumbnails = true\n")
    assert run(["config", "check", "--config", str(file)]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert f"{file}:2  pool.runners" in printed.err
    assert "not supported yet" in printed.err
