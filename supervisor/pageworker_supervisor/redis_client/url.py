"""Redis URLs: one server, a Sentinel group or a cluster. Pure."""

import re
from dataclasses import dataclass
from enum import Enum, auto
from typing import NoReturn
from urllib.parse import parse_qsl, unquote, urlsplit

from pageworker_supervisor.config.errors import ConfigInvalid, ConfigProblem
from pageworker_supervisor.config.redact import redact_url

FORMS = (
    "redis://user:password@host:6379/0, rediss://… (TLS), unix:///path?db=0, "
    "redis+sentinel://host:26379,host:26379/service, redis+cluster://host:6379,host:6379"
)
ENCODE = "in a password write / as %2F, ? as %3F, # as %23 and @ as %40"
MAX_HOSTS = 64

# Not urlsplit: it rejects a list of hosts that contains an IPv6 address.
_URL = re.compile(r"(?P<scheme>[a-z][a-z+]*)://(?P<authority>[^/?#]*)(?P<path>/[^?#]*)?(?:\?(?P<query>[^#]*))?")


class Topology(Enum):
    """How the servers behind a URL are organised."""

    SINGLE = auto()
    UNIX = auto()
    SENTINEL = auto()
    CLUSTER = auto()


_SCHEMES = {
    "redis": (Topology.SINGLE, False),
    "rediss": (Topology.SINGLE, True),
    "unix": (Topology.UNIX, False),
    "redis+sentinel": (Topology.SENTINEL, False),
    "rediss+sentinel": (Topology.SENTINEL, True),
    "redis+cluster": (Topology.CLUSTER, False),
    "rediss+cluster": (Topology.CLUSTER, True),
}
_DEFAULT_PORTS = {Topology.SINGLE: 6379, Topology.SENTINEL: 26379, Topology.CLUSTER: 6379}
_QUERIES = {
    Topology.SINGLE: frozenset[str](),
    Topology.UNIX: frozenset({"db"}),
    Topology.SENTINEL: frozenset({"db", "sentinel_username", "sentinel_password"}),
    Topology.CLUSTER: frozenset[str](),
}


@dataclass(frozen=True)
class RedisUrl:
    """A parsed URL. `hosts`: Sentinels, cluster nodes or the one server. `safe`: the URL without its password."""

    topology: Topology
    tls: bool
    hosts: tuple[tuple[str, int], ...]
    db: int
    username: str | None
    password: str | None
    service: str
    path: str
    sentinel_username: str | None
    sentinel_password: str | None
    safe: str


def parse_url(url: str, setting: str = "redis.url") -> RedisUrl:
    """Parse a URL. Raises ConfigInvalid that names `setting`, the URL without its password, and how to fix it."""
    safe = redact_url(url)

    def refuse(hint: str) -> NoReturn:
        raise ConfigInvalid((ConfigProblem("", setting, safe, FORMS, hint),))

    parts = _URL.fullmatch(url)
    if parts is None:
        refuse(ENCODE if "#" in url else "the URL has no scheme")
    known = _SCHEMES.get(parts["scheme"])
    if known is None:
        refuse(f"`{parts['scheme']}` is not a supported scheme")
    topology, tls = known
    if "@" not in parts["authority"] and "@" in url and topology is not Topology.UNIX:
        refuse(ENCODE)
    query = dict(parse_qsl(parts["query"] or "", keep_blank_values=True))
    for name in query:
        if name not in _QUERIES[topology]:
            refuse(f"`{name}` is not an option of this scheme")
    path, db_text, service = unquote(parts["path"] or ""), query.get("db", "0"), ""
    if topology is Topology.SINGLE:
        db_text = path.strip("/") or "0"
    elif topology is Topology.SENTINEL:
        service = path.strip("/")
        if not service or "/" in service:
            refuse("the path is the name of the service that the Sentinels watch, e.g. /mymaster")
    elif topology is Topology.CLUSTER and path.strip("/"):
        refuse("a cluster has no databases: remove the path")
    if not db_text.isdecimal():
        refuse(f"`{db_text}` is not a database number")
    userinfo, _, netloc = parts["authority"].rpartition("@")
    username, _, password = userinfo.partition(":")
    hosts: tuple[tuple[str, int], ...] = ()
    if topology is Topology.UNIX:
        if not path.startswith("/"):
            refuse("unix:// needs an absolute path")
    else:
        try:
            hosts = tuple(_host(word, _DEFAULT_PORTS[topology]) for word in netloc.split(","))
        except ValueError as error:
            refuse(str(error))
        if topology is Topology.SINGLE and len(hosts) > 1:
            refuse("several hosts need a redis+sentinel:// or redis+cluster:// URL")
        if len(hosts) > MAX_HOSTS:
            refuse(f"at most {MAX_HOSTS} hosts")
    return RedisUrl(
        topology=topology,
        tls=tls,
        hosts=hosts,
        db=int(db_text),
        username=unquote(username) or None,
        password=unquote(password) or None,
        service=service,
        path=path,
        sentinel_username=query.get("sentinel_username"),
        sentinel_password=query.get("sentinel_password"),
        safe=safe,
    )


def _host(text: str, default_port: int) -> tuple[str, int]:
    """`host`, `host:port`, `[::1]:port`. Raises ValueError, without `text`: it may be a password with no `@`."""
    try:
        parts = urlsplit(f"//{text}")
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ValueError("a host is not host or host:port, or its port is not 1 to 65535") from None
    if not host or parts.path or parts.username is not None:
        raise ValueError("a host is not host or host:port")
    if port == 0:
        raise ValueError("ports are 1 to 65535")
    return host, port or default_port
