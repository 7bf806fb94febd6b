"""Which tenants and domains a change of the central configuration takes away from a glob. Pure."""

from collections.abc import Iterator

from pageworker_supervisor.config.central_document import CentralValues
from pageworker_supervisor.config.limit_settings import DomainSettings
from pageworker_supervisor.config.setting_names import dotted, path_of
from pageworker_supervisor.config.settings import Settings, TenantSettings
from pageworker_supervisor.config.tenant_lookup import GlobTable, ordered_globs


def replaced_globs(local: Settings, before: CentralValues, after: CentralValues) -> Iterator[str]:
    """A line for each name that gets a key of its own, so that a glob with settings does not count for it any more."""
    sections = {
        "tenants": {key: value == TenantSettings() for key, value in local.tenants.items()},
        "domains": {key: value == DomainSettings() for key, value in local.domains.items()},
    }
    for section, defaults in sections.items():
        old, new = central_keys(before, section), central_keys(after, section)
        # A glob whose settings are the defaults gives nothing that a name could lose.
        globs = [key for key in ordered_globs({*defaults, *old}) if key in old or not defaults[key]]
        table = GlobTable[str | None]({glob: glob for glob in globs}, None)
        for name in sorted(new - old - set(defaults) - set(ordered_globs(new))):
            if (glob := table.find(name)) is not None:
                yield f"{name} had the settings of {dotted((section, glob))}. From now on only its own count."


def central_keys(values: CentralValues, section: str) -> set[str]:
    """The names and globs of `[tenants]` or `[domains]` that the central configuration has."""
    return {path[1] for path in map(path_of, values) if path[0] == section}
