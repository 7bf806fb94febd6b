"""Which addresses belong to the public Internet. Pure.

Source: IANA IPv4 and IPv6 Special-Purpose Address Registries (RFC 6890 and its updates). The ranges are listed here
instead of asking `ipaddress.is_global`, whose answer changed between patch releases (CVE-2024-4032).
"""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

Address = IPv4Address | IPv6Address

NOT_PUBLIC_4: tuple[IPv4Network, ...] = tuple(
    IPv4Network(text)
    for text in (
        "0.0.0.0/8",  # this network; 0.0.0.0 reaches the host itself
        "10.0.0.0/8",
        "100.64.0.0/10",  # shared address space (CGNAT); 100.100.100.200 is a cloud's metadata service
        "127.0.0.0/8",
        "168.63.129.16/32",  # a public range, but on Azure the virtual host's own service
        "169.254.0.0/16",  # link local, metadata services
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, broadcast
    )
)
PUBLIC_6 = IPv6Network("2000::/3")
"""All assigned global unicast addresses. Everything else is special or unassigned."""
NOT_PUBLIC_6: tuple[IPv6Network, ...] = tuple(
    IPv6Network(text)
    for text in (
        "2001::/23",  # protocol assignments: Teredo, ORCHID, benchmarking
        "2001:db8::/32",
        "2002::/16",  # 6to4 carries any IPv4 address inside
        "3fff::/20",
        "5f00::/16",
    )
)
MAPPED = IPv6Network("::ffff:0:0/96")
NAT64 = IPv6Network("64:ff9b::/96")


def unmap(address: Address) -> Address:
    """The IPv4 address of an IPv4-mapped address. A socket connects to the same host by both."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return address if mapped is None else mapped


def is_public(address: Address) -> bool:
    """Whether a runner may connect to the address."""
    address = unmap(address)
    if isinstance(address, IPv6Address) and address in NAT64:
        # A NAT64 gateway connects to the IPv4 address inside (RFC 6052), so that address decides.
        address = IPv4Address(address.packed[12:])
    if isinstance(address, IPv4Address):
        return not any(address in network for network in NOT_PUBLIC_4)
    if address.scope_id is not None or address not in PUBLIC_6:
        return False
    return not any(address in network for network in NOT_PUBLIC_6)
