"""When a change of each setting takes effect, and which settings may never come from the central configuration. Pure.

`CLASSES` has a row for every section. A section whose settings differ has a row for each of them. A test fails if a
setting has none, so a new setting cannot get a class by accident.
"""

from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Any, get_args, get_origin

import msgspec
from msgspec.structs import replace

from pageworker_supervisor.config.settings import Settings
from pageworker_supervisor.config.toml_lines import Path
from pageworker_supervisor.contract.type_names import first


class Reload(Enum):
    """When a change takes effect."""

    HOT = "hot"
    """While the worker runs. Nothing that runs is disturbed."""
    RESTART = "restart"
    """At the next start of the worker. `workerctl status` lists what waits for it."""
    LOCAL = "local"
    """At the next start, and only from the file or the environment of each worker: never central."""


HOT, RESTART, LOCAL = Reload.HOT, Reload.RESTART, Reload.LOCAL

CLASSES: Mapping[str, Reload | Mapping[str, Reload]] = {
    # The address and the password of the Redis that holds the central configuration.
    "redis": LOCAL,
    # Which central configuration counts.
    "config": LOCAL,
    # `id`, `tags`, `data_dir` and `user` are who the worker is, and which files of the host it owns.
    "worker": {"id": LOCAL, "data_dir": LOCAL, "user": LOCAL, "tags": LOCAL, "drain_seconds": HOT},
    "pool": HOT,
    "admission": HOT,
    # Where rules come from. Who may sign them is in `modules`.
    "blockers": {"threshold": HOT, "rules": LOCAL},
    # Which program is started, and what this host has installed.
    "browser": LOCAL,
    # The boundary itself.
    "sandbox": LOCAL,
    # Options of a profile hold passwords, and certificates that its browser trusts.
    # `store` may send the logins of all tenants to a foreign bucket, and the keys are secrets of the fleet.
    "profiles": {
        "max_bytes": RESTART,
        "max_files": RESTART,
        "store": LOCAL,
        "key_secret": LOCAL,
        "key_secrets_before": LOCAL,
        "keep_snapshots": RESTART,
        "store_seconds": RESTART,
        "probe_seconds": RESTART,
        "checkpoint_seconds": HOT,
        "page": LOCAL,
    },
    # A fixed address is the only way to a private address.
    # The dialer's process is confined to its ports when it starts, and an upstream may have a private address.
    "egress": {
        "hosts": LOCAL,
        "ports": HOT,
        "proxy_ports": LOCAL,
        "proxy_ca": LOCAL,
        "connect_seconds": HOT,
        "request_wait_seconds": HOT,
        "access_log": HOT,
        "access_log_sample": HOT,
        "budget_bytes": HOT,
        "budget_requests": HOT,
    },
    "proxies": HOT,
    "jobs": HOT,
    "results": HOT,
    # A file of the host. Commands read the section, and the worker at its start.
    "audit": LOCAL,
    # Where modules come from, and who may sign them.
    "modules": {
        "registry": LOCAL,
        "trusted_keys": LOCAL,
        "trust": LOCAL,
        "isolation": HOT,
        "channel": HOT,
        "tag_channels": HOT,
        "refresh_seconds": HOT,
        "cache_bytes": RESTART,
    },
    # `url` may name any folder of the host, or send pages of all tenants to a foreign bucket.
    "artifacts": {
        "url": LOCAL,
        "links": RESTART,
        "link_seconds": RESTART,
        "link_secret": LOCAL,
        "on_failure": HOT,
        "waiting_bytes": RESTART,
        "concurrency": RESTART,
        "keep_days": HOT,
        "keep_days_of": HOT,
    },
    # `url` as that of artifacts. `allowed_urls` lets jobs reach hosts from the worker itself.
    "files": {
        "url": LOCAL,
        "max_bytes": HOT,
        "keep_hours": LOCAL,
        "tenant_bytes": LOCAL,
        "memory_bytes": RESTART,
        "fetch_seconds": HOT,
        "allowed_urls": LOCAL,
    },
    "callbacks": HOT,
    # Whom the worker asks for secrets, and with which files of the host it logs in.
    "secrets": {
        "backend": LOCAL,
        "lease_seconds": RESTART,
        "files": LOCAL,
        "systemd": LOCAL,
        "environment": LOCAL,
        "vault": LOCAL,
        "aws": LOCAL,
        "grants": HOT,
    },
    # A file of the host, and passwords for receivers: everyone who may read Redis would see them.
    "tenants": {
        "weight": HOT,
        "concurrency": HOT,
        "rate_per_second": HOT,
        "burst": HOT,
        "backlog_jobs": HOT,
        "backlog_bytes": HOT,
        "budget": HOT,
        "callback_allow": HOT,
        "callback_secret_file": LOCAL,
        "callback_secret": HOT,
        "callback_headers": LOCAL,
        "egress": HOT,
        "block": HOT,
        "block_hosts": HOT,
        "proxy": HOT,
        "proxy_required": HOT,
        "pins": HOT,
        "egress_budget_bytes": HOT,
        "egress_budget_requests": HOT,
        "modules": HOT,
        "blockers": HOT,
    },
    "domains": HOT,
    "limits": HOT,
    # The reader of the tenants' inboxes is started once.
    "ingress": RESTART,
    "flags": HOT,
    "rollouts": HOT,
    # Only the fleet process reads it, and it follows no central configuration.
    "scaling": LOCAL,
    # Who reaches endpoints that have no password.
    "http": LOCAL,
    # The process `pageworker-api` reads it when it starts, and a worker the address of links.
    "api": LOCAL,
    "status_page": LOCAL,
    # What each worker relies on, of its own host and of the Redis that holds the central configuration.
    "checks": LOCAL,
    "log": HOT,
    # Who gets the names of tenants and jobs, and the passwords for it.
    "tracing": {
        "endpoint": LOCAL,
        "sample_ratio": HOT,
        "headers": LOCAL,
        "header_secrets": LOCAL,
        "timeout_seconds": HOT,
    },
}


def reload_of(path: Path) -> Reload:
    """The class of a setting, or of anything below it. Raises KeyError for a path that names no setting."""
    section = CLASSES[path[0]]
    if isinstance(section, Reload):
        return section
    return section[path[2] if _is_table(path[0]) else path[1]]


def running(started: Settings, wanted: Settings) -> Settings:
    """What a worker that began with `started` runs with while `wanted` is configured: hot settings follow, the others
    stay."""
    changes: dict[str, Any] = {}
    for section, names in _kept().items():
        kept = getattr(started, section)
        changes[section] = replace(getattr(wanted, section), **{name: getattr(kept, name) for name in names})
    return replace(wanted, **changes)


def waiting(started: Settings, wanted: Settings) -> tuple[str, ...]:
    """Dotted names of the settings that differ and take effect at the next start."""
    return tuple(
        f"{section}.{name}"
        for section, names in _kept().items()
        for name in names
        if getattr(getattr(started, section), name) != getattr(getattr(wanted, section), name)
    )


def settings_without_class() -> Iterator[str]:
    """Settings that `CLASSES` does not name, and rows that name no setting."""
    fields = {field.name: field.type for field in msgspec.structs.fields(Settings)}
    yield from sorted(set(fields) ^ set(CLASSES))
    for section, row in CLASSES.items():
        if isinstance(row, Mapping) and section in fields:
            type_ = first(fields[section])
            inner = get_args(type_)[1] if get_origin(type_) is dict else type_
            names = {field.name for field in msgspec.structs.fields(inner)}
            yield from (f"{section}.{name}" for name in sorted(names ^ set(row)))


def _kept() -> dict[str, list[str]]:
    """The settings of each section that a running worker keeps. Tables of tenants and domains are hot, or as local as
    the file that sets them."""
    fields = {field.name: field.type for field in msgspec.structs.fields(Settings)}
    kept: dict[str, list[str]] = {}
    for section, row in CLASSES.items():
        if not _is_table(section):
            names = [field.name for field in msgspec.structs.fields(fields[section])]
            kept[section] = [name for name in names if (row if isinstance(row, Reload) else row[name]) is not HOT]
    return kept


def _is_table(section: str) -> bool:
    types = {field.name: field.type for field in msgspec.structs.fields(Settings)}
    return get_origin(first(types[section])) is dict
