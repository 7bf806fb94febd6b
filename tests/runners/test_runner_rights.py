"""A runner that lacks a required right is refused, whatever the host seemed to give."""

import pytest

from pageworker_sandbox.sandbox_rights import NAMES, RightName
from pageworker_supervisor.runners.errors import SpawnFailed
from pageworker_supervisor.runners.runner_rights import check_rights, missing_rights
from pageworker_supervisor.runners.start_failure import Blame, explain

EVIDENCE = {"landlock": "fs net scope", "chromium_sandbox": "You are adequately sandboxed."}
PROOF = {"seccomp": "2", "ns_user": "4026532", "uid": "2013265921", "cgroup": "memory pids"}
LOSSES: list[tuple[RightName, dict[str, str], dict[str, str]]] = [
    ("landlock.fs", {"landlock": "net scope"}, {}),
    ("landlock.net", {"landlock": "fs scope"}, {}),
    ("landlock.scope", {"landlock": "fs net"}, {}),
    ("seccomp", {}, {"seccomp": "0"}),
    ("own_uid", {}, {"uid": "0"}),
    ("cgroup", {}, {"cgroup": "pids"}),
    ("cgroup", {}, {"cgroup": ""}),
    ("chromium_sandbox", {"chromium_sandbox": "You are NOT adequately sandboxed."}, {}),
    ("chromium_sandbox", {"chromium_sandbox": "no renderer found"}, {}),
    ("chromium_sandbox", {"chromium_sandbox": "renderer: NoNewPrivs 1, Seccomp 0"}, {}),
]


def test_a_runner_with_everything_lacks_nothing() -> None:
    assert missing_rights(NAMES, EVIDENCE, PROOF, own_uid=0) == []
    shell = {**EVIDENCE, "chromium_sandbox": "renderer: NoNewPrivs 1, Seccomp 2"}
    assert missing_rights(NAMES, shell, PROOF, own_uid=0) == []


def test_a_runner_that_reports_nothing_lacks_everything() -> None:
    assert missing_rights(NAMES, {}, {}, own_uid=0) == list(NAMES)


@pytest.mark.parametrize(("name", "evidence", "proof"), LOSSES)
def test_each_right_is_missed_only_if_it_is_required(
    name: RightName, evidence: dict[str, str], proof: dict[str, str]
) -> None:
    found = ({**EVIDENCE, **evidence}, {**PROOF, **proof})
    assert missing_rights(NAMES, *found, own_uid=0) == [name]
    assert missing_rights(set(NAMES) - {name}, *found, own_uid=0) == []


def test_the_host_is_to_blame() -> None:
    check_rights(NAMES, EVIDENCE, PROOF, own_uid=0)
    with pytest.raises(SpawnFailed, match=r"lacks landlock\.net, own_uid, and sandbox\.require names it") as caught:
        check_rights(NAMES, {**EVIDENCE, "landlock": "fs scope"}, PROOF, own_uid=2013265921)
    assert explain(caught.value).blame is Blame.HOST
