"""docs/api.md says what the API does."""

import re
from pathlib import Path

from api.test_endpoint import TABLE

from pageworker_supervisor.api.problem import PROBLEMS

TEXT = (Path(__file__).parents[2] / "docs" / "api.md").read_text()


def test_the_page_names_every_operation_with_its_scopes() -> None:
    rows = dict(re.findall(r"^\| `([A-Z]+ /v1[^`?]*)[^|]*\| ([^|]*) \|", TEXT, re.MULTILINE))
    assert set(rows) == {f"{endpoint.method} {endpoint.path}" for endpoint in TABLE}
    for endpoint in TABLE:
        scopes = set(re.findall(r"`([a-z]+)`", rows[f"{endpoint.method} {endpoint.path}"]))
        assert scopes in (endpoint.scopes, set())


def test_the_page_names_every_problem_with_its_status() -> None:
    rows = re.findall(r"^\| (\d{3}) \| (.*) \|$", TEXT, re.MULTILINE)
    named = {code: int(status) for status, codes in rows for code in re.findall(r"`([a-z_]+)`", codes)}
    assert named == {code: status for code, (status, _) in PROBLEMS.items()}
