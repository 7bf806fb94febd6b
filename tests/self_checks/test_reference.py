"""The table of self-checks is generated from their settings."""

import ast
from pathlib import Path

from pageworker_supervisor.config.check_settings import CheckSettings
from pageworker_supervisor.self_checks import reference
from pageworker_supervisor.self_checks.reference import checks_table

PAGE = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()
SOURCES = Path(reference.__file__).parent


def test_the_table_is_current() -> None:
    assert checks_table() in PAGE, "run python -m pageworker_supervisor.self_checks.reference"


def test_every_setting_has_a_check_of_its_name() -> None:
    texts: set[str] = set()
    for file in ("redis_findings.py", "host_findings.py"):
        nodes = ast.walk(ast.parse((SOURCES / file).read_text()))
        texts |= {str(node.value) for node in nodes if isinstance(node, ast.Constant)}
    assert sorted(set(CheckSettings.__struct_fields__) - texts) == []
