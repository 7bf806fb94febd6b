"""Sees every command that Playwright's client sends to its driver, and records the side effects that it leaves.

`side_effects.py` has what commands mean.
"""

import asyncio
import itertools
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from playwright.async_api import BrowserContext

from pageworker_runner.errors import CallRefused
from pageworker_runner.pages import side_effects
from pageworker_runner.pages.clock_steps import CALLS
from pageworker_runner.pages.playwright_internals.client_errors import closed_error
from pageworker_runner.pages.playwright_internals.commands import (
    ChannelOwner,
    inspected_page_guid,
    opened_page_guid,
    page_guid_of,
    type_of,
)
from pageworker_runner.pages.playwright_internals.connection import intercept_commands
from pageworker_runner.pages.playwright_internals.driver_recordings import with_call_id
from pageworker_runner.pages.playwright_internals.listeners import intercept_listeners, wrap_callbacks
from pageworker_runner.pages.refused_calls import refusal
from pageworker_runner.pages.side_effects import SideEffect, side_effect_of
from pageworker_runner.task_ownership import CURRENT_ATTEMPT, OWN_WORK, Callback


@dataclass(frozen=True)
class DriverReply:
    """The driver's answer to one command."""

    target: ChannelOwner
    method: str
    future: asyncio.Future[Any]

    @property
    def command(self) -> str:
        """`Page.addInitScript`."""
        return f"{type_of(self.target)}.{self.method}"

    @property
    def succeeded(self) -> bool:
        """It has arrived, and it is not an error."""
        return self.future.done() and not self.future.cancelled() and self.future.exception() is None


@dataclass
class SideEffects:
    """What attempts have left on one page, or what one attempt has left on the browser context."""

    counts: Counter[SideEffect] = field(default_factory=Counter)
    replies: dict[SideEffect, list[DriverReply]] = field(
        default_factory=lambda: {SideEffect.DISPOSABLE: [], SideEffect.RESPONSE: []}
    )
    """The replies that name what has to be disposed of."""
    permanent: list[str] = field(default_factory=list)
    """Commands that cannot be undone."""

    def add(self, effect: SideEffect, target: ChannelOwner, method: str, reply: asyncio.Future[Any]) -> None:
        """Record one command."""
        if effect is SideEffect.RELEASED:
            self.counts[SideEffect.PRESSED] -= 1
            return
        self.counts[effect] += 1
        if effect in self.replies:
            self.replies[effect].append(DriverReply(target, method, reply))
        elif effect is SideEffect.PERMANENT:
            command = f"{type_of(target)}.{method}"
            self.permanent.append("a password in an address" if command == "Frame.goto" else command)

    def on_released(self, reply: asyncio.Future[Any]) -> None:
        """A command that holds keys or buttons has been answered. One that was aborted may hold them still."""
        if not reply.cancelled():
            self.counts[SideEffect.PRESSED] -= 1

    def has(self, effect: SideEffect) -> bool:
        """Whether there is something of this kind to undo."""
        return self.counts[effect] > 0

    def first_permanent(self) -> str | None:
        """A command that cannot be undone, or one whose reply, which names what to dispose of, never came."""
        without_reply = (reply.command for reply in self.replies[SideEffect.DISPOSABLE] if not reply.succeeded)
        return next(itertools.chain(self.permanent, without_reply), None)


@dataclass(frozen=True)
class ClosedForAttempt:
    """What one attempt has closed for itself."""

    type: str
    """`BrowserContext`, or `APIRequestContext` alone."""
    reason: str | None
    """The text that its later calls raise."""

    def covers(self, type: str) -> bool:
        """Whether objects of this type are closed by it."""
        return self.type in (type, "BrowserContext")


class CommandRecorder:
    """The side effects of all pages, by page guid, and of the browser context, by attempt."""

    def __init__(
        self,
        context: BrowserContext,
        owner_of: Callable[[str], str | None],
        on_opened: Callable[[str, str], None],
        run_clock: Callable[[str, str, Mapping[str, Any]], Awaitable[None]],
        on_page: Callable[[str, str], Awaitable[None]],
    ) -> None:
        """`owner_of(guid)`: the attempt that has this page of the pool now, "" for none, None if it is not in the pool.

        A module's calls on pages of other attempts are refused. `on_opened(guid, attempt)` is called with each page
        that an attempt has opened by `context.new_page()`, and `on_page` before the attempt gets it.
        `run_clock(attempt, command, parameters)` runs in place of the driver's clock, which is one for all pages.
        """
        self._browser_context = context
        self._owner_of = owner_of
        self._on_opened = on_opened
        self._run_clock = run_clock
        self._on_page = on_page
        self._pages: dict[str, SideEffects] = {}
        self._context: dict[str, SideEffects] = {}
        self._closed: dict[str, ClosedForAttempt] = {}
        """What attempts have closed for themselves, by attempt."""
        self._listener_errors: dict[str, BaseException] = {}
        self._calls: dict[str, set[str]] = {}
        """The ids of calls, by attempt, of attempts that record a trace."""
        self._listeners: list[tuple[str, Callable[[], None]]] = []
        """Attempt, and what removes one of its listeners from the browser context or the browser."""
        self._send = intercept_commands(context, self._on_send)
        intercept_listeners(context, self._on_listener)
        wrap_callbacks(Callback)

    def page(self, guid: str) -> SideEffects:
        """The side effects on a page."""
        return self._pages.setdefault(guid, SideEffects())

    def forget_page(self, guid: str) -> None:
        """The page was proved clean, or is closed."""
        self._pages.pop(guid, None)

    def by_attempt(self) -> Mapping[str, SideEffects]:
        """The side effects on the browser context, by attempt."""
        return self._context

    def forget_attempt(self, attempt_id: str) -> None:
        """What the attempt left on the browser context is undone."""
        self._context.pop(attempt_id, None)
        self._closed.pop(attempt_id, None)
        self._listener_errors.pop(attempt_id, None)
        self._calls.pop(attempt_id, None)

    def calls_of(self, attempt_id: str) -> set[str]:
        """The ids of the calls that the attempt makes from now on, as a trace names them."""
        return self._calls.setdefault(attempt_id, set())

    def mark_permanent(self, guid: str, command: str) -> None:
        """The runner itself did something for an attempt that cannot be undone: the page is to be replaced."""
        if self._owner_of(guid) is not None:
            self.page(guid).permanent.append(command)

    def raise_at_next_call(self, attempt_id: str, error: BaseException) -> None:
        """The attempt's next call raises `error`, as in plain Playwright. A later error replaces an earlier one."""
        self._listener_errors[attempt_id] = error

    def take_listener_error(self, attempt_id: str) -> BaseException | None:
        """The error that no call of the attempt has raised yet."""
        return self._listener_errors.pop(attempt_id, None)

    def close_for_caller(self, type: str, reason: str | None) -> str:
        """The attempt that runs now closes its `BrowserContext`, or the `APIRequestContext` alone.

        To the attempt it is closed: what it calls from then on fails, as in plain Playwright. To all others nothing
        has happened. Returns the attempt. Raises CallRefused outside of attempts.
        """
        attempt_id = self._current_attempt(f"{type}.close")
        if not self.has_closed_context(attempt_id):
            self._closed[attempt_id] = ClosedForAttempt(type, reason)
        return attempt_id

    def has_closed_context(self, attempt_id: str) -> bool:
        """Whether the attempt has closed the browser context for itself."""
        closed = self._closed.get(attempt_id)
        return closed is not None and closed.covers("Page")

    def drop_listeners(self, attempt_id: str) -> None:
        """Remove the attempt's listeners from the browser context and the browser."""
        for owner, remove in self._listeners:
            if owner == attempt_id:
                remove()
        self._listeners = [each for each in self._listeners if each[0] != attempt_id]

    def _on_send(self, target: ChannelOwner, method: str, params: Any, options: dict[str, Any]) -> asyncio.Future[Any]:
        if OWN_WORK.get():
            return self._send(target, method, params, options)
        type = type_of(target)
        command = f"{type}.{method}"
        effect = side_effect_of(type, method, params)
        if effect is SideEffect.REFUSED:
            raise CallRefused(refusal(command))
        attempt_id = self.check_call(target, method)
        if effect is SideEffect.UNNEEDED:
            return _answered()
        if type == "BrowserContext" and method in CALLS:
            # A task of the attempt, which Tasks ends with it.
            return asyncio.ensure_future(self._run_clock(attempt_id, method, params))  # noqa: TID251 - Playwright awaits it
        if (calls := self._calls.get(attempt_id)) is not None:
            options, call_id = with_call_id(self._browser_context, options)
            calls.add(call_id)
        reply = self._send(target, method, params, options)
        if effect is not SideEffect.NOTHING:
            self._effects_for(target, method, params, attempt_id).add(effect, target, method, reply)
        elif method == "newPage":
            reply.add_done_callback(lambda done: self._on_new_page(attempt_id, done))
            return asyncio.ensure_future(self._prepared(attempt_id, reply))  # noqa: TID251 - Playwright awaits it
        elif command in side_effects.POINTS or command in side_effects.HOLDS:
            self._record_input(command, page_guid_of(target), reply)
        return reply

    def check_call(self, target: ChannelOwner, method: str) -> str:
        """The attempt that may make this call now. Raises CallRefused, and what each call of the attempt raises now."""
        type = type_of(target)
        attempt_id = self._check_owner(target, f"{type}.{method}")
        closed = self._closed.get(attempt_id)
        if closed is not None and closed.covers(type) and not method.startswith("__"):
            raise closed_error(closed.reason)
        if attempt_id in self._listener_errors and _has_caller(type, method):
            raise self._listener_errors.pop(attempt_id)
        return attempt_id

    async def _prepared(self, attempt_id: str, reply: asyncio.Future[Any]) -> Any:
        answer = await reply
        await self._on_page(opened_page_guid(answer), attempt_id)
        return answer

    def is_pooled(self, page: ChannelOwner) -> bool:
        """Whether it is a page of the pool, which other attempts have had."""
        guid = page_guid_of(page)
        return guid is not None and self._owner_of(guid) is not None

    def _record_input(self, command: str, page: str | None, reply: asyncio.Future[Any]) -> None:
        if page is None or self._owner_of(page) is None:
            # Popups are closed.
            return
        effects = self.page(page)
        if command in side_effects.POINTS:
            effects.counts[SideEffect.POINTER] += 1
        if command in side_effects.HOLDS:
            effects.counts[SideEffect.PRESSED] += 1
            reply.add_done_callback(effects.on_released)

    def _check_owner(self, target: ChannelOwner, command: str) -> str:
        """The attempt that makes this call. Raises CallRefused."""
        attempt_id = self._current_attempt(command)
        page = page_guid_of(target)
        if page is not None and self._owner_of(page) not in (attempt_id, None):
            raise CallRefused(
                f"Playwright's {command} was called on a page of another job. "
                "Use the page that the handler was given, or pages that the job opened."
            )
        return attempt_id

    @staticmethod
    def _current_attempt(command: str) -> str:
        attempt_id = CURRENT_ATTEMPT.get()
        if attempt_id is None:
            raise CallRefused(
                f"Playwright's {command} was called outside any job. Use asyncio.to_thread to start threads."
            )
        return attempt_id

    def _effects_for(self, target: ChannelOwner, method: str, params: Any, attempt_id: str) -> SideEffects:
        page = None
        if type_of(target) == "Page":
            page = page_guid_of(target)
        elif method == "newCDPSession":
            # Raw DevTools commands can do anything to their page, and are not seen here.
            page = inspected_page_guid(self._browser_context, params)
        if page is not None:
            return self.page(page)
        return self._context.setdefault(attempt_id, SideEffects())

    def _on_listener(self, remove: Callable[[], None]) -> None:
        attempt_id = CURRENT_ATTEMPT.get()
        if attempt_id is not None and not OWN_WORK.get():
            self._listeners.append((attempt_id, remove))

    def _on_new_page(self, attempt_id: str, reply: asyncio.Future[Any]) -> None:
        if not reply.cancelled() and reply.exception() is None:
            self._on_opened(opened_page_guid(reply.result()), attempt_id)


def _answered() -> asyncio.Future[Any]:
    """An empty reply, as if the driver had sent it."""
    reply: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    reply.set_result({})
    return reply


def _has_caller(type: str, method: str) -> bool:
    """Whether code of a module waits for this command. Playwright sends others on its own and drops their errors."""
    return type != "LocalUtils" and method != "updateSubscription" and not method.startswith("__")
