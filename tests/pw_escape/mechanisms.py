"""The name of every mechanism that can refuse an attack. A test can leave each of them out of a sandbox.

A name `GROUP: DETAIL` is one detail of a mechanism: a call in a seccomp filter, a right that Landlock handles.
"""

USER_NS = "user namespace"
PID_NS = "pid namespace"
NET_NS = "net namespace"
IPC_NS = "ipc namespace"
UTS_NS = "uts namespace"
CGROUP_NS = "cgroup namespace"
NAMESPACES = {
    USER_NS: "user",
    PID_NS: "pid",
    NET_NS: "net",
    IPC_NS: "ipc",
    UTS_NS: "uts",
    CGROUP_NS: "cgroup",
}
"""Part of bubblewrap's option `--unshare-…`, by name."""

ROOT = "root of named files"
"""The mount namespace with the root of root_layout.py. Without it, files of the host and of others are visible too."""
MASKS = "masked packages"
DEVICES = "device list"
READ_ONLY_BINDS = "read-only binds"
READ_ONLY_ROOT = "read-only root"
READ_ONLY_DEV = "read-only /dev"
READ_ONLY_PROC = "read-only /proc/sys"
NOEXEC_PROFILE = "noexec on the profile"
NOEXEC_SCRATCH = "noexec on scratch"
NOEXEC_DEVICES = "noexec on devices"
NOSUID = "nosuid"
NODEV = "nodev"
PRIVATE_STAGE = "private mount propagation"
SCRATCH_SIZE = "scratch size"
SCRATCH_FILES = "scratch files"
CONTROL_GROUP = "control group"

OWN_USER = "user of its own"
USER_PER_RUNNER = "user per runner"
UID_INSIDE = "user number inside"
NO_CAPABILITIES = "capability drop"
NO_NEW_PRIVS = "no_new_privs"
NEW_SESSION = "session of its own"
ENVIRONMENT = "empty environment"
DESCRIPTORS = "named descriptors"
DIE_WITH_PARENT = "death with bubblewrap"
DIE_WITH_SUPERVISOR = "death with the supervisor"

RLIMITS = {
    "RLIMIT_NPROC": "number of processes",
    "RLIMIT_CORE": "no core dumps",
    "RLIMIT_DATA": "data size",
    "RLIMIT_FSIZE": "file size",
    "RLIMIT_NOFILE": "open files",
}
PROCESSES, CORES, DATA, FILE_SIZE, OPEN_FILES = RLIMITS.values()

LAYER_1 = "Landlock layer 1"
NOT_DUMPABLE = "not dumpable"

RUNNER_FILTER = "runner filter"
CONFINED_FILTER = "confined filter"
GATEWAY_FILTER = "gateway filter"
DIALER_FILTER = "dialer filter"
LANDLOCK = "Landlock layer 2"
GATEWAY_LANDLOCK = "gateway Landlock"
GATEWAY_PORT = "gateway: port"
GATEWAY_HOST = "gateway: host"
GATEWAY_LITERAL = "gateway: literal address"
GATEWAY_RESOLVED = "gateway: resolved address"
GATEWAY_OWN = "gateway: own address"
GATEWAY_CHECKED = "gateway: the address that was checked"
GATEWAY_PARSING = "gateway: parsing"
GATEWAY_PROXIES = "gateway: proxy policy"
DIALER_PORT = "dialer: port"
DIALER_ADDRESS = "dialer: address"
DIALER_OWN = "dialer: own address"
DIALER_BARRED = "dialer: the worker's ports"
DIALER_LANDLOCK = "dialer: Landlock ports"
WIRE_VOCABULARY = "wire: vocabulary"
WIRE_SIZES = "wire: sizes"
WIRE_TYPES = "wire: types"
WIRE_MESSAGE_RULES = "wire: message rules"
WIRE_DESCRIPTORS = "wire: descriptors"
WIRE_SEALS = "wire: seals"
PROFILE_WALK = "walks that follow nothing"
POLICY = "browser policy"
PROXY = "proxy"

ARCHITECTURE = "architecture"
EVERYTHING = "*"


def runner_filter(call: str) -> str:
    """The rule of the seccomp policy `runner` for a call."""
    return f"{RUNNER_FILTER}: {call}"


def confined_filter(call: str) -> str:
    """The rule of the seccomp policy `confined` for a call."""
    return f"{CONFINED_FILTER}: {call}"


def gateway_filter(call: str) -> str:
    """The rule of the seccomp policy `gateway` for a call."""
    return f"{GATEWAY_FILTER}: {call}"


def dialer_filter(call: str) -> str:
    """The rule of the seccomp policy `dialer` for a call."""
    return f"{DIALER_FILTER}: {call}"


def landlock(right: str) -> str:
    """A right of Landlock: a name of landlock.AccessFs, or `TCP`, `SIGNAL`, `ABSTRACT_UNIX`."""
    return f"{LANDLOCK}: {right}"


def details(without: frozenset[str], group: str) -> frozenset[str]:
    """The details of a group that are left out."""
    return frozenset(name.removeprefix(f"{group}: ") for name in without if name.startswith(f"{group}: "))
