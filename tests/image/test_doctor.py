"""`workerctl doctor` finds the sandbox whole in a hardened container, and says what a weaker one lacks."""

import json
from typing import Any

import pytest
from pw_image.container import hardened
from pw_image.podman import LIMITS, exit_code

pytestmark = [pytest.mark.image, pytest.mark.timeout(900)]


def doctor(image: str, options: list[str]) -> tuple[int, dict[str, Any]]:
    """Exit code, and the findings by name."""
    command = [
        "run",
        "--rm",
        "--no-healthcheck",
        "--pull",
        "never",
        "--network",
        "none",
        *options,
        "--entrypoint",
        "workerctl",
    ]
    code, text = exit_code(*command, image, "doctor", "--json", timeout=600)
    # podman adds lines of its own.
    listed, _ = json.JSONDecoder().raw_decode(text, text.index("["))
    return code, {each["name"]: each for each in listed}


def failed(findings: dict[str, Any]) -> set[str]:
    return {name for name, finding in findings.items() if not finding["ok"]}


@pytest.mark.parametrize("target", ["headless", "full"])
def test_all_is_well_but_a_missing_key(target: str, request: pytest.FixtureRequest) -> None:
    _, findings = doctor(request.getfixturevalue(target), hardened())
    assert failed(findings) == {"trusted_keys"}
    assert findings["a whole sandbox"]["found"] == "started under this user"
    browsers = findings["browser"]["found"]
    assert ("full:" in browsers, "shell:" in browsers) == (target == "full", True)


def test_without_unmask_it_names_the_option(headless: str) -> None:
    code, findings = doctor(headless, hardened(unmasked=False))
    assert code == 1
    assert {"fresh /proc", "a whole sandbox"} <= failed(findings)
    assert "--security-opt unmask=ALL" in findings["fresh /proc"]["mend"]


def test_with_podmans_own_policy_it_names_ours(headless: str) -> None:
    options = ["--read-only", "--tmpfs", "/tmp", "--cap-drop", "all", "--security-opt", "unmask=ALL", *LIMITS]
    code, findings = doctor(headless, options)
    assert code == 1
    assert "a whole sandbox" in failed(findings)
    assert "seccomp" in findings["a whole sandbox"]["mend"]
