"""`workerctl module lint` as an author calls it."""

import json
from pathlib import Path

import pytest

from pageworker_supervisor.cli.app import run


def test_a_new_module_has_no_errors_and_a_wrong_import_ends_with_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["module", "new", "acme.prices"]) == 0
    capsys.readouterr()
    assert run(["module", "lint", "acme.prices", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["errors"] == 0
    code = Path("acme.prices/acme_prices/__init__.py")
    code.write_text(f"import requests\n{code.read_text()}")
    assert run(["module", "lint", "acme.prices"]) == 1
    told = capsys.readouterr().out
    assert "acme_prices/__init__.py:1: error: a sandbox has no package `requests` [import]\n    use `page.req" in told
    assert run(["module", "lint", "nowhere"]) == 1
    assert "module.toml" in capsys.readouterr().out
