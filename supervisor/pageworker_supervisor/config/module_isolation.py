"""How the jobs of a module are isolated: what its manifest asks for, or more if the operator wants it. Pure."""

from typing import ClassVar

from pageworker_sandbox.signing import Manifest, ModuleError
from pageworker_supervisor.config.live import Live
from pageworker_supervisor.config.module_settings import ModuleSettings
from pageworker_supervisor.contract.isolation import Isolation


class IsolationRefused(ModuleError):
    """The job has a profile, and its module isolates each job from all others."""

    type: ClassVar[str] = "module_isolation"
    mend = 'push the job without `profile_id`, or publish a version of the module with `isolation = "tenant"`'


class ModuleIsolation:
    """Follows the settings."""

    def __init__(self, modules: Live[ModuleSettings]) -> None:
        self._modules = modules

    def of(self, manifest: Manifest, profile_id: str | None) -> Isolation:
        """The isolation of a job that begins now. Raises IsolationRefused.

        The operator's `modules.isolation` is the least. A group then holds jobs of one module alone.
        """
        if manifest.isolation == "job":
            if profile_id is not None:
                raise IsolationRefused(
                    f'{manifest.name} {manifest.version} has isolation = "job": each of its jobs has a browser context '
                    f"that no other job has used. The profile `{profile_id}` keeps what earlier jobs left."
                )
            return Isolation(one_job=True)
        alone = "module" in (manifest.isolation, self._modules.value.isolation)
        return Isolation(group=manifest.group or "", module=manifest.name if alone else "")
