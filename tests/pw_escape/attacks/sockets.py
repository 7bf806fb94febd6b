"""On the network and on the kernel's network code, by native code in the browser."""

from pw_escape import mechanisms as m
from pw_escape.attack import Attack, AttackPlace

UNKNOWN = ("EAFNOSUPPORT", "ESOCKTNOSUPPORT", "EPROTONOSUPPORT", "EPROTOTYPE")
"""What the kernel answers where it was built without a family or a protocol: it was asked, so the filter let it pass."""
ROOT = "root_in_a_namespace(NEWNET)\n"


def _socket(name: str, family: str, kind: str, protocol: str = "0", *, before: str = "") -> Attack:
    code = f"{before}socket.socket({family}, {kind}, {protocol})"
    return Attack(f"socket: {name}", code, "ENOSYS", m.runner_filter("socket"), reached=UNKNOWN)


FAMILIES = (
    _socket("vsock", "40", "socket.SOCK_STREAM"),
    _socket("raw", "socket.AF_INET", "socket.SOCK_RAW", "1", before=ROOT),
    _socket("raw v6", "socket.AF_INET6", "socket.SOCK_RAW", "58", before=ROOT),
    _socket("packet", "socket.AF_PACKET", "socket.SOCK_RAW", before=ROOT),
    _socket("packet, cooked", "socket.AF_PACKET", "socket.SOCK_DGRAM", before=ROOT),
    _socket("crypto", "38", "socket.SOCK_SEQPACKET"),
    _socket("bluetooth", "31", "socket.SOCK_RAW", "1"),
    _socket("nftables", "socket.AF_NETLINK", "socket.SOCK_RAW", "12"),
    _socket("audit", "socket.AF_NETLINK", "socket.SOCK_RAW", "9"),
    _socket("ipsec by netlink", "socket.AF_NETLINK", "socket.SOCK_RAW", "6"),
    _socket("sockets' diagnosis", "socket.AF_NETLINK", "socket.SOCK_RAW", "4"),
    _socket("device events", "socket.AF_NETLINK", "socket.SOCK_RAW", "15"),
    _socket("generic netlink", "socket.AF_NETLINK", "socket.SOCK_RAW", "16"),
    _socket("routes", "socket.AF_NETLINK", "socket.SOCK_RAW", "0"),
    _socket("routes of a namespace of its own", "socket.AF_NETLINK", "socket.SOCK_RAW", "0", before=ROOT),
    _socket("can", "29", "socket.SOCK_RAW", "1"),
    _socket("tipc", "30", "socket.SOCK_RDM"),
    _socket("rds", "21", "socket.SOCK_SEQPACKET"),
    _socket("kcm", "41", "socket.SOCK_DGRAM"),
    _socket("xdp", "44", "socket.SOCK_RAW", before=ROOT),
    _socket("smc", "43", "socket.SOCK_STREAM"),
    _socket("qrtr", "42", "socket.SOCK_DGRAM"),
    _socket("nfc", "39", "socket.SOCK_SEQPACKET", "1"),
    _socket("phonet", "35", "socket.SOCK_DGRAM"),
    _socket("pppox", "24", "socket.SOCK_STREAM"),
    _socket("llc", "26", "socket.SOCK_STREAM"),
    _socket("ipsec keys", "15", "socket.SOCK_RAW", "2", before=ROOT),
    _socket("appletalk", "5", "socket.SOCK_DGRAM"),
    _socket("x.25", "9", "socket.SOCK_SEQPACKET"),
    _socket("mctp", "45", "socket.SOCK_DGRAM"),
    _socket("several paths (mptcp)", "socket.AF_INET", "socket.SOCK_STREAM", "262"),
    _socket("sctp", "socket.AF_INET", "socket.SOCK_STREAM", "132"),
    _socket("sctp by packets", "socket.AF_INET", "socket.SOCK_SEQPACKET", "132"),
    _socket("udplite", "socket.AF_INET", "socket.SOCK_DGRAM", "136"),
    _socket("l2tp", "socket.AF_INET", "socket.SOCK_DGRAM", "115"),
    _socket("dccp", "socket.AF_INET", "6", "33"),
)
OPTIONS = (
    Attack(
        "a pair of another family",
        "sys_('socketpair', socket.AF_INET, socket.SOCK_STREAM, 0, buffer(8))",
        "ENOSYS",
        m.runner_filter("socketpair"),
        reached=("ENOTSUP", "EOPNOTSUPP"),
    ),
    *(
        Attack(
            f"iptables by {call}: {name}",
            f"{ROOT}s = socket.socket({family})\ns.{call}({level}, {option}, {value})",
            "ENOSYS",
            m.runner_filter(call),
            # Its own code is reached: it finds the tables missing, or the request too short.
            reached=("EINVAL", "ENOENT", "ENOPROTOOPT"),
        )
        for name, call, family, level, option, value in (
            ("replace tables", "setsockopt", "socket.AF_INET", 0, 64, "bytes(100)"),
            ("replace IPv6 tables", "setsockopt", "socket.AF_INET6", 41, 64, "bytes(100)"),
            ("replace ARP tables", "setsockopt", "socket.AF_INET", 0, 96, "bytes(100)"),
            ("replace bridge tables", "setsockopt", "socket.AF_INET", 0, 128, "bytes(100)"),
            ("read tables", "getsockopt", "socket.AF_INET", 0, 64, 84),
            ("read IPv6 tables", "getsockopt", "socket.AF_INET6", 41, 64, 84),
        )
    ),
    Attack(
        "iptables with an upper bit set",
        f"{ROOT}s = socket.socket()\nsys_('setsockopt', s.fileno(), 0x1_0000_0000, 0x1_0000_0040, buffer(100), 100)",
        "ENOSYS",
        m.runner_filter("setsockopt"),
        reached=("EINVAL", "ENOENT", "ENOPROTOOPT"),
    ),
    Attack(
        "bring an interface up",
        f"{ROOT}s = socket.socket()\nfcntl.ioctl(s, 0x8914, struct.pack('16sh22x', b'lo', 0x41))",
        "ENOSYS",
        m.runner_filter("ioctl"),
    ),
    Attack(
        "make a bridge",
        f"{ROOT}s = socket.socket()\nfcntl.ioctl(s, 0x89a0, b'pwbr0' + bytes(11))",
        "ENOSYS",
        m.runner_filter("ioctl"),
        reached=("ENOPKG",),
    ),
    Attack(
        "a pair of packets to any name",
        "a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)",
        "EPERM",
        m.confined_filter("socketpair"),
        place=AttackPlace.CONFINED,
    ),
)
HOSTS = (
    Attack("the host's loopback", "asked(('127.0.0.1', HOST['tcp']))", "ECONNREFUSED", m.NET_NS),
    Attack("the host's IPv6 loopback", "asked(('::1', HOST['tcp6']), socket.AF_INET6)", "ECONNREFUSED", m.NET_NS),
    Attack("the cloud's metadata", "asked((HOST['metadata'], 80))", "ENETUNREACH", m.NET_NS),
    Attack("the neighbouring network", "asked((HOST['private'], 80))", "ENETUNREACH", m.NET_NS),
    Attack("the internet", "asked((HOST['public'], 80))", "ENETUNREACH", m.NET_NS),
    Attack("unique local IPv6", "asked(('fd00::7', 80), socket.AF_INET6)", "ENETUNREACH|EADDRNOTAVAIL", m.NET_NS),
    Attack(
        "packets to the metadata",
        "with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s: s.sendto(b'x', (HOST['metadata'], 53))",
        "ENETUNREACH",
        m.NET_NS,
    ),
    Attack(
        "packets to all",
        "with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:\n"
        " s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)\n s.sendto(b'x', (HOST['private'], 67))",
        "ENETUNREACH",
        m.NET_NS,
    ),
    Attack("an abstract socket of the host", "asked(HOST['abstract'], socket.AF_UNIX)", "ECONNREFUSED", m.NET_NS),
    Attack(
        "the host's name server",
        "with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:\n"
        " s.settimeout(3)\n s.connect(('127.0.0.1', 53))\n"
        " s.send(b'\\0\\1\\1\\0\\0\\1\\0\\0\\0\\0\\0\\0\\4shop\\4test\\0\\0\\1\\0\\1')\n s.recv(512)",
        "ECONNREFUSED",
        m.NET_NS,
    ),
    Attack(
        "the host's interfaces by netlink",
        "with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as s:\n"
        " s.send(struct.pack('IHHII', 24, 22, 0x301, 1, 0) + bytes(8))\n found = s.recv(65536)\n"
        "if socket.inet_aton(HOST['metadata']) not in found: raise Missed('only our own')",
        "ENOSYS",
        m.runner_filter("socket"),
        also=((m.NET_NS, "Missed"),),
    ),
    Attack(
        "the host's connections by /proc",
        "port = f\":{HOST['tcp']:04X} \"\nif port not in open('/proc/net/tcp').read(): raise Missed('only our own')",
        "Missed",
        m.NET_NS,
    ),
    Attack(
        "a server on the host's address",
        "with socket.socket() as s: s.bind((HOST['metadata'], 8080)); s.listen()",
        "EADDRNOTAVAIL",
        m.NET_NS,
    ),
    Attack(
        "a socket file of the host",
        "asked(HOST['socket'], socket.AF_UNIX)",
        "ENOENT",
        m.ROOT,
    ),
)
ATTACKS = (*FAMILIES, *OPTIONS, *HOSTS)
