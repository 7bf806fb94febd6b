"""What runs in a sandbox, and under which limits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pageworker_sandbox.launch.cgroup import CPU_WEIGHT
from pageworker_sandbox.launch.launch_plan import ProcessLimits
from pageworker_sandbox.launch.mounts import Mount
from pageworker_sandbox.launch.seccomp import PolicyName


@dataclass(frozen=True)
class SandboxProgram:
    """A Python module that runs as `python -m MODULE --channel-fd N …` in a sandbox."""

    name: str
    """Names its cgroup, so it must be unique among the sandboxes of a supervisor."""
    module: str
    policy: PolicyName
    """The seccomp filter that bubblewrap installs."""
    mounts: Sequence[Mount]
    uid: int | None
    """Its user, if the supervisor is root; otherwise None."""
    limits: ProcessLimits
    cpu_weight: int = CPU_WEIGHT
    network: bool = False
    """True: it shares the host's network namespace."""
    passed: Mapping[str, int] = field(default_factory=dict)
    """Descriptors that it inherits, by the argument that names each (`--dialer-fd`)."""
    second_policy: PolicyName | None = None
    """A seccomp filter that the program installs itself. It gets the filter as `--filter-fd`."""
