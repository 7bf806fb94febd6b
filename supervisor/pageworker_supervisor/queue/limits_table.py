"""The limits of one configuration as one table: of tenants, domains and modules by glob, and of the fleet. Pure.

Redis holds the table that is in force, and every claim looks a name up in it: see queue/lua/limits_table.lua.
"""

import hashlib
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from pageworker_sandbox.hostname import normalise_host_glob
from pageworker_supervisor.config.budget_settings import TenantBudget
from pageworker_supervisor.config.limit_settings import DomainSettings, SharedLimits
from pageworker_supervisor.config.settings import Settings, TenantSettings
from pageworker_supervisor.config.tenant_lookup import ordered_globs
from pageworker_supervisor.queue.producer import QuotaLimits, limits_text, share_of

L = TypeVar("L")

UNLIMITED = 1_000_000_000
"""Permits of a module or a fleet that has a rate alone."""


class LimitsId(Struct, frozen=True, order=True):
    """Which table: the version of the configuration (0: local files alone), and a digest of its content."""

    version: int
    digest: str

    def __str__(self) -> str:
        return f"{self.version} {self.digest}"

    @classmethod
    def parse(cls, text: str) -> "LimitsId":
        """The id that Redis holds. Raises ValueError."""
        version, digest = text.split(" ")
        return cls(int(version), digest)


class LimitsTable(Struct, frozen=True, kw_only=True, dict=True):
    """Limits by glob. Tenants and domains that no glob matches have the defaults."""

    version: int = 0
    tenants: Mapping[str, QuotaLimits] = {}
    domains: Mapping[str, QuotaLimits] = {}
    modules: Mapping[str, QuotaLimits | None] = {}
    """None: no limits, though a shorter glob may have some."""
    fleet: QuotaLimits | None = None
    budgets: Mapping[str, str] = {}
    """Of tenants, as text. Empty: this tenant has none, though a shorter glob may have one."""

    def packed(self, shards: int) -> bytes:
        """The table for one of `shards` shards, as queue/lua/limits_table.lua reads it.

        All jobs of a tenant are on one shard, so its limits are whole there. Each shard has its share of the others.
        """

        def part(limits: QuotaLimits | None) -> str:
            return "" if limits is None else limits_text(share_of(limits, shards))

        # Without a budget the table, and so its digest, is that of a release that knows none.
        budgets = {"budgets": _section(self.budgets, str, "")} if any(self.budgets.values()) else {}
        return msgspec.msgpack.encode(
            {
                **budgets,
                "tenants": _section(self.tenants, limits_text, limits_text(QuotaLimits())),
                "domains": _section(self.domains, part, part(QuotaLimits())),
                "modules": _section(self.modules, part, ""),
                "fleet": part(self.fleet),
            },
            order="sorted",
        )

    @cached_property
    def id(self) -> LimitsId:
        """Two configurations with the same limits have the same digest."""
        return LimitsId(self.version, hashlib.blake2b(self.packed(1), digest_size=8).hexdigest())


def limits_table(settings: Settings, version: int = 0) -> LimitsTable:
    """The table of a configuration. `version`: of the central configuration, 0 without one."""
    return LimitsTable(
        version=version,
        tenants={name.lower(): tenant_quota(each) for name, each in settings.tenants.items()},
        domains={normalise_host_glob(name): domain_quota(each) for name, each in settings.domains.items()},
        modules={name: shared_quota(each) for name, each in settings.limits.modules.items()},
        fleet=shared_quota(settings.limits.fleet),
        budgets={name.lower(): budget_text(each.budget) for name, each in settings.tenants.items()},
    )


def tenant_quota(settings: TenantSettings) -> QuotaLimits:
    """The limits of a tenant."""
    return QuotaLimits(settings.weight, settings.concurrency, settings.rate_per_second, settings.burst)


def budget_text(budget: TenantBudget) -> str:
    """The text that queue/lua/budget.lua reads: `page_seconds_per_day=3600 jobs_per_month=1000`."""
    return " ".join(f"{name}={limit}" for name, limit in budget.parts())


def domain_quota(settings: DomainSettings) -> QuotaLimits:
    """The limits of a domain."""
    return QuotaLimits(1.0, settings.concurrency, settings.rate_per_second, settings.burst)


def shared_quota(settings: SharedLimits) -> QuotaLimits | None:
    """The limits of a module or of the fleet; None: there are none."""
    if settings.concurrency is None and settings.rate_per_second is None:
        return None
    return QuotaLimits(1.0, settings.concurrency or UNLIMITED, settings.rate_per_second, settings.burst)


def _section(entries: Mapping[str, L], text: Callable[[L], str], other: str) -> dict[str, Any]:
    globs = ordered_globs(entries)
    return {
        "exact": {name: text(limits) for name, limits in entries.items() if name not in globs},
        "globs": [[glob, text(entries[glob])] for glob in globs],
        "other": other,
    }
