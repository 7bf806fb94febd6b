"""Sees every command that Playwright's client sends to its driver, and records the side effects that it leaves.

Only this file, `failure_translator.py` and `playwright_internals.py` use Playwright's private parts. `side_effects.py`
has what commands mean.
"""

import asyncio
import itertools
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from playwright._impl.browser_context import BrowserContext as ImplContext
from playwright._impl.channel_owner import ChannelOwner
from playwright._impl.connection import Connection
from playwright.async_api import BrowserContext

from pageworker_runner.errors import CallRefused
from pageworker_runner.pages import playwright_internals
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
        return f"{self.target._type}.{self.method}"

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
            self.permanent.append(f"{target._type}.{method}")

    def has(self, effect: SideEffect) -> bool:
        """Whether there is something of this kind to undo."""
        return self.counts[effect] > 0

    def first_permanent(self) -> str | None:
        """A command that cannot be undone, or one whose reply, which names what to dispose of, never came."""
        without_reply = (reply.command for reply in self.replies[SideEffect.DISPOSABLE] if not reply.succeeded)
        return next(itertools.chain(self.permanent, without_reply), None)


class CommandRecorder:
    """The side effects of all pages, by page guid, and of the browser context, by attempt."""

    def __init__(self, context: BrowserContext, owner_of: Callable[[str], str | None]) -> None:
        """`owner_of(guid)`: the attempt that has this page of the pool now, "" for none, None if it is not in the pool.

        A module sees the pages of other attempts in `page.context.pages`. Its calls on them are refused.
        """
        self._owner_of = owner_of
        impl: ImplContext = context._impl_obj
        self._impl = impl
        self._connection: Connection = impl._connection
        self._send = self._connection.send_message_to_server
        self._add_listener = impl._add_listener
        self._pages: dict[str, SideEffects] = {}
        self._context: dict[str, SideEffects] = {}
        self._listeners: list[tuple[str, str, Callable[..., Any]]] = []
        # Instance attributes hide the methods, so every caller goes through these.
        vars(self._connection)["send_message_to_server"] = self._on_send
        vars(impl)["_add_listener"] = self._on_add_listener
        playwright_internals.wrap_callbacks(Callback)

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

    def drop_listeners(self, attempt_id: str) -> None:
        """Remove the attempt's listeners from the browser context."""
        kept = []
        for owner, event, listener in self._listeners:
            if owner == attempt_id:
                self._impl.remove_listener(event, listener)
            else:
                kept.append((owner, event, listener))
        self._listeners = kept

    def _on_send(self, target: ChannelOwner, method: str, params: Any, options: dict[str, Any]) -> asyncio.Future[Any]:
        if OWN_WORK.get():
            return self._send(target, method, params, options)
        command = f"{target._type}.{method}"
        effect = side_effect_of(target._type, method, params.get("event"))
        if effect is SideEffect.REFUSED:
            raise CallRefused(
                f"A module must not call Playwright's {command}: the browser and its context belong to the runner."
            )
        attempt_id = self._check_owner(target, command)
        reply = self._send(target, method, params, options)
        if effect is not SideEffect.NOTHING:
            self._effects_for(target, method, params, attempt_id).add(effect, target, method, reply)
        return reply

    def _check_owner(self, target: ChannelOwner, command: str) -> str:
        """The attempt that makes this call. Raises CallRefused."""
        page: Any = target if target._type == "Page" else getattr(target, "_page", None)
        attempt_id = CURRENT_ATTEMPT.get()
        if attempt_id is None:
            raise CallRefused(
                f"Playwright's {command} was called outside any job. Use asyncio.to_thread to start threads."
            )
        if page is not None and self._owner_of(page._guid) not in (attempt_id, None):
            raise CallRefused(
                f"Playwright's {command} was called on a page of another job. "
                "Use the page that the handler was given, or pages that the job opened."
            )
        return attempt_id

    def _effects_for(self, target: ChannelOwner, method: str, params: Any, attempt_id: str) -> SideEffects:
        if target._type == "Page":
            return self.page(target._guid)
        if method == "newCDPSession":
            # Raw DevTools commands can do anything to their page, and are not seen here.
            reference = params.get("page") or params.get("frame") or {}
            inspected: Any = self._connection._objects.get(reference.get("guid", ""))
            page = getattr(inspected, "_page", inspected)
            if page is not None:
                return self.page(page._guid)
        return self._context.setdefault(attempt_id, SideEffects())

    def _on_add_listener(self, event: Any, listener: Callable[..., Any], prepend: bool) -> Any:
        attempt_id = CURRENT_ATTEMPT.get()
        if attempt_id is not None and not OWN_WORK.get():
            self._listeners.append((attempt_id, event, listener))
        return self._add_listener(event, listener, prepend)
