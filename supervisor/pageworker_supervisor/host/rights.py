"""Which capabilities the daemon needs, and which it has. Pure. Source: capabilities(7), proc_pid_status(5).

A daemon that has NEEDED when it starts gives its runners user ids of their own. It writes the map of one user
namespace with them (user_namespace.py), and then gives them up. From then on it acts inside of that namespace, which it
owns: there it may change owners, mount, signal and inspect, and only for the ids of the map. So it needs none of
CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_KILL, CAP_SYS_ADMIN and CAP_SYS_PTRACE. Source: user_namespaces(7).
"""

from msgspec import Struct

ROOT = 0
SETFCAP = 31
"""Number of CAP_SETFCAP."""


class NeededCapability(Struct, frozen=True):
    """A capability that the daemon needs in order to start."""

    name: str
    number: int
    reason: str
    """What it is for."""
    proof: str
    """The test that fails without it."""


NEEDED = (
    NeededCapability(
        "CAP_SETGID",
        6,
        "writes the map of group ids of the worker's user namespace, once, when the daemon starts",
        "tests/host/test_needed_rights.py",
    ),
    NeededCapability(
        "CAP_SETUID",
        7,
        "writes the map of user ids of the worker's user namespace, once, when the daemon starts",
        "tests/host/test_needed_rights.py",
    ),
)
"""A unit of systemd grants these: `AmbientCapabilities=CAP_SETGID CAP_SETUID`, and the same CapabilityBoundingSet."""

NAMES = (
    *("CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP"),
    *("LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER"),
    *("SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE"),
    *("SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP"),
    *("MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF"),
    "CHECKPOINT_RESTORE",
)
"""By number, as in linux/capability.h, without `CAP_`."""


class Rights(Struct, frozen=True):
    """The rights of a process."""

    uid: int
    """Its effective user id."""
    capabilities: tuple[str, ...] = ()
    """Its effective and permitted capabilities, e.g. `CAP_SETUID`, by number."""

    @property
    def can_map_users(self) -> bool:
        """Whether it can give other processes user ids of their own."""
        return not self.missing

    @property
    def missing(self) -> tuple[str, ...]:
        """Names of NEEDED that it does not have."""
        return tuple(needed.name for needed in NEEDED if needed.name not in self.capabilities)

    @property
    def is_root(self) -> bool:
        """Whether files of root are its own."""
        return self.uid == ROOT

    def __str__(self) -> str:
        user = "root" if self.is_root else f"user {self.uid}"
        return f"{user} with {', '.join(self.capabilities) or 'no capability'}"


def rights_of(status: str) -> Rights:
    """The rights that the text of `/proc/PID/status` shows. Raises ValueError if it is no such text."""
    fields = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    try:
        uid, effective, permitted = fields["Uid"].split()[1], fields["CapEff"], fields["CapPrm"]
    except (KeyError, IndexError) as error:
        raise ValueError(f"no text of /proc/PID/status: {error} is missing") from error
    return Rights(int(uid), names_of(int(effective, 16) | int(permitted, 16)))


def names_of(mask: int) -> tuple[str, ...]:
    """Names of the capabilities in a bit set. One that this list does not have is `CAP_` and its number."""
    numbers = (number for number in range(mask.bit_length()) if mask >> number & 1)
    return tuple(f"CAP_{NAMES[number] if number < len(NAMES) else number}" for number in numbers)
