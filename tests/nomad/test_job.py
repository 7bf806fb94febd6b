"""Nomad's job has the limits that the worker's settings ask for. `make manifests` parses the file."""

import re
from pathlib import Path

from pageworker_supervisor.config.load import load

JOB = (Path(__file__).parents[2] / "deploy" / "nomad" / "pageworker.nomad.hcl").read_text()


def value(name: str) -> str:
    """The value of the only setting with this name."""
    (found,) = re.findall(rf"^ +{name} += +(.+)$", JOB, re.MULTILINE)
    return str(found).strip('"')


def test_the_worker_has_ended_before_it_is_killed() -> None:
    """docs/operations.md has the longest time from SIGTERM to the end."""
    variables = {
        name: text.strip('"')
        for name, text in re.findall(r"^ +(PAGEWORKER_\w+) += (.+)$", JOB, re.MULTILINE)
        if "${" not in text and "var." not in text and "_CONFIG" not in name and "_FILE" not in name
    }
    settings = load(None, variables)
    needed = settings.worker.drain_seconds + settings.callbacks.timeout_seconds + 48
    assert 0 <= int(value("kill_timeout").removesuffix("s")) - needed <= 10
    assert value("kill_signal") == "SIGTERM"


def test_a_bad_version_goes_back_by_itself_and_a_good_one_waits_for_a_decision() -> None:
    assert (value("canary"), value("auto_revert"), value("auto_promote")) == ("1", "true", "false")


def test_health_is_not_readiness() -> None:
    """An outage of Redis restarts nothing."""
    checks = re.findall(r"check \{(.*?)\n      \}\n", JOB, re.DOTALL)
    restarting = [check for check in checks if "check_restart" in check]
    assert [re.findall(r'path +=\s"(.+)"', check) for check in restarting] == [["/healthz"]]
    assert any('"/readyz"' in check for check in checks)


def test_its_container_has_no_rights() -> None:
    assert value("readonly_rootfs") == "true"
    assert value("cap_drop") == '["ALL"]'
    assert value("security_opt") == '["no-new-privileges", "seccomp=${var.seccomp}", "unmask=ALL"]'
    assert value("user") == "10001:10001"


def test_the_redis_password_is_in_a_file_alone() -> None:
    assert re.search(r"change_mode = \"noop\"\s+uid +=", JOB)
    assert not re.search(r"PASSWORD +=", JOB)
