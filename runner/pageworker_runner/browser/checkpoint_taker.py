"""Answers the supervisor's requests for checkpoints of the profile."""

import time
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from playwright.async_api import BrowserContext
from playwright.async_api import Error as BrowserError

from pageworker_runner.browser.checkpoint import BrowserState, KnownOrigins, state_bytes, take, with_emptied, with_known
from pageworker_runner.limits import LIMITS
from pageworker_runner.reporting.reporter import Reporter
from pageworker_runner.task_ownership import Tasks
from pageworker_sandbox import memfd
from pageworker_sandbox.wire import messages as m

STORAGE_TRIES = 3
"""A busy host may be too slow for one. The next checkpoint tries again."""


class Proofs(Protocol):
    """What must not run while a checkpoint is taken."""

    def no_proof(self) -> AbstractAsyncContextManager[None]:
        """No page is proved clean while the block runs."""


class CheckpointTaker:
    """Of one browser context."""

    def __init__(
        self, context: BrowserContext, proofs: Proofs, tasks: Tasks, reporter: Reporter, known: KnownOrigins
    ) -> None:
        """`known`: the storage that the browser got at its start."""
        self._known = known
        self._context = context
        self._proofs = proofs
        self._tasks = tasks
        self._reporter = reporter
        self._with_storage = True
        """False: once it failed. From then on checkpoints hold newer cookies, and the storage that was known."""

    def ask(self, number: int) -> None:
        """Take one and send it. Each request gets one answer."""
        self._tasks.spawn(self._answer(number))

    async def _answer(self, number: int) -> None:
        descriptor = memfd.seal(await self._take(), "checkpoint")
        self._reporter.send_queue.put(m.CheckpointTaken(number=number), [descriptor])

    async def _take(self) -> bytes:
        for _ in range(STORAGE_TRIES if self._with_storage else 0):
            try:
                return state_bytes(await self._with_all())
            except TimeoutError:
                continue
            except BrowserError as error:
                self._with_storage = False
                self._reporter.warn(f"checkpoints hold no newer storage from now on: {str(error)[:500]}")
                break
        try:
            cookies = await take(self._context, LIMITS.checkpoint_seconds, storage=False)
        except (BrowserError, TimeoutError):
            return b""
        return state_bytes(with_known(cookies, self._known))

    async def _with_all(self) -> BrowserState:
        # Pages that are recycled wait no longer than one try takes.
        async with self._proofs.no_proof():
            # On the host's clock, which stamps the files of the profile too.
            taken_at = time.time()
            state = await take(self._context, LIMITS.checkpoint_seconds, storage=True)
        state = with_emptied(state, self._known)
        self._known = KnownOrigins(state.origins, taken_at)
        return state
