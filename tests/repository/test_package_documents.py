"""What the documents draw of packages and their imports is what the code has."""

import ast
import re
import tomllib
from pathlib import Path

from repository.documents import blocks
from repository.sources import ROOT

ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text()
SANDBOX = ROOT / "sandbox" / "pageworker_sandbox"


def layers(container: str) -> list[list[str]]:
    """The layers of a contract, highest first, each with its packages."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (found,) = [contract["layers"] for contract in contracts if contract.get("containers") == [container]]
    return [re.split(r" [:|] ", layer) for layer in found]


def imported(package: Path) -> set[str]:
    """The packages of the sandbox zone that this one imports."""
    names = set[str]()
    for file in package.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module is not None:
                names.add(node.module)
            elif isinstance(node, ast.Import):
                names.update(alias.name for alias in node.names)
    parts = [name.split(".") for name in names if name.startswith("pageworker_sandbox.")]
    return {part[1] for part in parts if (SANDBOX / part[1]).is_dir()} - {package.name}


def test_the_readme_of_the_supervisor_lists_its_packages_in_the_order_of_the_layers() -> None:
    table = (ROOT / "supervisor" / "README.md").read_text().partition("| package of ")[2].partition("\n\n")[0]
    rows = [re.findall(r"`(\w+)`", row.split("|")[1]) for row in table.splitlines()[2:]]
    listed = [name for row in rows for name in row]
    height = {name: number for number, layer in enumerate(layers("pageworker_supervisor")) for name in layer}
    assert sorted(listed) == sorted(height)
    assert [height[name] for name in listed] == sorted(height.values())


def test_the_architecture_draws_every_import_between_packages_of_the_sandbox() -> None:
    (block,) = [body for body in blocks(ARCHITECTURE) if "\nsandbox/pageworker_sandbox " in body]
    lines = block.partition("\nsandbox/pageworker_sandbox ")[2].partition("\nprofiles/")[0]
    drawn = {
        name: set(targets.split(", ")) for name, targets in re.findall(r"^  (\w+) -> (\w+(?:, \w+)*)", lines, re.M)
    }
    packages = [folder for folder in SANDBOX.iterdir() if (folder / "__init__.py").is_file()]
    assert {folder.name for folder in packages} >= {"wire", "confine"}
    assert drawn == {folder.name: found for folder in packages if (found := imported(folder))}
