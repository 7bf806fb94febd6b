"""Which tenant's, and which domain's, limits hold for a name: the longest matching key. Pure."""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Generic, TypeVar

from pageworker_sandbox.hostname import normalise_host_glob
from pageworker_supervisor.config.settings import DomainSettings, Settings, TenantSettings

V = TypeVar("V")

REMEMBERED_NAMES = 65_536
REMEMBERED_TABLES = 8
"""Tables are found again by identity; more than one lives only in tests and while settings change."""


def glob_pattern(glob: str) -> re.Pattern[str]:
    """`*` is any run of characters, `?` any one; nothing else is special."""
    parts = (".*" if part == "*" else "." if part == "?" else re.escape(part) for part in glob)
    return re.compile("".join(parts), re.DOTALL)


class GlobTable(Generic[V]):
    """Globs and their values. An exact key wins over any glob, then length, then the alphabet."""

    def __init__(self, entries: Mapping[str, V], fallback: V) -> None:
        self._exact = dict(entries)
        self._globs = [
            (glob_pattern(key), entries[key])
            for key in sorted(entries, key=lambda key: (-len(key), key))
            if set(key) & {"*", "?"}
        ]
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


def limits_for(settings: Settings, tenant_id: str) -> TenantSettings:
    """The tenant's settings; the defaults where no key matches."""
    return _table(_tenant_tables, settings.tenants, TenantSettings(), str.lower).find(tenant_id)


def domain_for(settings: Settings, domain: str) -> DomainSettings:
    """The domain's limits; the defaults where no key matches. Host names have no case."""
    return _table(_domain_tables, settings.domains, DomainSettings(), normalise_host_glob).find(domain.lower())


def _table(
    tables: dict[int, tuple[Mapping[str, V], GlobTable[V]]],
    entries: Mapping[str, V],
    fallback: V,
    written: Callable[[str], str],
) -> GlobTable[V]:
    # The entry holds the mapping itself, so that no other object can get its id while it is remembered.
    known = tables.get(id(entries))
    if known is None:
        if len(tables) >= REMEMBERED_TABLES:
            del tables[next(iter(tables))]
        known = tables[id(entries)] = (entries, GlobTable({written(key): entries[key] for key in entries}, fallback))
    return known[1]
