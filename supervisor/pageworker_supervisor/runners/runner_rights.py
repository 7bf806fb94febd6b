"""Which rights of `sandbox.require` a runner that is up lacks, by what it and the kernel report of it. Pure.

The evidence is our own code's: the runner sends it before it gets a module.
"""

import re
from collections.abc import Iterable, Mapping

from pageworker_sandbox.sandbox_rights import NAMES, RightName
from pageworker_supervisor.runners.errors import SpawnFailed

LIMITED = frozenset({"memory", "pids"})
"""Controllers of a cgroup that limits a runner."""
_CHROMIUM_SANDBOXED = re.compile(r"You are adequately sandboxed\.|renderer: NoNewPrivs 1, Seccomp 2")
"""The summary of chrome://sandbox; of the headless shell, which has no such page, what the kernel reports."""


def missing_rights(
    required: Iterable[RightName], evidence: Mapping[str, str], proof: Mapping[str, str], own_uid: int
) -> list[RightName]:
    """Those that the runner lacks. `evidence`: its Ready. `proof`: what /proc shows. `own_uid`: the supervisor's."""
    landlock = evidence.get("landlock", "").split()
    there: dict[RightName, bool] = {
        "landlock.fs": "fs" in landlock,
        "landlock.net": "net" in landlock,
        "landlock.scope": "scope" in landlock,
        "seccomp": proof.get("seccomp") == "2",
        # The proof is refused if a namespace is ours.
        "userns": "ns_user" in proof,
        "own_uid": proof.get("uid", str(own_uid)) != str(own_uid),
        "cgroup": set(proof.get("cgroup", "").split()) >= LIMITED,
        "chromium_sandbox": bool(_CHROMIUM_SANDBOXED.fullmatch(evidence.get("chromium_sandbox", ""))),
    }
    return [name for name in NAMES if name in set(required) and not there[name]]


def check_rights(
    required: Iterable[RightName], evidence: Mapping[str, str], proof: Mapping[str, str], own_uid: int
) -> None:
    """Raises SpawnFailed if one is missing: the host is to blame, and no job runs there."""
    if missing := missing_rights(required, evidence, proof, own_uid):
        told = f"landlock {evidence.get('landlock')}, chromium_sandbox {evidence.get('chromium_sandbox')}"
        raise SpawnFailed(
            f"a runner lacks {', '.join(missing)}, and sandbox.require names it: {told}, user {proof.get('uid')}, "
            f"seccomp {proof.get('seccomp')}, cgroup {proof.get('cgroup') or 'none'}; run `workerctl doctor`"
        )
