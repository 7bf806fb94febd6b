"""The workflows call targets of the Makefile, with few rights, and fit GitHub's schema."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
TARGETS = set(re.findall(r"^([a-z][\w-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
SCHEMA = "lib/python3*/site-packages/check_jsonschema/builtin_schemas/vendor/github-workflows.json"


def workflow(file: Path) -> dict[str, Any]:
    """The decoded file. PyYAML follows YAML 1.1, where `on` is true. Source: yaml.org/type/bool.html."""
    return {"on" if key is True else key: value for key, value in yaml.safe_load(file.read_text()).items()}


def steps(file: Path) -> Iterator[dict[str, Any]]:
    for job in workflow(file)["jobs"].values():
        yield from job["steps"]


def names(file: Path) -> str:
    return file.name


def test_there_are_two() -> None:
    assert [file.name for file in FILES] == ["ci.yml", "release.yml"]


@pytest.mark.parametrize("file", FILES, ids=names)
def test_it_fits_the_schema(file: Path) -> None:
    (*_, schema) = [None, *(ROOT / ".venv-deploy").glob(SCHEMA)]
    if schema is None:
        pytest.skip("`make manifests` installs GitHub's schema, and checks the workflows with it")
    errors = jsonschema_rs.validator_for(json.loads(schema.read_text())).iter_errors(workflow(file))
    assert [error.message for error in errors] == []


@pytest.mark.parametrize("file", FILES, ids=names)
def test_each_step_is_a_target_that_runs_on_any_machine(file: Path) -> None:
    for step in steps(file):
        if "run" in step:
            program, target = step["run"].split()
            assert program == "make"
            assert target in TARGETS
            # A value that someone else chooses must not become a part of a command.
            assert "${{" not in step["run"]
        else:
            assert re.fullmatch(r"actions/[\w-]+@[0-9a-f]{40}", step["uses"])


@pytest.mark.parametrize("file", FILES, ids=names)
def test_it_has_few_rights_and_ends(file: Path) -> None:
    read = workflow(file)
    assert read["permissions"] == {"contents": "read"}
    for job in read["jobs"].values():
        assert "permissions" not in job
        assert 0 < job["timeout-minutes"] <= 120
    checkouts = [step for step in steps(file) if "checkout" in step.get("uses", "")]
    assert len(checkouts) == len(read["jobs"])
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)


def test_a_release_is_published_before_a_canary_and_both_alone() -> None:
    read = workflow(ROOT / ".github/workflows/release.yml")
    order = [step["run"] for step in read["jobs"]["publish"]["steps"] if "run" in step]
    assert order == ["make package", "make release", "make scan", "make publish"]
    assert read["jobs"]["canary"]["needs"] == "publish"
    assert read["concurrency"] == {"group": "release", "cancel-in-progress": False}
    # Secrets of the cluster are in an environment that has reviewers.
    secret = [name for name, job in read["jobs"].items() if "KUBECONFIG" in json.dumps(job)]
    assert secret == ["canary"]
    assert read["jobs"]["canary"]["environment"] == "production"


def test_pull_requests_see_no_secret() -> None:
    text = (ROOT / ".github/workflows/ci.yml").read_text()
    assert "secrets." not in text
    assert "pull_request_target" not in text
