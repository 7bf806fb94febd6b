"""Answers what modules ask for: decides, fetches, records. One service per worker."""

import time
from collections.abc import Callable, Iterable
from typing import Literal

from msgspec import Struct

from pageworker_supervisor.secrets.backend import SecretRef
from pageworker_supervisor.secrets.errors import SecretMissing, SecretUnavailable
from pageworker_supervisor.secrets.grants import SecretGrants
from pageworker_supervisor.secrets.masker import SecretMasker
from pageworker_supervisor.secrets.store import SecretStore
from pageworker_supervisor.secrets.totp import SeedInvalid, code_at, parse_seed
from pageworker_supervisor.telemetry import AUDIT, log
from pageworker_supervisor.telemetry.metrics import Metrics

MASKED_IN_LOGS = 200
"""Values that were granted last, and are masked in every line of the worker's log."""

SecretForm = Literal["value", "totp"]


class SecretUser(Struct, frozen=True, kw_only=True):
    """Who asks: an attempt of a job."""

    tenant_id: str
    job: str
    """`TENANT/ID`."""
    attempt: int
    module: str
    version: str
    manifest_secrets: tuple[str, ...]
    """`secrets` in its module.toml."""


class SecretGranted(Struct, frozen=True):
    """The module gets this text: the secret, or a one-time password made of it."""

    text: str

    def __repr__(self) -> str:
        return "SecretGranted()"


class SecretDenied(Struct, frozen=True):
    """The module does not get the secret. `reason` is for its author and the operator."""

    reason: str


class SecretService:
    """The secrets of this worker's jobs."""

    def __init__(
        self, store: SecretStore, grants: SecretGrants, metrics: Metrics, clock: Callable[[], float] = time.time
    ) -> None:
        """`clock`: Unix seconds, for one-time passwords."""
        self.log_masker = SecretMasker(MASKED_IN_LOGS)
        self._store = store
        self._grants = grants
        self._metrics = metrics
        self._clock = clock

    async def warm(self, tenant_id: str, module: str, names: Iterable[str]) -> None:
        """Fetch what a job may ask for before it takes a page. Raises SecretUnavailable. Nothing is granted by it."""
        for name in names:
            ref = SecretRef(tenant_id, name)
            if self._grants.why_not(ref, module, (name,)) is None:
                try:
                    await self._store.fetch(ref)
                except SecretMissing:
                    continue  # the job may not need it; it is told when it asks

    async def answer(
        self, user: SecretUser, name: str, form: SecretForm, masker: SecretMasker
    ) -> SecretGranted | SecretDenied:
        """Decide, and record the decision. `masker` of the job masks a granted value. Raises SecretUnavailable."""
        ref = SecretRef(user.tenant_id, name)
        if (why_not := self._grants.why_not(ref, user.module, user.manifest_secrets)) is not None:
            self._record(user, name, form, "denied", reason=why_not)
            return SecretDenied(why_not)
        try:
            secret = await self._store.fetch(ref)
            text = secret.value if form == "value" else code_at(parse_seed(secret.value), self._clock())
        except (SecretMissing, SeedInvalid) as missing:
            self._record(user, name, form, "missing", reason=str(missing))
            # The reason may name paths of the backend, which are the operator's.
            return SecretDenied("the secret backend has no usable value for it; the worker's log has the reason")
        except SecretUnavailable as away:
            self._record(user, name, form, "unavailable", reason=str(away))
            raise
        masked = form == "totp" or (masker.add(name, text) and self.log_masker.add(str(ref), text))
        self._record(user, name, form, "granted", secret_version=secret.version, masked=masked)
        return SecretGranted(text)

    def _record(self, user: SecretUser, name: str, form: SecretForm, outcome: str, **more: object) -> None:
        self._metrics.secrets.requested(outcome, user.tenant_id)
        log.bind(
            tenant_id=user.tenant_id,
            job=user.job,
            attempt=user.attempt,
            module=user.module,
            module_version=user.version,
            secret_name=name,
            form=form,
            outcome=outcome,
            **more,
        ).log(AUDIT, "secret {}", outcome)
