"""A new module: files that pack, and names that are refused."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import pageworker
from pageworker.deprecations import announced
from pageworker_sandbox.signing import parse_manifest
from pageworker_sandbox.signing.archive import read_archive
from pageworker_supervisor.input_schema.compiled_schema import CompiledSchema
from pageworker_supervisor.registry.errors import RegistryRefused
from pageworker_supervisor.registry.lint import lint
from pageworker_supervisor.registry.packing import pack
from pageworker_supervisor.registry.scaffold import scaffold


def test_every_file_of_a_new_module_is_valid(tmp_path: Path) -> None:
    files = {path.name: path.read_text() for path in scaffold("acme.prices", tmp_path)}
    manifest = parse_manifest(files["module.toml"])
    assert (manifest.name, manifest.entrypoint) == ("acme.prices", "acme_prices:handler")
    assert isinstance(manifest.input, dict)
    assert CompiledSchema(manifest.input).mistakes(json.loads(files["input.example.json"])) == ()
    assert isinstance(manifest.output, dict)
    assert CompiledSchema(manifest.output, "output").mistakes({"status": 200, "heading": "x"}) == ()
    functions = [node.name for node in ast.parse(files["__init__.py"]).body if isinstance(node, ast.AsyncFunctionDef)]
    assert functions == ["handler"]
    assert "workerctl module publish . --key" in files["README.md"]


def test_a_new_module_has_no_findings_and_its_tests_pass(tmp_path: Path) -> None:
    scaffold("acme.prices", tmp_path)
    root = tmp_path / "acme.prices"
    assert lint(root, pageworker.__all__, announced) == ()
    assert "tests/test_acme_prices.py" not in read_archive(pack(root).data)
    runner = Path(pageworker.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(runner), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert "2 passed" in done.stdout, done.stdout + done.stderr


def test_the_options_in_comments_are_valid(tmp_path: Path) -> None:
    text = next(path for path in scaffold("acme.prices", tmp_path) if path.name == "module.toml").read_text()
    manifest = parse_manifest(text.replace("\n# ", "\n"))
    assert list(manifest.page.given()) == ["viewport", "locale", "timezone_id"]
    assert manifest.job_may_set == ("locale",)


@pytest.mark.parametrize("name", ["", "Acme", "acme.", "../x", "a b", "a" * 101, "a-b"])
def test_an_invalid_name_is_refused_before_anything_is_written(tmp_path: Path, name: str) -> None:
    with pytest.raises(RegistryRefused, match="is not a module name"):
        scaffold(name, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_existing_folder_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "acme").mkdir()
    with pytest.raises(RegistryRefused, match="already exists"):
        scaffold("acme", tmp_path)
    assert list((tmp_path / "acme").iterdir()) == []
