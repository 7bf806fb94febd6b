"""Finds the settings of a tenant, a domain or a profile: the longest matching key wins. Pure."""

import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any, Generic, TypeVar

from pageworker_sandbox.hostname import normalise_host_glob
from pageworker_sandbox.page_rules import parse_options
from pageworker_sandbox.wire.page_options import PageOptions
from pageworker_supervisor.config.limit_settings import DomainSettings
from pageworker_supervisor.config.settings import TenantSettings

V = TypeVar("V")

REMEMBERED_NAMES = 65_536
REMEMBERED_TABLES = 8
"""Tables are cached by identity of the settings. More than one exists only in tests and when settings change."""


def glob_pattern(glob: str) -> re.Pattern[str]:
    """Compile a glob. `*` matches any characters, `?` matches one. All other characters stand for themselves."""
    parts = (".*" if part == "*" else "." if part == "?" else re.escape(part) for part in glob)
    return re.compile("".join(parts), re.DOTALL)


def ordered_globs(keys: Iterable[str]) -> list[str]:
    """Those of the keys that are globs, in the order in which they are tried: the longest first."""
    return sorted((key for key in keys if set(key) & {"*", "?"}), key=lambda key: (-len(key), key))


class GlobTable(Generic[V]):
    """Values by glob. An exact key wins, then the longest glob, then the first in alphabetical order."""

    def __init__(self, entries: Mapping[str, V], fallback: V) -> None:
        self._exact = dict(entries)
        self._globs = [(glob_pattern(key), entries[key]) for key in ordered_globs(entries)]
        self._fallback = fallback
        self.find = lru_cache(REMEMBERED_NAMES)(self._find)

    def _find(self, name: str) -> V:
        if name in self._exact:
            return self._exact[name]
        for pattern, value in self._globs:
            if pattern.fullmatch(name):
                return value
        return self._fallback


_tenant_tables: dict[int, tuple[Mapping[str, TenantSettings], GlobTable[TenantSettings]]] = {}
_domain_tables: dict[int, tuple[Mapping[str, DomainSettings], GlobTable[DomainSettings]]] = {}


def limits_for(tenants: Mapping[str, TenantSettings], tenant_id: str) -> TenantSettings:
    """The settings of a tenant; the defaults if no key matches."""
    return _table(_tenant_tables, tenants, TenantSettings(), str.lower).find(tenant_id)


def domain_for(domains: Mapping[str, DomainSettings], domain: str) -> DomainSettings:
    """The limits of a domain; the defaults if no key matches. Host names are compared without case."""
    return _table(_domain_tables, domains, DomainSettings(), normalise_host_glob).find(domain.lower())


def _no_settings(tenant_id: str) -> TenantSettings:
    return TenantSettings()


class ProfilePages:
    """The options of `[profiles.page]` and of tenants, which are checked already."""

    def __init__(
        self, pages: Mapping[str, Mapping[str, Any]], tenants: Callable[[str], TenantSettings] = _no_settings
    ) -> None:
        """`tenants(tenant_id)`: what holds now."""
        self._tenants = tenants
        self._table = GlobTable({name: parse_options(given) for name, given in pages.items()}, PageOptions())

    def options(self, tenant_id: str, profile_id: str | None) -> PageOptions:
        """Those of a profile; none if no key matches, and for an ephemeral context."""
        return PageOptions() if profile_id is None else self._table.find(f"{tenant_id}/{profile_id}")

    def of_tenant(self, tenant_id: str) -> PageOptions:
        """Those of a tenant, which all others go over."""
        settings = self._tenants(tenant_id)
        return _blocking(settings.block, settings.block_hosts)


@lru_cache(4096)
def _blocking(types: tuple[str, ...], hosts: tuple[str, ...]) -> PageOptions:
    return parse_options({"block": list(types), "block_hosts": list(hosts)})


def _table(
    tables: dict[int, tuple[Mapping[str, V], GlobTable[V]]],
    entries: Mapping[str, V],
    fallback: V,
    written: Callable[[str], str],
) -> GlobTable[V]:
    # The entry keeps the mapping alive, so that no other object can get the same id.
    known = tables.get(id(entries))
    if known is None:
        if len(tables) >= REMEMBERED_TABLES:
            del tables[next(iter(tables))]
        known = tables[id(entries)] = (entries, GlobTable({written(key): entries[key] for key in entries}, fallback))
    return known[1]
