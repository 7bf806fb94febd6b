"""The blocker rules that count on a worker: those of the release, or signed ones of the operator's own.

Rules decide nothing about trust. So rules that were accepted stay in effect when a newer file is refused, when the file
is gone, and when they expire. Only rules whose key does not count any more are dropped for those of the release.
"""

import asyncio
import hashlib
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import NoReturn

import msgspec
from msgspec import Struct

from pageworker_sandbox.blockers.rules import MAX_FILE_BYTES, BlockerRules, decode_rules, released_rules
from pageworker_sandbox.signing import ModuleError, TrustStore, Untrusted
from pageworker_sandbox.signing.blocker_rules import UntrustedRules, VerifiedRules, authenticate_rules, verify_rules
from pageworker_sandbox.signing.errors import BadSignature, RulesRolledBack
from pageworker_sandbox.signing.limits import MAX_SIGNATURE_BYTES
from pageworker_supervisor.registry.cache import read_at_most, write_durably
from pageworker_supervisor.registry.errors import NotThere
from pageworker_supervisor.registry.index_file import SIGNATURE
from pageworker_supervisor.registry.registry import Clock, utc_now
from pageworker_supervisor.registry.store import Store
from pageworker_supervisor.telemetry import log

LOOK_SECONDS = 5.0
"""Between two looks at the file."""
ACCEPTED = "accepted.signed"
"""In the worker's own folder: the four lines of the signature, then the file."""
_SIGNATURE_LINES = 4


class BlockerRulesReport(Struct, frozen=True, kw_only=True):
    """The blocker rules in this worker. `serial` 0: those of the release. `trouble`: why the file of `blockers.rules`,
    as it is now, is not in effect, or that it has expired."""

    version: str = ""
    serial: int = 0
    expires: datetime | None = None
    trouble: str = ""


class BlockerRulesFollower:
    """Follows the file of `blockers.rules`."""

    def __init__(
        self, source: str | None, state_dir: Path, trust: Callable[[], TrustStore], clock: Clock = utc_now
    ) -> None:
        """`source`: path or URL of the file. None: the rules of the release count, for ever. `trust`: the keys that
        count now. Goes on with the rules that were accepted before."""
        folder, _, self._name = (source or "").rpartition("/")
        self._store = Store(folder) if source else None
        self._trust, self._clock = trust, clock
        # The serials of two sources are never compared.
        self._state = state_dir / hashlib.sha256((source or "").encode()).hexdigest()[:16]
        self._current: VerifiedRules | None = None
        self._serial, self._digest = 0, b""
        """Of the rules that were accepted last, whether they still count or not."""
        self._trouble = ""
        if source:
            self._restore()

    @property
    def file(self) -> bytes:
        """The file of the rules that count now."""
        return released_rules() if self._current is None else self._current.data

    def report(self) -> BlockerRulesReport:
        """Which rules count now, and why not others."""
        rules: BlockerRules = decode_rules(self.file)
        return BlockerRulesReport(
            version=rules.version, serial=rules.serial, expires=rules.expires, trouble=self._trouble
        )

    async def run(self, changed: Callable[[], None]) -> NoReturn:
        """Follow the file for ever. `changed` is called when other rules count."""
        if (store := self._store) is None:
            while True:
                await asyncio.Event().wait()
        while True:
            if await self.look(store):
                changed()
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self, store: Store) -> bool:
        """Read the file. Whether other rules count now. Raises nothing of the file's."""
        before, trouble = self.file, ""
        try:
            self._drop_untrusted()
            await self._accept(await self._fetch(store))
        except ModuleError as refused:
            trouble = str(refused)
            if trouble != self._trouble:
                kind = type(refused).__name__
                log.error("blocker rules refused, those from before still count", reason=trouble, error=kind)
        self._trouble = trouble
        return self.file != before

    async def _fetch(self, store: Store) -> UntrustedRules:
        """Raises NotThere, RegistryAway, BadSignature."""
        data = (await store.get(self._name, MAX_FILE_BYTES)).data
        try:
            signature = await store.get(self._name + SIGNATURE, MAX_SIGNATURE_BYTES)
        except NotThere:
            raise BadSignature(
                f"{self._name} is not signed: there is no {self._name}{SIGNATURE}",
                "sign it with `workerctl blockers sign`",
            ) from None
        return UntrustedRules(data, signature.data)

    async def _accept(self, untrusted: UntrustedRules) -> None:
        """Raises Untrusted."""
        verified = verify_rules(untrusted, self._trust(), self._clock(), self._serial)
        serial, digest = verified.rules.serial, _digest(verified.data)
        if serial == self._serial and digest != self._digest:
            raise RulesRolledBack(f"these are other blocker rules {serial} than those that were accepted before")
        if self._current is not None and verified.data == self._current.data:
            return
        self._current, self._serial, self._digest = verified, serial, digest
        log.info("blocker rules in effect", version=verified.rules.version, serial=serial)
        try:
            await asyncio.to_thread(self._save, untrusted)
        except OSError as error:
            log.warning("blocker rules not stored: after a restart older ones may count", reason=str(error))

    def _drop_untrusted(self) -> None:
        """Raises Untrusted if the key of the rules does not count any more."""
        if self._current is None:
            return
        try:
            self._trust().rules_key(self._current.key_id, self._clock())
        except Untrusted as untrusted:
            self._current = None
            log.error("blocker rules dropped, those of the release count", reason=str(untrusted))

    def _save(self, accepted: UntrustedRules) -> None:
        self._state.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_durably(self._state / ACCEPTED, accepted.signature + accepted.data)

    def _restore(self) -> None:
        """Go on with the rules that were accepted last, expired or not."""
        try:
            stored = read_at_most(self._state / ACCEPTED, MAX_SIGNATURE_BYTES + MAX_FILE_BYTES)
            if stored is None:
                return
            *signature, data = stored.split(b"\n", _SIGNATURE_LINES)
            raw = UntrustedRules(data, b"".join(line + b"\n" for line in signature))
            # The worker wrote this file, so its serial counts even if the key does not any more.
            self._serial, self._digest = decode_rules(data).serial, _digest(data)
            self._current = authenticate_rules(raw, self._trust(), self._clock())
        except (OSError, ValueError, msgspec.MsgspecError, Untrusted) as error:
            log.warning("the blocker rules of before do not count", reason=str(error))


def _digest(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()
