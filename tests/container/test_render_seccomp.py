"""The seccomp policy of a container is that of runners with a few calls more."""

import json
from pathlib import Path
from typing import Any

from deploy.container.render_seccomp import ADDED, POLICIES, render

FILE = Path(__file__).parents[2] / "seccomp" / "container.json"
EVERY_ADDED = {name for names in ADDED.values() for name in names}


def permitted(policy: dict[str, Any]) -> set[str]:
    """Calls that some rule permits."""
    return {name for rule in policy["syscalls"] if rule["action"] == "SCMP_ACT_ALLOW" for name in rule["names"]}


def refused(policy: dict[str, Any]) -> set[str]:
    return {name for rule in policy["syscalls"] if rule["action"] == "SCMP_ACT_ERRNO" for name in rule["names"]}


def test_the_file_is_generated() -> None:
    runner = json.loads((POLICIES / "runner.json").read_text())
    assert FILE.read_text() == render(runner), "run deploy/container/render_seccomp.py > seccomp/container.json"


def test_it_is_the_policy_of_runners_and_the_added_calls() -> None:
    runner, container = json.loads((POLICIES / "runner.json").read_text()), json.loads(FILE.read_text())
    assert permitted(container) == permitted(runner) | EVERY_ADDED
    assert refused(container) == refused(runner) - EVERY_ADDED
    assert container["defaultAction"] == runner["defaultAction"]


def test_an_added_call_is_permitted_whatever_its_arguments() -> None:
    rules = [rule for rule in json.loads(FILE.read_text())["syscalls"] if set(rule["names"]) & EVERY_ADDED]
    assert not any("args" in rule for rule in rules)
