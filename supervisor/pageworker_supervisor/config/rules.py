"""What the types of the settings can not say: files that exist, URLs and globs that mean something."""

import base64
import binascii
import ipaddress
import os
import re
import ssl
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from pageworker_sandbox.egress.messages import MAX_HOSTS, MAX_PORTS
from pageworker_sandbox.hostname import HostInvalid, normalise_host_glob
from pageworker_supervisor.config import toml_lines
from pageworker_supervisor.config.check import SourceOf, show
from pageworker_supervisor.config.errors import ConfigProblem
from pageworker_supervisor.config.settings import RedisSettings, Settings, TenantSettings
from pageworker_supervisor.contract.callback_url import GlobInvalid, UrlGlob

REDIS_TOPOLOGIES = ("redis", "rediss", "redis+sentinel", "rediss+sentinel", "redis+cluster", "rediss+cluster")
STORE_SCHEMES = ("file", "s3", "gs", "az", "memory")
REGISTRY_SCHEMES = ("file", "http", "https", "s3", "gs", "az")
MIN_SECRET_BYTES = 16
SPARE_UIDS = 8
"""For helpers of the daemon, and for runners that are about to be gone when their successors come."""

_TENANT_GLOB = re.compile(r"[a-z0-9*?-]{1,63}")
_ANSWERED_HOST = re.compile(r"(\*\.)?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")

Finding = tuple[toml_lines.Path, object, str, str]
"""Key, what was found, what was expected, a hint."""


def broken_rules(settings: Settings, source_of: SourceOf) -> list[ConfigProblem]:
    """Every rule that is broken. Reads the files that are named, changes nothing."""
    findings = [
        *_redis(settings),
        *_files(settings),
        *_egress(settings),
        *_modules(settings),
        *_stores(settings),
        *_ranges(settings),
        *_domains(settings),
        *(finding for name in settings.tenants for finding in _tenant(name, settings.tenants[name])),
    ]
    return [
        ConfigProblem(source_of(path), ".".join(path), found if isinstance(found, str) else show(found), wanted, hint)
        for path, found, wanted, hint in findings
    ]


def _redis(settings: Settings) -> Iterator[Finding]:
    for name in ("url", "ingress_url"):
        url = getattr(settings.redis, name)
        if url is not None:
            yield from _url(("redis", name), url, (*REDIS_TOPOLOGIES, "unix"))
    yield from _password_files(settings.redis)
    ca_file = settings.redis.ca_file
    if ca_file is not None and not (why := _unreadable(ca_file)):
        try:
            ssl.create_default_context(cafile=ca_file)
        except ssl.SSLError as error:
            why = f"no certificate in it: {error.reason or error}"
        if why:
            yield ("redis", "ca_file"), f"{ca_file}: {why}", "a PEM file of CA certificates", ""
    elif ca_file is not None:
        yield ("redis", "ca_file"), f"{ca_file}: {why}", "a readable PEM file", ""


def _password_files(redis: RedisSettings) -> Iterator[Finding]:
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
            yield at, f"{file}, without redis.{url_name}", f"`{url_name}` beside it", ""
        elif "sentinel_password=" in url if name.startswith("sentinel") else _holds_password(url):
            yield at, f"{file}, and {word} in redis.{url_name}", "one of the two", ""
        elif why := _unreadable(file):
            yield at, f"{file}: {why}", "a readable file that holds the password", ""
        elif not file.read_bytes().strip():
            yield at, f"{file}: empty", "a file that holds the password", ""


def _holds_password(url: str) -> bool:
    userinfo, at, _ = url.partition("://")[2].partition("/")[0].rpartition("@")
    return bool(at) and ":" in userinfo


def _files(settings: Settings) -> Iterator[Finding]:
    for path, file in (
        (("browser", "executable"), settings.browser.executable),
        (("sandbox", "python"), settings.sandbox.python),
    ):
        if file is not None and not (file.is_file() and os.access(file, os.X_OK)):
            why = "not executable" if file.is_file() else "no such file"
            yield path, f"{file}: {why}", "a program", ""
    folder = settings.worker.data_dir
    if folder is not None and folder.exists() and not folder.is_dir():
        yield ("worker", "data_dir"), f"{folder}: a file", "a folder, or a path that is free", ""


def _egress(settings: Settings) -> Iterator[Finding]:
    for host, address in settings.egress.hosts.items():
        if "*" in host or "?" in host or _no_host_glob(host):
            yield ("egress", "hosts", host), host, "a host name as key", "a fixed address belongs to one host"
        if not _is_address(address):
            yield ("egress", "hosts", host), address, "an IP address, or address:port", "e.g. 127.0.0.1:8000"
    yield from _at_most(("egress", "hosts"), len(settings.egress.hosts), MAX_HOSTS)
    yield from _at_most(("egress", "ports"), len(settings.egress.ports), MAX_PORTS)
    for port in settings.egress.ports:
        if not 1 <= port <= 65535:
            yield ("egress", "ports"), port, "ports, 1 to 65535", ""


def _at_most(at: tuple[str, ...], found: int, most: int) -> Iterator[Finding]:
    if found > most:
        yield at, f"{found} entries", f"at most {most}", ""


def _modules(settings: Settings) -> Iterator[Finding]:
    for key in settings.modules.trusted_keys:
        if key.startswith("RW") and "/" not in key[:2] and _is_minisign_key(key):
            continue
        if key.startswith("RW") and len(key) == 56:
            yield ("modules", "trusted_keys"), key, "a minisign public key", "its base64 is damaged"
        elif why := _unreadable(Path(key)):
            yield (
                ("modules", "trusted_keys"),
                f"{key[:80]}: {why}",
                "the base64 line of a minisign public key, or a readable .pub file",
                "",
            )
    registry = settings.modules.registry
    if registry is not None and "://" in registry:
        yield from _url(("modules", "registry"), registry, REGISTRY_SCHEMES)


def _stores(settings: Settings) -> Iterator[Finding]:
    if settings.artifacts.url is not None:
        yield from _url(("artifacts", "url"), settings.artifacts.url, STORE_SCHEMES)


def _ranges(settings: Settings) -> Iterator[Finding]:
    if settings.jobs.retry_base_seconds > settings.jobs.retry_cap_seconds:
        found = f"{settings.jobs.retry_base_seconds:g}, above retry_cap_seconds"
        yield ("jobs", "retry_base_seconds"), found, f"at most {settings.jobs.retry_cap_seconds:g}", ""
    if settings.callbacks.timeout_seconds > settings.callbacks.max_seconds:
        found = f"{settings.callbacks.timeout_seconds:g}, above max_seconds"
        yield ("callbacks", "timeout_seconds"), found, f"at most {settings.callbacks.max_seconds:g}", ""
    least = settings.pool.runners + SPARE_UIDS
    if settings.sandbox.uids < least:
        yield ("sandbox", "uids"), settings.sandbox.uids, f"at least {least}: pool.runners and {SPARE_UIDS} more", ""
    if int(settings.http.bind.rpartition(":")[2]) > 65535:
        yield ("http", "bind"), settings.http.bind, "a port of at most 65535", ""
    for host in settings.http.allowed_hosts:
        if not _ANSWERED_HOST.fullmatch(host):
            hint = "only the host: no scheme, port or path" if "/" in host or ":" in host else ""
            yield ("http", "allowed_hosts"), host, "host names, or `*.` and a host name", hint


def _domains(settings: Settings) -> Iterator[Finding]:
    for key in settings.domains:
        if why := _no_host_glob(key):
            yield ("domains", key), key, "a host name or a glob of host names, e.g. *.example.com", why


def _tenant(name: str, tenant: TenantSettings) -> Iterator[Finding]:
    at = ("tenants", name)
    if not _TENANT_GLOB.fullmatch(name):
        yield at, name, "a tenant or a glob of tenants: 1-63 of a-z0-9-, * and ?", ""
    yield from _at_most((*at, "egress"), len(tenant.egress), MAX_HOSTS)
    for host in tenant.egress:
        if why := _no_host_glob(host):
            yield (*at, "egress"), host, "host names or globs of host names", why
    for glob in tenant.callback_allow:
        try:
            UrlGlob.parse(glob)
        except GlobInvalid as error:
            yield (*at, "callback_allow"), glob, "URL globs, e.g. https://n8n.example/webhook*", str(error)
    if tenant.callback_allow and tenant.callback_secret_file is None:
        hint = "without a secret no receiver could tell our callbacks from forged ones, so none are sent"
        yield (*at, "callback_allow"), "no callback_secret_file", "`callback_secret_file` beside it", hint
    if tenant.callback_secret_file is not None:
        yield from _secret((*at, "callback_secret_file"), tenant.callback_secret_file)


def _no_host_glob(text: str) -> str:
    """Why the text is no host and no glob of hosts; empty where it is one."""
    try:
        normalise_host_glob(text)
    except HostInvalid as error:
        return "only the host: no scheme, port or path" if "/" in text or ":" in text else str(error)
    return ""


def _secret(path: toml_lines.Path, file: Path) -> Iterator[Finding]:
    if why := _unreadable(file):
        yield path, f"{file}: {why}", "a readable file that holds the HMAC key", ""
    elif (size := len(file.read_bytes().strip())) < MIN_SECRET_BYTES:
        hint = "openssl rand -hex 32 > FILE"
        yield path, f"{file}: {size} bytes", f"at least {MIN_SECRET_BYTES} bytes", hint


def _unreadable(file: Path) -> str:
    try:
        with file.open("rb"):
            return ""
    except OSError as error:
        return error.strerror or str(error)


def _url(path: toml_lines.Path, url: str, schemes: tuple[str, ...]) -> Iterator[Finding]:
    expected = "a URL that starts with " + ", ".join(f"{scheme}://" for scheme in schemes)
    try:
        parts = urlsplit(url)
        ports_fine = "," in parts.netloc or parts.port != 0
    except ValueError as error:
        yield path, show(url), expected, str(error)
        return
    if parts.scheme not in schemes:
        near = get_close_matches(parts.scheme, schemes, n=1)
        yield path, show(url), expected, f"did you mean {near[0]}://?" if near else ""
    elif not ports_fine or not _names_a_place(parts):
        yield path, show(url), expected, "it names no host" if parts.scheme != "file" else "it names no folder"


def _names_a_place(parts: SplitResult) -> bool:
    if parts.scheme in ("file", "unix"):
        return parts.path.startswith("/") and parts.netloc in ("", "localhost")
    return parts.scheme == "memory" or bool(parts.netloc.rpartition("@")[2].strip(":"))


def _is_address(text: str) -> bool:
    host, port = text, ""
    if text.startswith("["):
        host, _, port = text[1:].partition("]")
        port = port.removeprefix(":")
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
        if not port:
            return False
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return not port or (port.isdecimal() and 1 <= int(port) <= 65535)


def _is_minisign_key(text: str) -> bool:
    """Two bytes `Ed`, eight of key id, 32 of key: minisign's public key format."""
    try:
        raw = base64.b64decode(text, validate=True)
    except binascii.Error:
        return False
    return len(raw) == 42 and raw[:2] == b"Ed"
