"""A limit that a runner exceeded: its name in results and metrics, and both amounts. Pure."""

from typing import Literal, get_args

from msgspec import Struct

from pageworker_profiles import ProfileTooLarge
from pageworker_sandbox.launch.cgroup import LimitHits
from pageworker_sandbox.launch.procfs import TmpfsUse

LimitName = Literal["memory_limit", "process_limit", "disk_limit", "output_limit"]
LIMIT_FAILURES = frozenset({*get_args(LimitName), "result_too_large"})
"""Failure types that stand for a limit. The runner's own side enforces these limits for the supervisor."""
EXHAUSTED = frozenset({"memory_limit", "process_limit"})
"""Failures after which a runner has too little memory or too few processes left for the next job."""
Unit = Literal["bytes", "processes", "files", "lines", "artifacts"]

PROCESS_SLACK = 2
"""Processes of the tree that the kernel's own limit does not count: bubblewrap is outside."""
WHAT: dict[LimitName, str] = {
    "memory_limit": "memory (`sandbox.memory_bytes`)",
    "process_limit": "processes and threads (`sandbox.processes`)",
    "disk_limit": "files",
    "output_limit": "output of one attempt",
}


class Breach(Struct, frozen=True):
    """`used` of `allowed` units. `where` is a path inside the sandbox, or the setting that bounds it."""

    limit: LimitName
    used: int
    allowed: int
    unit: Unit
    where: str = ""

    @property
    def message(self) -> str:
        """One sentence for results and logs."""
        where = f" in {self.where}" if self.where else ""
        amounts = f"{self.used} {self.unit}{where}, at most {self.allowed}"
        return f"the runner went past its limit of {WHAT[self.limit]}: {amounts}"

    @property
    def detail(self) -> dict[str, int | str]:
        """For the result's `error.detail`."""
        place = {"where": self.where} if self.where else {}
        return {"used": self.used, "allowed": self.allowed, "unit": self.unit, **place}


def memory_breach(used_bytes: int, allowed_bytes: int) -> Breach | None:
    """Processes, tmpfs and memfds together."""
    return Breach("memory_limit", used_bytes, allowed_bytes, "bytes") if used_bytes > allowed_bytes else None


def process_breach(used: int, allowed: int) -> Breach | None:
    """A runner at its limit breaches it: the kernel starts no further process."""
    return Breach("process_limit", used, allowed, "processes") if used >= allowed - PROCESS_SLACK else None


def tmpfs_breach(use: TmpfsUse) -> Breach | None:
    """A full tmpfs breaches its limit: the kernel writes nothing more."""
    if use.used_bytes >= use.most_bytes:
        return Breach("disk_limit", use.used_bytes, use.most_bytes, "bytes", str(use.inside))
    if use.files >= use.most_files:
        return Breach("disk_limit", use.files, use.most_files, "files", str(use.inside))
    return None


def kernel_breach(before: LimitHits, now: LimitHits, memory_bytes: int, processes: int) -> Breach | None:
    """What the kernel enforced by the runner's cgroup between two readings."""
    if now.memory > before.memory:
        return Breach("memory_limit", memory_bytes, memory_bytes, "bytes")
    if now.processes > before.processes:
        return Breach("process_limit", processes, processes, "processes")
    return None


def profile_breach(large: ProfileTooLarge) -> Breach:
    """The breach of a profile that is too large, without its path."""
    return Breach("disk_limit", large.used, large.allowed, large.unit, "the profile")
