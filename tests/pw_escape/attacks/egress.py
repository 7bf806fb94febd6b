"""Through the gateway: requests of a runner, byte by byte, in a network with targets that it must not reach."""

from typing import Any

from pw_escape import mechanisms as m
from pw_escape.attack import Attack, AttackPlace

PRIVATE = "private_address"
ADDRESS_RULES = (m.GATEWAY_RESOLVED, m.DIALER_ADDRESS, m.DIALER_OWN)


def _asked(name: str, request: str, refused: str, by: str, *overlaps: str, **options: Any) -> Attack:
    return Attack(name, f"through_gateway({request})", refused, by, overlaps, place=AttackPlace.EGRESS, **options)


def _literal(url: str, *rules: str) -> tuple[Attack, Attack]:
    """By a request and by a tunnel. Each of these rules alone refuses it."""
    authority = url.split("/")[2]
    also = tuple((rule, PRIVATE) for rule in (*ADDRESS_RULES, *rules))
    return (
        _asked(f"get {url}", f"get({url!r})", PRIVATE, m.GATEWAY_LITERAL, also=also),
        _asked(f"tunnel to {authority}", f"tunnel({authority + ':80'!r})", PRIVATE, m.GATEWAY_LITERAL, also=also),
    )


def _name(name: str) -> Attack:
    also = ((m.GATEWAY_OWN, PRIVATE), (m.DIALER_ADDRESS, PRIVATE), (m.DIALER_OWN, PRIVATE))
    return _asked(f"get {name}", f"get('http://{name}/')", PRIVATE, m.GATEWAY_RESOLVED, also=also)


LITERALS = tuple(
    attack
    for url in (
        "http://169.254.169.254/latest/meta-data/",
        "http://2852039166/",
        "http://0xa9fea9fe/",
        "http://0251.0376.0251.0376/",
        "http://169.254.43518/",
        "http://169.0xfe.0251.254/",
        "http://169.254.169.254./",
        "http://[::ffff:169.254.169.254]/",
        "http://[::ffff:a9fe:a9fe]/",
        "http://[0:0:0:0:0:ffff:a9fe:a9fe]/",
        "http://[64:ff9b::a09:807]/",
        "http://[fd00::7]/",
        "http://[2001:db8::7]/",
        "http://10.9.8.7/",
        "http://10.591879/",
        "http://192.168.7.7/",
        "http://172.16.7.7/",
        "http://100.100.100.200/",
        "http://198.18.7.7/",
        "http://127.0.0.1/",
        "http://127.1/",
        "http://127.8.9.1/",
        "http://0x7f000001/",
        "http://0/",
        "http://0.0.0.0/",
        "http://[::1]/",
        "http://[::]/",
        "http://[::ffff:127.0.0.1]/",
    )
    for attack in _literal(url)
) + _literal("http://localhost/", m.GATEWAY_OWN)
NAMES = (
    *map(
        _name,
        ("private.test", "metadata.test", "loopback.test", "nowhere.test", "mapped.test", "nat64.test", "unique.test"),
    ),
    _asked(
        "get a name of the metadata in capitals",
        "get('http://METADATA.TEST./')",
        PRIVATE,
        m.GATEWAY_RESOLVED,
        m.GATEWAY_OWN,
        m.DIALER_ADDRESS,
        m.DIALER_OWN,
    ),
    _asked(
        "a name that is another address the second time",
        "get('http://rebind.test/', at=HOST['private'])",
        "Missed",
        m.GATEWAY_CHECKED,
        m.DIALER_ADDRESS,
        m.DIALER_OWN,
    ),
)
PORTS = (
    *(
        _asked(
            f"port {port}",
            f"tunnel('shop.test:{port}')",
            "port_not_allowed",
            m.GATEWAY_PORT,
            m.DIALER_LANDLOCK,
            also=((m.DIALER_PORT, "port_not_allowed"),),
            reached=("connection_refused",),
        )
        for port in (22, 25, 53, 3306, 5432, 6379, 8080, 9470, 65535)
    ),
    _asked(
        "an odd port that answers",
        "tunnel(f\"shop.test:{HOST['odd']}\")",
        "port_not_allowed",
        m.GATEWAY_PORT,
        also=((m.DIALER_PORT, "port_not_allowed"), (m.DIALER_LANDLOCK, "connect_failed")),
    ),
    _asked(
        "the worker's port",
        "tunnel(f\"127.0.0.1:{HOST['tcp']}\")",
        "port_not_allowed",
        m.DIALER_BARRED,
        m.GATEWAY_PORT,
        m.GATEWAY_LITERAL,
        *ADDRESS_RULES,
        m.DIALER_PORT,
        m.DIALER_LANDLOCK,
        alone=PRIVATE,
    ),
)
HOSTS = tuple(
    _asked(name, request, "host_not_allowed", m.GATEWAY_HOST)
    for name, request in (
        ("another host", "get('http://other.test/')"),
        ("another host by a tunnel", "tunnel('other.test:443', plain=80)"),
        ("another host in capitals", "get('http://OTHER.test/')"),
        ("another host with a final dot", "get('http://other.test./')"),
        ("another host behind the right Host header", "get('http://other.test/', 'Host: shop.test')"),
    )
)
FRAMING = tuple(
    _asked(name, repr(request), "malformed_request", m.GATEWAY_PARSING)
    for name, request in (
        (
            "two lengths",
            b"POST http://shop.test/ HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        ),
        ("two hosts", b"GET http://shop.test/ HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
        ("coded chunks", b"POST http://shop.test/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"),
        (
            "chunks and other chunks",
            b"POST http://shop.test/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n",
        ),
        ("a space before the colon", b"GET http://shop.test/ HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n"),
        ("a negative length", b"POST http://shop.test/ HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n"),
        ("no name of a header", b"GET http://shop.test/ HTTP/1.1\r\nHost: a\r\n: y\r\n\r\n"),
        ("a zero byte in a header", b"GET http://shop.test/ HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n"),
        ("credentials in the address", b"GET http://a@shop.test/ HTTP/1.1\r\nHost: shop.test\r\n\r\n"),
        ("a path alone", b"GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n"),
        ("another scheme", b"GET file:///etc/passwd HTTP/1.1\r\nHost: shop.test\r\n\r\n"),
        ("a scheme for a tunnel", b"GET https://shop.test/ HTTP/1.1\r\nHost: shop.test\r\n\r\n"),
        ("a tunnel without a port", b"CONNECT shop.test HTTP/1.1\r\nHost: shop.test\r\n\r\n"),
        ("a tunnel with a body", b"CONNECT shop.test:80 HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 3\r\n\r\nabc"),
        ("a tunnel to a path", b"CONNECT shop.test:80/x HTTP/1.1\r\nHost: shop.test\r\n\r\n"),
        ("a tunnel with credentials", b"CONNECT a:b@shop.test:80 HTTP/1.1\r\nHost: shop.test\r\n\r\n"),
        ("a zone of an address", b"GET http://[fe80::1%25lo]/ HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("an encoded address", b"GET http://%31%32%37.0.0.1/ HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("a port too high", b"GET http://shop.test:65536/ HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("no HTTP", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
        ("commands of Redis", b"PING\r\nSET a b\r\n\r\n"),
        ("an endless head", b"GET http://shop.test/ HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 100_000 + b"\r\n\r\n"),
    )
)
BY_PROXY = tuple(
    _asked(name, f"{request}, PROXIED_PORT", "proxy_unavailable", m.GATEWAY_PROXIES)
    for name, request in (
        ("past a proxy policy", "get('http://shop.test/')"),
        ("past a proxy policy by a tunnel", "tunnel('shop.test:80')"),
    )
)
ATTACKS = (*LITERALS, *NAMES, *PORTS, *HOSTS, *FRAMING, *BY_PROXY)
