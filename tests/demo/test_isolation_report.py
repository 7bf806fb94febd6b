"""The isolation report: the kernel's answers, then the runner's own, of a runner that is up."""

from typing import Any

import pytest

from pageworker_demo.isolation_report import rows


def test_the_kernels_answers_come_first() -> None:
    starting: dict[str, Any] = {"evidence": {}, "proof": {}}
    up = {"evidence": {"chromium_sandbox": "renderer: NoNewPrivs 1"}, "proof": {"no_new_privs": 1, "seccomp": 2}}
    assert rows({"runners": [starting, up]}) == [
        ("no new privs", "kernel", "1"),
        ("seccomp", "kernel", "2"),
        ("chromium sandbox", "runner", "renderer: NoNewPrivs 1"),
    ]


def test_a_runner_without_proof_still_has_its_own_answers() -> None:
    assert rows({"runners": [{"evidence": {"open": "EACCES"}, "proof": None}]}) == [("open", "runner", "EACCES")]


@pytest.mark.parametrize("status", [{}, {"runners": []}, {"runners": [{"evidence": {}}, {}]}])
def test_without_a_runner_that_is_up_there_is_nothing_to_report(status: dict[str, Any]) -> None:
    assert rows(status) == []
