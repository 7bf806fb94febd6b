"""`workerctl module reproduce`: the same sources give the same bytes, and others are told with file and line."""

import json
from pathlib import Path

import pytest

from pageworker_supervisor.cli.app import run

BUNDLE = "acme.prices-0.1.0.zip"


@pytest.fixture(autouse=True)
def _packed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    for line in ("new acme.prices", "pack acme.prices"):
        assert run(["module", *line.split()]) == 0
    capsys.readouterr()


def test_the_same_sources_are_identical(capsys: pytest.CaptureFixture[str]) -> None:
    (Path("acme.prices") / "tests").mkdir(exist_ok=True)
    (Path("acme.prices") / "tests" / "test_module.py").touch()
    assert run(["module", "reproduce", BUNDLE, "acme.prices"]) == 0
    assert capsys.readouterr().out.startswith("identical: acme.prices 0.1.0  sha256 ")


def test_a_difference_is_told_with_file_and_line(capsys: pytest.CaptureFixture[str]) -> None:
    source = Path("acme.prices/acme_prices/__init__.py")
    source.write_text(source.read_text().replace('{"title": "title"', '{"title":  "title"'))
    Path("acme.prices/README.md").unlink()
    assert run(["module", "reproduce", BUNDLE, "acme.prices"]) == 1
    lines = capsys.readouterr().out.splitlines()
    number = next(at for at, line in enumerate(source.read_text().splitlines(), 1) if "extract" in line)
    assert lines[:3] == [
        f"acme.prices gives another bundle than {BUNDLE}:",
        "  README.md: only in the bundle",
        f"  acme_prices/__init__.py:{number}: differs",
    ]
    assert lines[3].startswith("    bundle: '    found = await helpers.extract")
    assert run(["module", "reproduce", BUNDLE, "acme.prices", "--json"]) == 1
    answer = json.loads(capsys.readouterr().out)
    assert (answer["identical"], [each["file"] for each in answer["differences"]]) == (
        False,
        ["README.md", "acme_prices/__init__.py"],
    )
