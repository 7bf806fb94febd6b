"""The n8n node is a package that n8n accepts, and its README names what it does. `make n8n-node` runs its own tests."""

import json
import re
from pathlib import Path

import pytest

from repository.sources import ROOT, tracked

FOLDER = ROOT / "n8n/n8n-nodes-pageworker"
PACKAGE = json.loads((FOLDER / "package.json").read_text())
README = (FOLDER / "README.md").read_text()
SOURCES = tracked("n8n/n8n-nodes-pageworker/nodes/**/*.ts", "n8n/n8n-nodes-pageworker/credentials/*.ts")
PURE = [file for file in SOURCES if re.search(r"^/\*\*[^/]*\bPure\.", file.read_text())]


def test_the_package_has_no_dependency_and_says_where_it_comes_from() -> None:
    """n8n verifies a community node only so."""
    assert not PACKAGE.keys() & {"dependencies", "optionalDependencies", "bundledDependencies", "overrides"}
    assert PACKAGE["peerDependencies"] == {"n8n-workflow": "*"}
    assert PACKAGE["publishConfig"] == {"access": "public", "provenance": True}
    assert PACKAGE["license"] == "MIT"
    assert (FOLDER / "LICENSE").read_text().startswith("MIT License")
    assert PACKAGE["files"] == ["dist"]
    assert not PACKAGE["scripts"].keys() & {"preinstall", "install", "postinstall", "prepare"}


def test_its_tools_are_pinned() -> None:
    assert [name for name, version in PACKAGE["devDependencies"].items() if not version[0].isdigit()] == []


def test_what_n8n_loads_is_compiled_from_a_source() -> None:
    loaded = [*PACKAGE["n8n"]["nodes"], *PACKAGE["n8n"]["credentials"]]
    sources = [FOLDER / name.removeprefix("dist/").replace(".js", ".ts") for name in loaded]
    assert [file for file in sources if not file.is_file()] == []


@pytest.mark.parametrize("file", SOURCES, ids=lambda file: file.name)
def test_no_source_switches_a_rule_off(file: Path) -> None:
    """n8n's scan of community packages does not permit it."""
    text = file.read_text()
    assert not re.search(r"eslint-disable|@ts-ignore|@ts-expect-error", text)
    assert len(text.splitlines()) <= 400


def test_each_pure_source_has_tests() -> None:
    assert len(PURE) >= 4
    assert [file.stem for file in PURE if not (FOLDER / f"tests/{file.stem}.test.mts").is_file()] == []


def test_the_readme_names_each_operation() -> None:
    fields = "".join(file.read_text() for file in SOURCES if file.parent.name == "fields")
    resources = re.findall(
        r"name: '(\w+)', value: '\w+' }", (FOLDER / "nodes/Pageworker/Pageworker.node.ts").read_text()
    )
    operations = re.findall(r"name: '([\w ]+)',\s+value: '\w+',\s+action:", fields)
    assert len(operations) == 10
    assert [name for name in operations if f"| {name} |" not in README] == []
    assert [name for name in resources if f"| {name} | " not in README] == []


def test_the_readme_has_the_version() -> None:
    assert f"n8n-nodes-pageworker-{PACKAGE['version']}.tgz" in README
    assert f"- {PACKAGE['version']}: " in README
