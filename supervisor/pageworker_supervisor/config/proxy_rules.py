"""Rules of `[proxies]` that types cannot express: upstreams are valid, ports are permitted, tenants have a right."""

import re
from collections.abc import Iterator
from pathlib import Path

from pageworker_sandbox.egress.messages import MAX_HOSTS, MAX_PORTS
from pageworker_sandbox.egress.upstream_tls import authorities_problem
from pageworker_sandbox.wire.page_options import HIDDEN
from pageworker_supervisor.config.proxy_settings import MAX_UPSTREAMS, ProxySettings
from pageworker_supervisor.config.redact import redact_url
from pageworker_supervisor.config.settings import EgressSettings, Settings, TenantSettings
from pageworker_supervisor.config.tenant_lookup import glob_pattern
from pageworker_supervisor.config.upstream_url import UpstreamUrlInvalid, parse_upstream
from pageworker_supervisor.config.value_checks import RuleFinding, unreadable
from pageworker_supervisor.contract.job import DIRECT, PROXY_NAME

_TENANT_GLOB = re.compile(r"[a-z0-9*?-]{1,63}")


def proxy_findings(settings: Settings) -> Iterator[RuleFinding]:
    """Problems of the policies, of the ports of their upstreams, and of the tenants that name a policy."""
    yield from _ports(settings.egress)
    has_secrets = settings.secrets.backend is not None
    for name, policy in settings.proxies.items():
        yield from _policy(name, policy, settings.egress.proxy_ports, has_secrets=has_secrets)
    upstreams = {url for policy in settings.proxies.values() for url in policy.upstreams}
    most = MAX_HOSTS - len(settings.egress.hosts)
    if settings.proxies and len(upstreams) > most:
        yield ("proxies",), f"{len(upstreams)} upstreams", f"at most {MAX_HOSTS} with the entries of egress.hosts", ""
    for name, tenant in settings.tenants.items():
        yield from _tenant(name, tenant, settings)


def _ports(egress: EgressSettings) -> Iterator[RuleFinding]:
    if egress.proxy_ca is not None and (why := unreadable(egress.proxy_ca) or _malformed(egress.proxy_ca)):
        yield ("egress", "proxy_ca"), f"{egress.proxy_ca}: {why}", "a readable PEM file of CA certificates", ""
    at = ("egress", "proxy_ports")
    for port in egress.proxy_ports:
        if not 1 <= port <= 65535:
            yield at, port, "ports, 1 to 65535", ""
    together = len({*egress.ports, *egress.proxy_ports})
    if together > MAX_PORTS:
        yield at, f"{together} ports with those of egress.ports", f"at most {MAX_PORTS}", ""


def _policy(name: str, policy: ProxySettings, ports: tuple[int, ...], *, has_secrets: bool) -> Iterator[RuleFinding]:
    at = ("proxies", name)
    if not re.match(PROXY_NAME, name):
        yield at, name, "a name: 1-63 of a-z0-9-", ""
    elif name == DIRECT:
        yield at, name, "another name", "`direct` stands for no proxy"
    if not 1 <= len(policy.upstreams) <= MAX_UPSTREAMS:
        yield (*at, "upstreams"), f"{len(policy.upstreams)} upstreams", f"1 to {MAX_UPSTREAMS}", ""
    seen: set[str] = set()
    for text in policy.upstreams:
        try:
            upstream = parse_upstream(text)
        except UpstreamUrlInvalid as invalid:
            yield (*at, "upstreams"), _refused(text), invalid.expected, invalid.hint
            continue
        if str(upstream) in seen:
            yield (*at, "upstreams"), text, "each upstream once", ""
        seen.add(str(upstream))
        if upstream.port not in ports:
            hint = "egress.proxy_ports is set in the file of each worker, and read at its start"
            yield (*at, "upstreams"), text, f"a port of egress.proxy_ports ({_listed(ports)})", hint
    if policy.credentials is not None and not has_secrets:
        hint = "it says where secrets are stored (docs/secrets.md)"
        yield (*at, "credentials"), "no secrets.backend", "`secrets.backend` to be set too", hint
    if not policy.tenants:
        yield (*at, "tenants"), "nothing", "at least one tenant or glob of tenants", 'write ["*"] to allow all'
    for glob in policy.tenants:
        if not _TENANT_GLOB.fullmatch(glob):
            yield (*at, "tenants"), glob, "tenants or globs of tenants: 1-63 of a-z0-9-, * and ?", ""


def _malformed(ca_file: Path) -> str:
    try:
        return authorities_problem(ca_file.read_text(encoding="ascii", errors="replace"))
    except OSError as error:
        return error.strerror or str(error)


def _refused(url: str) -> str:
    """What is shown of a URL that is none: it may hold a login, also in a provider's form `host:port:user:password`."""
    if "://" not in url and ("@" in url or url.count(":") > 1):
        return HIDDEN
    return redact_url(url)


def _tenant(name: str, tenant: TenantSettings, settings: Settings) -> Iterator[RuleFinding]:
    at = ("tenants", name)
    if tenant.proxy is None:
        if tenant.proxy_required:
            hint = "it is what jobs use that name none"
            yield (*at, "proxy_required"), "no proxy", "`proxy` to be set too", hint
        return
    policy = settings.proxies.get(tenant.proxy)
    if policy is None:
        known = _listed(sorted(settings.proxies))
        hint = "leave it out: that is the default" if tenant.proxy == DIRECT else ""
        yield (*at, "proxy"), tenant.proxy, f"the name of a policy in [proxies] ({known})", hint
    elif not any(glob_pattern(glob).fullmatch(name) for glob in policy.tenants):
        hint = f"add it to `tenants` of [proxies.{tenant.proxy}]"
        yield (*at, "proxy"), tenant.proxy, "a policy that the tenant may use", hint


def _listed(entries: object) -> str:
    texts = [str(entry) for entry in entries] if isinstance(entries, list | tuple) else []
    return ", ".join(texts) or "none"
