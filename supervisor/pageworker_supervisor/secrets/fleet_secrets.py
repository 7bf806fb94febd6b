"""Secrets of the fleet: the worker uses them itself, such as the login of an upstream proxy. No job can ask for one."""

from pageworker_supervisor.secrets.backend import FLEET, FetchedSecret, SecretRef
from pageworker_supervisor.secrets.errors import SecretMissing, SecretUnavailable
from pageworker_supervisor.secrets.masker import SecretMasker
from pageworker_supervisor.secrets.store import SecretStore
from pageworker_supervisor.telemetry import AUDIT, log
from pageworker_supervisor.telemetry.metrics import Metrics


class FleetSecrets:
    """Fetches them for a use that the configuration names, and records each new value, refusal and outage."""

    def __init__(self, store: SecretStore, log_masker: SecretMasker, metrics: Metrics) -> None:
        """`log_masker`: of every line of the worker's log."""
        self._store = store
        self._log_masker = log_masker
        self._metrics = metrics
        self._recorded: dict[tuple[str, str], tuple[str, str]] = {}
        """Outcome and version, or reason, that was recorded last for a name and its use."""

    async def fetch(self, name: str, use: str) -> FetchedSecret:
        """The value now. `use`: what it is for, such as `proxy residential-de`. Raises SecretMissing,
        SecretUnavailable."""
        try:
            secret = await self._store.fetch(SecretRef(FLEET, name))
        except SecretMissing as missing:
            self._record(name, use, "missing", str(missing))
            raise
        except SecretUnavailable as away:
            self._record(name, use, "unavailable", str(away))
            raise
        self._log_masker.add(f"{FLEET}/{name}", secret.value)
        self._record(name, use, "granted", secret.version)
        return secret

    def mask(self, name: str, part: str) -> None:
        """Mask a part of a value, too, in every line of the log."""
        self._log_masker.add(f"{FLEET}/{name}", part)

    def refuse(self, name: str, use: str, reason: str) -> None:
        """Record that a value cannot be used as it is."""
        self._record(name, use, "refused", reason)

    def _record(self, name: str, use: str, outcome: str, told: str) -> None:
        if self._recorded.get((name, use)) == (outcome, told):
            return
        self._recorded[name, use] = (outcome, told)
        self._metrics.secrets.requested(outcome, FLEET)
        more = {"secret_version": told} if outcome == "granted" else {"reason": told}
        log.bind(tenant_id=FLEET, secret_name=name, use=use, outcome=outcome, **more).log(AUDIT, "secret {}", outcome)
