"""`workerctl module diff` as an author calls it: folders, bundles, versions of a registry."""

import json
import shutil
from pathlib import Path

import pytest

from pageworker_supervisor.cli.app import run


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """acme.prices 0.1.0 is published; the folder `next` is 0.2.0. Returns the options that name the registry."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PAGEWORKER_WORKER__DATA_DIR", str(tmp_path / "data"))
    for line in (("key", "new", "release", "-W"), ("module", "new", "acme.prices")):
        assert run(line) == 0
    shutil.copytree("acme.prices", "next")
    text = Path("next/module.toml")
    text.write_text(text.read_text().replace('"0.1.0"', '"0.2.0"').replace("= 30", "= 60"))
    Path("next/acme_prices/more.py").write_text("")
    publish = ["module", "publish", "acme.prices", "--registry", "shelf", "--key", "release.key"]
    assert run(publish) == 0
    return ["--registry", "shelf", "--trusted", "release.pub"]


def test_a_published_version_against_a_folder(shelf: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert run(["module", "diff", "acme.prices@0.1.0", "next", *shelf]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "acme.prices@0.1.0 → acme.prices@0.2.0",
        "manifest: timeout_seconds: 30.0 → 60.0",
        'manifest: version: "0.1.0" → "0.2.0"',
        "file: added: acme_prices/more.py (0 bytes)",
    ]


def test_a_bundle_against_itself_and_what_is_not_there(shelf: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["module", "pack", "acme.prices"]) == 0
    capsys.readouterr()
    assert run(["module", "diff", "acme.prices", "acme.prices-0.1.0.zip", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["files"] == []
    assert run(["module", "diff", "acme.prices@0.1.0", "acme.price@0.1.0", *shelf]) == 4
    assert "did you mean acme.prices?" in capsys.readouterr().err
    assert run(["module", "diff", "nowhere.zip", "acme.prices"]) == 1
    assert "no such folder or file" in capsys.readouterr().err
