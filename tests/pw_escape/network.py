"""Sets up a net namespace whose loopback has the addresses that attacks use: `python -m pw_escape.network`, as root.

Source: netdevice(7), rtnetlink(7), struct in6_ifreq of linux/ipv6.h.
"""

import fcntl
import socket
import struct
from pathlib import Path

SIOCSIFADDR, SIOCSIFNETMASK, SIOCSIFFLAGS = 0x8916, 0x891C, 0x8914
IFF_UP, IFF_RUNNING = 0x1, 0x40
RTM_NEWROUTE, NLM_F_REQUEST, NLM_F_ACK, NLM_F_CREATE = 24, 0x1, 0x4, 0x400
RT_TABLE_LOCAL, RTPROT_BOOT, RT_SCOPE_HOST, RTN_LOCAL = 255, 3, 254, 2
RTA_DST, RTA_OIF, RTA_PREFSRC = 1, 4, 7
METADATA = "169.254.169.254"
PRIVATE = "10.9.8.7"
OWN = (METADATA, PRIVATE, "192.168.7.7", "172.16.7.7", "100.100.100.200", "198.18.7.7")
OWN_6 = ("fd00::7", "2001:db8::7", "64:ff9b::a09:807")
PUBLIC = "93.184.215.14"
"""Reachable like the others, but not an address of this host."""


def main() -> None:
    """Bring the loopback interface up with all addresses."""
    Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").write_text("0")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        fcntl.ioctl(sock, SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", IFF_UP | IFF_RUNNING))
        for number, address in enumerate(OWN):
            name = f"lo:{number}".encode()
            fcntl.ioctl(sock, SIOCSIFADDR, _request(name, address))
            fcntl.ioctl(sock, SIOCSIFNETMASK, _request(name, "255.255.255.255"))
    if socket.has_ipv6:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
            for address in OWN_6:
                packed = socket.inet_pton(socket.AF_INET6, address)
                fcntl.ioctl(sock, SIOCSIFADDR, packed + struct.pack("Ii", 128, socket.if_nametoindex("lo")))
    _route(PUBLIC, PRIVATE)


def _request(name: bytes, address: str) -> bytes:
    return struct.pack("16sHH4s8x8x", name, socket.AF_INET, 0, socket.inet_aton(address))


def _route(address: str, source: str) -> None:
    """Deliver packets for `address` to this host, although it is not an address of this host."""
    loopback = struct.pack("i", socket.if_nametoindex("lo"))
    attributes = b"".join(
        struct.pack("HH", 8, kind) + value
        for kind, value in (
            (RTA_DST, socket.inet_aton(address)),
            (RTA_OIF, loopback),
            (RTA_PREFSRC, socket.inet_aton(source)),
        )
    )
    body = struct.pack("BBBBBBBBI", socket.AF_INET, 32, 0, 0, RT_TABLE_LOCAL, RTPROT_BOOT, RT_SCOPE_HOST, RTN_LOCAL, 0)
    flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE
    message = struct.pack("IHHII", 16 + len(body) + len(attributes), RTM_NEWROUTE, flags, 1, 0) + body + attributes
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as sock:
        sock.send(message)
        (error,) = struct.unpack("i", sock.recv(4096)[16:20])
    if error:
        raise OSError(-error, "no route")


if __name__ == "__main__":
    main()
