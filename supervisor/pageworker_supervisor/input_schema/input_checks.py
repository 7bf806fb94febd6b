"""Checks the payloads of a worker's jobs, and what their handlers return, against the schemas of their modules.

An ordinary check takes some microseconds in the shared checker, which has tight limits. A check that exceeds them is
repeated in a checker of its own, which has wider limits. After such a check, or a slow one, the next checks of the same
tenant and bundle go there at once, for some time. So one tenant and bundle delay the others at most once in that time:
these do not wait for what runs apart.
"""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, NoReturn

from pageworker_sandbox.signing import PackedBundle, VerifiedBundle
from pageworker_supervisor.input_schema.check_apart import check_apart
from pageworker_supervisor.input_schema.check_limits import APART, SHARED, SLOW_SECONDS, CheckLimits
from pageworker_supervisor.input_schema.check_outcome import ANY_OBJECT, conclude, encoded, exceeded
from pageworker_supervisor.input_schema.errors import CheckerEnded, OutputInvalid, PayloadInvalid
from pageworker_supervisor.input_schema.messages import SchemaAnswer, SchemaCheck, SchemaKind
from pageworker_supervisor.input_schema.shared_checker import SharedChecker
from pageworker_supervisor.telemetry import log

APART_SECONDS = 60.0
"""How long the checks of a tenant and bundle stay out of the shared checker."""
MAX_APART = 10_000
"""Tenants with bundles that are remembered. Bundles need a trusted signature, so there are few."""


class InputChecks:
    """The checks of one worker. `run` must run while they are used."""

    def __init__(self, shared: CheckLimits = SHARED, apart: CheckLimits = APART) -> None:
        self._shared = SharedChecker(shared)
        self._limits = apart
        self._apart_until: dict[tuple[str, str], float] = {}
        # One at a time. A check whose caller is cancelled still occupies the thread.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="check")

    async def run(self) -> NoReturn:
        """Keep the shared checker until this is cancelled."""
        try:
            await asyncio.Event().wait()
            raise AssertionError
        finally:
            self._thread.shutdown(wait=False, cancel_futures=True)
            await asyncio.shield(self._shared.close())

    async def check(self, bundle: VerifiedBundle, tenant_id: str, payload: bytes) -> None:
        """Raises PayloadInvalid, BundleMalformed if the schema cannot be used, and CheckLimitExceeded.

        Raises OSError if the host has no process for the check.
        """
        await self._check(bundle, tenant_id, payload, bundle.input_schema, "input")

    async def check_output(self, bundle: VerifiedBundle, tenant_id: str, data: bytes) -> None:
        """Check the data of a result (JSON). Raises OutputInvalid, and otherwise as `check`."""
        if bundle.output_schema is not None:
            await self._check(bundle, tenant_id, data, bundle.output_schema, "output")

    async def _check(
        self, bundle: VerifiedBundle, tenant_id: str, value: bytes, schema: dict[str, Any], kind: SchemaKind
    ) -> None:
        if schema == ANY_OBJECT:
            return
        name = f"the {kind} schema of {bundle.name} {bundle.version}"
        answer = await self._check_shared(bundle, tenant_id, value, schema, kind)
        if answer is None:
            check = SchemaCheck(bundle.sha256, value, encoded(schema, kind), kind)
            loop = asyncio.get_running_loop()
            answer = await loop.run_in_executor(self._thread, _check_apart, check, self._limits, name)
        conclude(answer, name, kind)

    async def _check_shared(
        self, bundle: VerifiedBundle, tenant_id: str, value: bytes, schema: dict[str, Any], kind: SchemaKind
    ) -> SchemaAnswer | None:
        """None if the check needs a checker of its own."""
        if time.monotonic() < self._apart_until.get((bundle.sha256, tenant_id), 0.0):
            return None
        try:
            answer = await self._shared.check(bundle.sha256, lambda: encoded(schema, kind), value, kind)
        except CheckerEnded as ended:
            self._move_apart(bundle, tenant_id, str(ended))
            return None
        if answer.too_large:
            self._move_apart(bundle, tenant_id, f"its {kind} schema is too large")
            return None
        if answer.seconds > SLOW_SECONDS:
            self._move_apart(bundle, tenant_id, f"a check took {answer.seconds:.3f} s")
        return answer

    def _move_apart(self, bundle: VerifiedBundle, tenant_id: str, reason: str) -> None:
        if len(self._apart_until) >= MAX_APART:
            self._apart_until.clear()
        self._apart_until[bundle.sha256, tenant_id] = time.monotonic() + APART_SECONDS
        log.warning(
            "payloads are checked apart", tenant_id=tenant_id, module=bundle.name, version=bundle.version, reason=reason
        )


def check_schema(schema: dict[str, Any], kind: SchemaKind = "input") -> None:
    """Compile a schema and check an empty object, in a process of its own. Blocks.

    Raises BundleMalformed if the schema cannot be used, CheckLimitExceeded, OSError.
    """
    with suppress(PayloadInvalid, OutputInvalid):
        _check_once(schema, b"{}", kind)


def check_schemas(bundle: PackedBundle) -> None:
    """`check_schema` for all schemas of a bundle."""
    check_schema(bundle.input_schema)
    if bundle.output_schema is not None:
        check_schema(bundle.output_schema, "output")


def check_payload(schema: dict[str, Any], payload: bytes) -> None:
    """Check one payload (JSON) in a process of its own. Blocks. Raises PayloadInvalid, and as `check_schema`."""
    _check_once(schema, payload, "input")


def _check_once(schema: dict[str, Any], value: bytes, kind: SchemaKind) -> None:
    if schema == ANY_OBJECT:
        return
    check, name = SchemaCheck("", value, encoded(schema, kind), kind), f"the {kind} schema"
    conclude(_check_apart(check, APART, name), name, kind)


def _check_apart(check: SchemaCheck, limits: CheckLimits, name: str) -> SchemaAnswer:
    try:
        return check_apart(check, limits)
    except CheckerEnded as ended:
        raise exceeded(ended, name, limits, check.kind) from None
