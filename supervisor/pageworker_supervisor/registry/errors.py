"""Why a module cannot be used or a registry cannot be changed, by who has to fix it: producer, author, operator."""

from pageworker_sandbox.signing import Mistake, ModuleError

__all__ = [
    "ClockSetBack",
    "ModuleError",
    "ModuleNotAllowed",
    "ModuleUnknown",
    "NotThere",
    "PackRefused",
    "RegistryAway",
    "RegistryRefused",
    "TenantNotAllowed",
    "VersionSetAside",
]


class ModuleUnknown(ModuleError):
    """The registry has no such module, version or channel."""

    type = "module_unknown"
    mend = "name a module that exists (`workerctl module list`), or publish it with `workerctl module publish`"


class TenantNotAllowed(ModuleError):
    """The `tenants` of the module do not include this tenant."""

    type = "tenant_not_allowed"
    mend = "add the tenant to `tenants` in module.toml and publish a new version"


class ModuleNotAllowed(ModuleError):
    """The operator does not let this tenant run this module."""

    type = "module_not_allowed"
    mend = "the operator adds the module to `modules` of the tenant in `[tenants]`"


class VersionSetAside(ModuleError):
    """The version does not load, and the one before goes on: the job runs on that one."""

    type = "module_broken"
    retryable = True
    mend = "correct the module and publish a new version: a version that does not load is not tried again"


class RegistryAway(ModuleError):
    """The registry does not answer, and the worker has no copy. Another try may succeed."""

    type = "registry_away"
    retryable = True
    mend = "check `modules.registry`, and whether this host can reach it"


class ClockSetBack(ModuleError):
    """The clock of this host is behind a time that it has shown before. What has expired could seem valid again."""

    type = "registry_clock_set_back"
    retryable = True
    mend = (
        "the operator sets the clock of this host; if it was wrong before, stop the worker and delete the file `clock` "
        "in the folder `modules` of its data folder"
    )


class NotThere(RegistryAway):
    """The registry answers, but has no such file."""


class PackRefused(Exception):
    """The folder is not a valid module. `mistakes` lists every mistake."""

    def __init__(self, mistakes: tuple[Mistake, ...]) -> None:
        super().__init__("; ".join(map(str, mistakes)))
        self.mistakes = mistakes


class RegistryRefused(Exception):
    """A change of the registry was refused. `mend` says what to do instead."""

    def __init__(self, message: str, mend: str = "") -> None:
        super().__init__(message)
        self.mend = mend
