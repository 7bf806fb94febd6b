"""The parts of the worker that an attempt uses."""

from collections.abc import Callable
from dataclasses import dataclass

from pageworker_supervisor.artifacts.store import ArtifactStore
from pageworker_supervisor.config.blocker_settings import BlockerSettings
from pageworker_supervisor.config.egress_budget import EgressBudgets
from pageworker_supervisor.config.flags import Flags
from pageworker_supervisor.config.live import Live
from pageworker_supervisor.config.module_isolation import ModuleIsolation
from pageworker_supervisor.config.settings import JobSettings, TenantSettings
from pageworker_supervisor.config.tenant_lookup import ProfilePages
from pageworker_supervisor.dispatch.settlement import Settlement
from pageworker_supervisor.files.job_files import JobFiles
from pageworker_supervisor.input_schema.input_checks import InputChecks
from pageworker_supervisor.proxies.policies import ProxyPolicies
from pageworker_supervisor.registry import Registry
from pageworker_supervisor.runners.browser_flavors import BrowserFlavors
from pageworker_supervisor.runners.egress_sets import EgressSets
from pageworker_supervisor.runners.fleet import Fleet
from pageworker_supervisor.runners.option_sets import OptionSets
from pageworker_supervisor.secrets.secret_service import SecretService
from pageworker_supervisor.telemetry.metrics import Metrics
from pageworker_supervisor.tracing.job_trace import Tracer


@dataclass(frozen=True)
class AttemptServices:
    """What every attempt uses. `kill_grace_seconds`: how long a handler may take to stop; then its runner is killed.
    `config_version`: of the central configuration, now; 0 without one. `tenant_settings`: of a tenant, now."""

    jobs: JobSettings
    kill_grace_seconds: float
    registry: Registry
    input_checks: InputChecks
    artifacts: ArtifactStore
    files: JobFiles
    settlement: Settlement
    fleet: Fleet
    egress_sets: EgressSets
    option_sets: OptionSets
    browsers: BrowserFlavors
    secrets: SecretService
    proxies: ProxyPolicies
    budgets: EgressBudgets
    isolation: ModuleIsolation
    profile_pages: ProfilePages
    flags: Flags
    blockers: Live[BlockerSettings]
    metrics: Metrics
    config_version: Callable[[], int]
    tenant_settings: Callable[[str], TenantSettings]
    tracer: Tracer | None = None
