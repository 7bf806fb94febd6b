"""Which flags are on for a job. Pure."""

import hashlib
from collections.abc import Mapping

from pageworker_supervisor.config.flag_settings import FlagSettings
from pageworker_supervisor.config.tenant_lookup import glob_pattern

Flags = Mapping[str, FlagSettings]
"""By name."""


def flags_for(flags: Flags, tenant_id: str, job_id: str) -> dict[str, bool]:
    """Every flag, and whether it is on for this job. The same for each attempt while the settings are the same."""
    return {name: _is_on(name, flag, tenant_id, job_id) for name, flag in flags.items()}


def _is_on(name: str, flag: FlagSettings, tenant_id: str, job_id: str) -> bool:
    if not flag.on or not any(glob_pattern(glob).fullmatch(tenant_id) for glob in flag.tenants):
        return False
    return percentile(name, tenant_id, job_id if flag.per == "job" else "") < flag.percent


def percentile(name: str, tenant_id: str, job_id: str) -> float:
    """Where a job or a tenant stands among all, from 0 to below 100. Different flags order them differently."""
    digest = hashlib.blake2b(f"{name}/{tenant_id}/{job_id}".encode(), digest_size=8).digest()
    # 53 bits: a float holds them exactly, so that the quotient stays below 1.
    return (int.from_bytes(digest) >> 11) / 2**53 * 100
