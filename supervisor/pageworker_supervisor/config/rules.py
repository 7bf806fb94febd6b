"""Rules that the types of the settings cannot express: files exist, URLs and globs are valid, values fit together."""

import os
import re
import ssl
from collections.abc import Iterator
from pathlib import Path

from pageworker_sandbox import block_rules
from pageworker_sandbox.egress.messages import MAX_HOSTS, MAX_PORTS
from pageworker_sandbox.page_rules import PageOptionsInvalid, is_ca, parse_options
from pageworker_sandbox.sandbox_rights import ESSENTIAL, left_out
from pageworker_sandbox.wire.messages import FLAG_NAME, MAX_FLAGS
from pageworker_supervisor.config.admission_settings import MARKS, AdmissionSettings
from pageworker_supervisor.config.api_settings import ApiSettings
from pageworker_supervisor.config.blocker_rules import blocker_findings
from pageworker_supervisor.config.check import SourceOf, show
from pageworker_supervisor.config.check_settings import CheckSettings
from pageworker_supervisor.config.errors import ConfigProblem
from pageworker_supervisor.config.file_rules import file_findings, link_findings
from pageworker_supervisor.config.limit_settings import SharedLimits
from pageworker_supervisor.config.module_rules import pin_findings
from pageworker_supervisor.config.profile_rules import snapshot_findings
from pageworker_supervisor.config.proxy_rules import proxy_findings
from pageworker_supervisor.config.redact import redact_url
from pageworker_supervisor.config.secret_rules import secret_settings_findings
from pageworker_supervisor.config.self_checks import PROTECTING
from pageworker_supervisor.config.settings import RedisSettings, Settings, TenantSettings
from pageworker_supervisor.config.status_page_rules import status_page_findings
from pageworker_supervisor.config.tracing_rules import tracing_findings
from pageworker_supervisor.config.value_checks import (
    ALLOWED_HOST,
    RuleFinding,
    header_findings,
    holds_password,
    host_glob_problem,
    is_address,
    is_minisign_key,
    secret_findings,
    unreadable,
    url_findings,
)
from pageworker_supervisor.contract.callback_url import GlobInvalid, UrlGlob

REDIS_TOPOLOGIES = ("redis", "rediss", "redis+sentinel", "rediss+sentinel", "redis+cluster", "rediss+cluster")
STORE_SCHEMES = ("file", "s3", "gs", "az", "memory")
REGISTRY_SCHEMES = ("file", "http", "https", "s3", "gs", "az")
MOST_TAGS = 16
SPARE_UIDS = 8
"""User ids for the gateway, the dialer and Redis, and for runners that end while their successors start."""

_PROFILE_GLOB = re.compile(r"[a-z0-9*?-]{1,63}/[A-Za-z0-9._*?-]{1,128}")
_MODULE_GLOB = re.compile(r"[a-z0-9_.*?]{1,100}")
_TENANT_GLOB = re.compile(r"[a-z0-9*?-]{1,63}")


def broken_rules(settings: Settings, source_of: SourceOf, *, new_registry: bool = False) -> list[ConfigProblem]:
    """Every broken rule. Reads the files that the settings name, and changes nothing.

    `new_registry`: the folder of the registry need not exist yet.
    """
    findings = [
        *_redis(settings),
        *_files(settings),
        *_egress(settings),
        *_modules(settings, new_registry=new_registry),
        *_stores(settings),
        *file_findings(settings),
        *link_findings(settings),
        *_ranges(settings),
        *_admission(settings.admission),
        *_domains(settings),
        *_limits(settings),
        *_profile_pages(settings),
        *snapshot_findings(settings),
        *_flags(settings),
        *secret_settings_findings(settings.secrets),
        *proxy_findings(settings),
        *blocker_findings(settings),
        *_tenants(settings),
        *tracing_findings(settings.tracing, has_secrets=settings.secrets.backend is not None),
        *status_page_findings(settings),
        *_checks(settings.checks),
        *_api(settings.api),
    ]
    return [
        ConfigProblem(source_of(path), ".".join(path), _shown(found), wanted, hint)
        for path, found, wanted, hint in findings
    ]


def _shown(found: object) -> str:
    """A text is the rule's own words, or a value that may be a URL with a password. With a quote, `show` made it."""
    if isinstance(found, str):
        return found if found.startswith('"') else redact_url(found)
    return show(found)


def _api(api: ApiSettings) -> Iterator[RuleFinding]:
    if api.with_worker and api.bind is None:
        yield ("api", "with_worker"), "true, but api.bind is not set", "an address", 'set api.bind = "127.0.0.1:9480"'


def _checks(checks: CheckSettings) -> Iterator[RuleFinding]:
    for name, why in PROTECTING.items():
        if getattr(checks, name) == "off":
            yield ("checks", name), "off", "refuse or warn", f"this check cannot be off: {why}"


def _admission(admission: AdmissionSettings) -> Iterator[RuleFinding]:
    for name in AdmissionSettings.__struct_fields__:
        marks = getattr(admission, name)
        if marks and (len(marks) != MARKS or list(marks) != sorted(set(marks))):
            wanted = "three marks, each above the one before, e.g. [88, 92, 96]; or [] for none"
            yield ("admission", name), list(marks), wanted, "go on, stop new runners, stop all jobs"


def _redis(settings: Settings) -> Iterator[RuleFinding]:
    for name in ("url", "ingress_url"):
        url = getattr(settings.redis, name)
        if url is not None:
            yield from url_findings(("redis", name), url, (*REDIS_TOPOLOGIES, "unix"))
    yield from _password_files(settings.redis)
    ca_file = settings.redis.ca_file
    if ca_file is not None and not (why := unreadable(ca_file)):
        try:
            ssl.create_default_context(cafile=ca_file)
        except ssl.SSLError as error:
            why = f"it contains no certificate: {error.reason or error}"
        if why:
            yield ("redis", "ca_file"), f"{ca_file}: {why}", "a PEM file of CA certificates", ""
    elif ca_file is not None:
        yield ("redis", "ca_file"), f"{ca_file}: {why}", "a readable PEM file", ""


def _password_files(redis: RedisSettings) -> Iterator[RuleFinding]:
    for name, url_name, word in (
        ("password_file", "url", "a password"),
        ("sentinel_password_file", "url", "sentinel_password"),
        ("ingress_password_file", "ingress_url", "a password"),
    ):
        file, url = getattr(redis, name), getattr(redis, url_name)
        if file is None:
            continue
        at = ("redis", name)
        if url is None:
            yield at, f"{file}, but redis.{url_name} is not set", f"`{url_name}` to be set too", ""
        elif "sentinel_password=" in url if name.startswith("sentinel") else holds_password(url):
            yield at, f"{file}, and {word} in redis.{url_name}", "only one of the two", ""
        elif why := unreadable(file):
            yield at, f"{file}: {why}", "a readable file with the password", ""
        elif not file.read_bytes().strip():
            yield at, f"{file}: empty", "a file with the password", ""


def _files(settings: Settings) -> Iterator[RuleFinding]:
    for path, file in (
        (("browser", "executable"), settings.browser.executable),
        (("sandbox", "python"), settings.sandbox.python),
    ):
        if file is not None and not (file.is_file() and os.access(file, os.X_OK)):
            why = "not executable" if file.is_file() else "no such file"
            yield path, f"{file}: {why}", "an executable program", ""
    folder = settings.worker.data_dir
    if folder is not None and folder.exists() and not folder.is_dir():
        yield ("worker", "data_dir"), f"{folder}: a file", "a folder, or a path that does not exist yet", ""


def _egress(settings: Settings) -> Iterator[RuleFinding]:
    for host, address in settings.egress.hosts.items():
        if "*" in host or "?" in host or host_glob_problem(host):
            yield (
                ("egress", "hosts", host),
                host,
                "a host name as key",
                "globs are not possible here: a fixed address belongs to one host",
            )
        if not is_address(address):
            yield ("egress", "hosts", host), address, "an IP address, or address:port", "e.g. 127.0.0.1:8000"
    yield from _at_most(("egress", "hosts"), len(settings.egress.hosts), MAX_HOSTS)
    yield from _at_most(("egress", "ports"), len(settings.egress.ports), MAX_PORTS)
    for port in settings.egress.ports:
        if not 1 <= port <= 65535:
            yield ("egress", "ports"), port, "ports, 1 to 65535", ""


def _at_most(at: tuple[str, ...], found: int, most: int) -> Iterator[RuleFinding]:
    if found > most:
        yield at, f"{found} entries", f"at most {most}", ""


def _modules(settings: Settings, *, new_registry: bool) -> Iterator[RuleFinding]:
    for key in settings.modules.trusted_keys:
        if key.startswith("RW") and "/" not in key[:2] and is_minisign_key(key):
            continue
        if key.startswith("RW") and len(key) == 56:
            yield (
                ("modules", "trusted_keys"),
                key,
                "a minisign public key",
                "the base64 text is damaged: copy the whole line",
            )
        elif why := unreadable(Path(key)):
            yield (
                ("modules", "trusted_keys"),
                f"{key[:80]}: {why}",
                "the base64 line of a minisign public key, or a readable .pub file",
                "",
            )
    trust = settings.modules.trust
    if trust is not None and (why := unreadable(trust)):
        yield ("modules", "trust"), f"{trust}: {why}", "a readable trust file", ""
    registry = settings.modules.registry
    if registry is None:
        return
    if "://" in registry:
        yield from url_findings(("modules", "registry"), registry, REGISTRY_SCHEMES)
        if not registry.startswith("file:///"):
            return
    folder = Path(registry.removeprefix("file://"))
    if folder.exists() and not folder.is_dir():
        yield ("modules", "registry"), f"{folder}: not a folder", "a folder that exists, or a URL", ""
    elif not folder.exists() and not new_registry:
        hint = f"`workerctl module publish` creates it with the first module, or run `mkdir -p {folder}`"
        yield ("modules", "registry"), f"{folder}: no such folder", "a folder that exists, or a URL", hint


def _stores(settings: Settings) -> Iterator[RuleFinding]:
    url, links = settings.artifacts.url, settings.artifacts.links
    if url is not None:
        yield from url_findings(("artifacts", "url"), url, STORE_SCHEMES)
    scheme = "file" if url is None else url.partition(":")[0]
    if links == "signed" and scheme == "file" and settings.artifacts.link_secret is None:
        yield ("artifacts", "links"), "signed, and artifacts in a folder", "`link_secret`, or an object store", ""
    elif links != "plain" and scheme == "memory":
        yield ("artifacts", "links"), links or "no value", '"plain": memory cannot sign links', ""
    keep_days, keep_days_of = settings.artifacts.keep_days, settings.artifacts.keep_days_of
    for kind, days in keep_days_of.items():
        if scheme != "file":
            yield ("artifacts", "keep_days_of", kind), "an object store", "a lifecycle rule of the bucket", ""
        elif days >= keep_days:
            yield ("artifacts", "keep_days_of", kind), f"{days:g}", f"less than keep_days, {keep_days:g}", ""


def _ranges(settings: Settings) -> Iterator[RuleFinding]:
    if settings.jobs.retry_base_seconds > settings.jobs.retry_cap_seconds:
        found = f"{settings.jobs.retry_base_seconds:g}, above retry_cap_seconds"
        yield ("jobs", "retry_base_seconds"), found, f"at most {settings.jobs.retry_cap_seconds:g}", ""
    if settings.callbacks.timeout_seconds > settings.callbacks.max_seconds:
        found = f"{settings.callbacks.timeout_seconds:g}, above max_seconds"
        yield ("callbacks", "timeout_seconds"), found, f"at most {settings.callbacks.max_seconds:g}", ""
    if len(settings.worker.tags) > MOST_TAGS:
        yield ("worker", "tags"), f"{len(settings.worker.tags)} tags", f"at most {MOST_TAGS}", ""
    least = settings.pool.runners + settings.pool.spares + SPARE_UIDS
    if settings.sandbox.uids < least:
        of = "pool.runners, pool.spares" if settings.pool.spares else "pool.runners"
        yield ("sandbox", "uids"), settings.sandbox.uids, f"at least {least}: {of} and {SPARE_UIDS} more", ""
    if lacking := left_out(settings.sandbox.require):
        hint = f"no runner starts without {', '.join(lacking)}"
        yield ("sandbox", "require"), f"no {', '.join(lacking)}", f"at least {', '.join(ESSENTIAL)}", hint
    if int(settings.http.bind.rpartition(":")[2]) > 65535:
        yield ("http", "bind"), settings.http.bind, "a port of at most 65535", ""
    for host in settings.http.allowed_hosts:
        if not ALLOWED_HOST.fullmatch(host):
            hint = "write only the host: no scheme, port or path" if "/" in host or ":" in host else ""
            yield ("http", "allowed_hosts"), host, "host names, or `*.` and a host name", hint


def _domains(settings: Settings) -> Iterator[RuleFinding]:
    for key in settings.domains:
        if why := host_glob_problem(key):
            yield ("domains", key), key, "a host name or a glob of host names, e.g. *.example.com", why


def _limits(settings: Settings) -> Iterator[RuleFinding]:
    """Each shard has a part of these limits, and a part is at least one permit."""
    entries: dict[tuple[str, ...], SharedLimits] = {("limits", "fleet"): settings.limits.fleet}
    entries |= {("limits", "modules", name): each for name, each in settings.limits.modules.items()}
    for at, limits in entries.items():
        if limits.concurrency is not None and limits.concurrency < settings.redis.shards:
            wanted = f"at least redis.shards, {settings.redis.shards}"
            yield (*at, "concurrency"), limits.concurrency, wanted, "each shard has a part of it"
    for name in settings.limits.modules:
        if not _MODULE_GLOB.fullmatch(name):
            hint = "without a version, in lower case"
            yield ("limits", "modules", name), name, "the name of a module, or a glob such as shop.*", hint


def _profile_pages(settings: Settings) -> Iterator[RuleFinding]:
    for name, given in settings.profiles.page.items():
        at = ("profiles", "page", name)
        if not _PROFILE_GLOB.fullmatch(name):
            yield at, name, "TENANT/PROFILE, or a glob of it such as acme/berlin-*", ""
        try:
            options = parse_options(given)
        except PageOptionsInvalid as invalid:
            for each in invalid.mistakes:
                yield (*at, each.key) if each.key else at, each.found, each.expected, each.hint
            continue
        if options.ca is not None and not is_ca(options.ca):
            yield (*at, "ca"), "the name of a file", "CA certificates in PEM", "only a module has files"


def _flags(settings: Settings) -> Iterator[RuleFinding]:
    yield from _at_most(("flags",), len(settings.flags), MAX_FLAGS)
    for name, flag in settings.flags.items():
        if not re.fullmatch(FLAG_NAME, name):
            yield ("flags", name), name, "a name: 1-63 of a-z0-9_.-, first a letter", ""
        for glob in flag.tenants:
            if not _TENANT_GLOB.fullmatch(glob):
                yield ("flags", name, "tenants"), glob, "tenants or globs of tenants: 1-63 of a-z0-9-, * and ?", ""


def _tenants(settings: Settings) -> Iterator[RuleFinding]:
    has_secrets = settings.secrets.backend is not None
    for name, tenant in settings.tenants.items():
        yield from _tenant(name, tenant, has_secrets=has_secrets)


def _blocked(at: tuple[str, ...], tenant: TenantSettings) -> Iterator[RuleFinding]:
    """As in `[page]` of a module."""
    types, hosts = list(tenant.block), list(tenant.block_hosts)
    if not block_rules.are_types(types):
        yield (*at, "block"), tenant.block, block_rules.EXPECTED_TYPES, block_rules.type_hint(types)
    if not block_rules.are_hosts(hosts):
        yield (*at, "block_hosts"), tenant.block_hosts, block_rules.EXPECTED_HOSTS, block_rules.host_hint(hosts)


def _tenant(name: str, tenant: TenantSettings, *, has_secrets: bool) -> Iterator[RuleFinding]:
    at = ("tenants", name)
    if not _TENANT_GLOB.fullmatch(name):
        yield at, name, "a tenant or a glob of tenants: 1-63 of a-z0-9-, * and ?", ""
    yield from _at_most((*at, "egress"), len(tenant.egress), MAX_HOSTS)
    for host in tenant.egress:
        if why := host_glob_problem(host):
            yield (*at, "egress"), host, "host names or globs of host names", why
    for glob in tenant.modules:
        if not _MODULE_GLOB.fullmatch(glob):
            yield (*at, "modules"), glob, 'module globs, e.g. "shop.*"', ""
    yield from _blocked(at, tenant)
    for glob in tenant.callback_allow:
        try:
            UrlGlob.parse(glob)
        except GlobInvalid as error:
            yield (*at, "callback_allow"), glob, "URL globs, e.g. https://n8n.example/webhook*", str(error)
    if tenant.callback_allow and tenant.callback_secret_file is None and tenant.callback_secret is None:
        hint = "without a secret, receivers could not distinguish our callbacks from forged ones"
        expected = "`callback_secret` or `callback_secret_file` to be set too"
        yield (*at, "callback_allow"), "no callback_secret_file", expected, hint
    if tenant.callback_secret is not None and tenant.callback_secret_file is not None:
        yield (*at, "callback_secret"), "and callback_secret_file is set", "only one of the two", ""
    elif tenant.callback_secret is not None and not has_secrets:
        hint = "it says where secrets are stored (docs/secrets.md)"
        yield (*at, "callback_secret"), "no secrets.backend", "`secrets.backend` to be set too", hint
    if tenant.callback_headers and not tenant.callback_allow:
        yield (*at, "callback_headers"), "no callback_allow", "`callback_allow` to be set too", "no callback is sent"
    yield from header_findings((*at, "callback_headers"), tenant.callback_headers)
    yield from pin_findings(at, tenant.pins)
    if tenant.callback_secret_file is not None:
        yield from secret_findings((*at, "callback_secret_file"), tenant.callback_secret_file)
