"""By native code in the egress gateway, and in its dialer, which alone shares the host's network."""

from collections.abc import Callable, Iterator
from typing import Any

from pw_escape import mechanisms as m
from pw_escape.attack import Attack, AttackPlace
from pw_escape.mechanisms import dialer_filter, gateway_filter

UNKNOWN = ("EAFNOSUPPORT", "ESOCKTNOSUPPORT", "EPROTONOSUPPORT", "EPROTOTYPE")


def _rows(place: AttackPlace, filtered: Callable[[str], str], *, network: bool) -> Iterator[Attack]:
    """Attacks that neither of the two may carry out."""
    who = place.value
    files = () if network else (m.GATEWAY_LANDLOCK,)

    def row(name: str, code: str, refused: str, by: str, *overlaps: str, **options: Any) -> Attack:
        return Attack(f"{who}: {name}", code, refused, by, overlaps, place=place, **options)

    def call(name: str, code: str, call: str, refused: str = "ENOSYS", reached: tuple[str, ...] = ()) -> Attack:
        return row(name, code, refused, filtered(call), reached=reached)

    yield call("a process", "os.fork() or os._exit(0)", "clone")
    yield call("a process by its number", "sys_('fork') or os._exit(0)", "fork")
    yield call("a unix socket", "socket.socket(socket.AF_UNIX)", "socket")
    yield call("a pair of packets", "socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)", "socketpair")
    for name, family, kind, protocol in (
        ("raw", 2, 3, 1),
        ("packet", 17, 3, 0),
        ("vsock", 40, 1, 0),
        ("crypto", 38, 5, 0),
        ("nftables", 16, 3, 12),
        ("sockets' diagnosis", 16, 3, 4),
        ("several paths (mptcp)", 2, 1, 262),
        ("udplite", 2, 2, 136),
    ):
        code = f"socket.socket({family}, {kind}, {protocol})"
        yield call(f"socket: {name}", code, "socket", reached=(*UNKNOWN, "EPERM", "EACCES"))
    yield call("a user namespace", "sys_('unshare', NEWUSER)", "unshare", reached=("EINVAL",))
    yield call("a new file", "sys_('creat', b'/tmp/x', 0o600)", "creat", reached=("ENOENT",))
    yield call("a folder", "os.mkdir(f'/dev/{os.getpid()}')", "mkdir", reached=("EROFS",))
    yield call("a link", "os.symlink('/', f'/dev/l{os.getpid()}')", "symlink", reached=("EROFS",))
    yield call("remove a file", "os.unlink('/dev/null')", "unlink", reached=("EROFS", "EBUSY"))
    yield call("kill a process", "os.kill(os.getpid(), 0)", "kill")
    yield call("a pidfd", "os.pidfd_open(os.getpid())", "pidfd_open")
    yield call("flags of a file", "fcntl.ioctl(0, 0x80086601, bytes(8))", "ioctl", reached=("ENOTTY",))
    yield call("another root", "os.chroot('/')", "chroot", reached=("EPERM",))
    yield call("another user", "os.setresuid(os.getuid(), os.getuid(), os.getuid())", "setresuid")
    yield call("another filter", "sys_('seccomp', 1, 0, None)", "seccomp", reached=("EFAULT",))
    yield call("trace", "sys_('ptrace', 0, 0, 0, 0)", "ptrace", "EPERM")
    yield call("io_uring", "sys_('io_uring_setup', 1, buffer(120))", "io_uring_setup")
    yield call(
        "bpf", "sys_('bpf', 1, buffer(120, struct.pack('I', 2**32 - 1)), 120)", "bpf", "EPERM", reached=("EBADF",)
    )
    yield call("userfaultfd", "sys_('userfaultfd', 1)", "userfaultfd", "EPERM")
    yield call("keyrings", "sys_('keyctl', 1, None, 0, 0, 0)", "keyctl", "EPERM")
    yield call("shared memory", "sys_('shmget', 0, 4096, 0o1600)", "shmget", "EPERM")
    yield call(
        "wait for connections",
        "socket.socket().listen()" if network else "channel.dup().listen()",
        "listen",
        reached=("EINVAL",),
    )
    yield row("passwd", "open('/etc/passwd').read()", "ENOENT", m.ROOT, *files)
    yield row(
        "another tenant's cookies",
        "open(HOST['neighbour'] + '/Cookies').read()",
        "ENOENT",
        m.ROOT,
        m.USER_PER_RUNNER,
        *files,
    )
    yield row("write code", "os.open(SHARED + '/x', os.O_WRONLY | os.O_CREAT)", "EROFS", m.READ_ONLY_BINDS, *files)
    yield row("write to the root", "os.open('/x', os.O_WRONLY | os.O_CREAT)", "EROFS", m.READ_ONLY_ROOT, *files)
    yield row("write to /dev", "os.open('/dev/x', os.O_WRONLY | os.O_CREAT)", "EROFS", m.READ_ONLY_DEV, *files)
    yield row(
        "the host's processes",
        "if str(HOST['bait']) not in os.listdir('/proc'): raise Missed()",
        "Missed" if network else "EACCES",
        m.PID_NS,
        *files,
        alone="Missed",
    )
    yield row(
        "signal the host's processes",
        "os.kill(HOST['bait'], 0)",
        "ENOSYS",
        m.PID_NS,
        filtered("kill"),
        *files,
        alone="ESRCH",
    )
    yield row(
        "shared memory of the host",
        "sys_('shmget', HOST['key'], 0, 0)",
        "EPERM",
        m.IPC_NS,
        filtered("shmget"),
        alone="ENOENT",
    )
    yield row("the host's name", "if os.uname().nodename != HOST['hostname']: raise Missed()", "Missed", m.UTS_NS)
    abstract = "asked(HOST['abstract'], socket.AF_UNIX)"
    if network:
        yield call("an abstract socket of the host", abstract, "socket")
        return
    yield row("a file of its own root", "open(os.__file__).read()", "EACCES", m.GATEWAY_LANDLOCK)
    ways = (filtered("socket"), filtered("connect"), filtered("sendto"), m.GATEWAY_LANDLOCK)
    yield row("an abstract socket of the host", abstract, "ENOSYS", m.NET_NS, *ways, alone="ECONNREFUSED")
    yield row(
        "the host's loopback", "asked(('127.0.0.1', HOST['tcp']))", "ENOSYS", m.NET_NS, *ways, alone="ECONNREFUSED"
    )
    yield row("the cloud's metadata", "asked((HOST['metadata'], 80))", "ENOSYS", m.NET_NS, *ways, alone="ENETUNREACH")
    yield row("the internet", "asked((HOST['public'], 80))", "ENOSYS", m.NET_NS, *ways, alone="ENETUNREACH")
    fast_open = "here, there = socket.socketpair()\nhere.sendmsg([b'x'], [], socket.MSG_FASTOPEN)"
    yield call("connect by sending a message", fast_open, "sendmsg")
    yield call("a socket", "socket.socket()", "socket")
    yield call("a socket for packets", "socket.socket(socket.AF_INET, socket.SOCK_DGRAM)", "socket")
    yield call("routes", "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)", "socket")
    yield call(
        "connect the channel", "channel.dup().connect('\\0elsewhere')", "connect", reached=("EISCONN", "ECONNREFUSED")
    )
    yield call("bind the channel", "channel.dup().bind('\\0gateway')", "bind")
    yield call(
        "connect by sending",
        "channel.dup().sendto(b'x', socket.MSG_FASTOPEN, '\\0elsewhere')",
        "sendto",
        reached=("EISCONN", "EOPNOTSUPP", "ECONNREFUSED"),
    )


ATTACKS = (
    *_rows(AttackPlace.GATEWAY, gateway_filter, network=False),
    *_rows(AttackPlace.DIALER, dialer_filter, network=True),
)
