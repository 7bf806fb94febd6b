"""Rules of `[status_page]` that types cannot express. Pure."""

import ipaddress
from collections.abc import Iterator

from pageworker_supervisor.config.settings import Settings
from pageworker_supervisor.config.value_checks import ALLOWED_HOST, RuleFinding


def status_page_findings(settings: Settings) -> Iterator[RuleFinding]:
    """Problems: an open page that other hosts reach, or a host that is no host name."""
    page, bind = settings.status_page, settings.api.bind
    if page.open_on_loopback and bind is not None and not _is_loopback(bind):
        hint = "set api.bind to 127.0.0.1:9480, or leave open_on_loopback out and sign in with a token"
        yield ("status_page", "open_on_loopback"), True, "an address of loopback as `api.bind`", hint
    for host in page.allowed_hosts:
        if not ALLOWED_HOST.fullmatch(host):
            yield ("status_page", "allowed_hosts"), host, "host names, or `*.` and a host name", "write only the host"


def _is_loopback(bind: str) -> bool:
    host = bind.rpartition(":")[0].strip("[]")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
