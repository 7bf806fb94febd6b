"""The section `[flags]`: switches that modules read."""

from typing import Annotated, Literal

from msgspec import Meta

from pageworker_supervisor.config.section import Section


class FlagSettings(Section, frozen=True):
    """One flag, which modules read as `context.flags` (docs/sdk.md). It is on for a job if `on` is set, the job's
    tenant matches `tenants`, and the job is in the share of `percent`."""

    on: bool = False
    """Whether it may be on at all."""
    tenants: tuple[str, ...] = ("*",)
    """Globs of the tenants that it is on for."""
    percent: Annotated[float, Meta(ge=0, le=100)] = 100.0
    """Share of jobs or tenants. A larger share holds those of a smaller one."""
    per: Literal["job", "tenant"] = "job"
    """What `percent` divides. `job`: all attempts of a job see the same. `tenant`: all jobs of a tenant do."""
