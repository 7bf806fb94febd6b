"""The connection to the driver: commands to it, messages from it, its end."""

import asyncio
from collections.abc import Callable
from typing import Any

from playwright._impl.channel_owner import ChannelOwner
from playwright.async_api import BrowserContext, CDPSession

Send = Callable[[ChannelOwner, str, Any, dict[str, Any]], asyncio.Future[Any]]
"""Target, method, parameters, options: one command to the driver. Returns its reply."""

OnMessage = Callable[[dict[str, Any]], None]


def watch_driver(context: BrowserContext, on_end: Callable[[], None]) -> None:
    """Call `on_end` when the connection to the driver ends."""
    context._impl_obj._connection.once("close", lambda *_: on_end())


def intercept_commands(context: BrowserContext, instead: Send) -> Send:
    """Have the client call `instead` for every command. Returns what sends a command."""
    connection = context._impl_obj._connection
    plain: Send = connection.send_message_to_server
    # An instance attribute hides the method, so every caller goes through it.
    vars(connection)["send_message_to_server"] = instead
    return plain


def intercept_messages(context: BrowserContext, instead: OnMessage) -> OnMessage:
    """Have every message of the driver go to `instead`. Returns what reads it otherwise."""
    connection = context._impl_obj._connection
    plain: OnMessage = connection.dispatch
    # An instance attribute hides the method, so every caller goes through this one.
    vars(connection)["dispatch"] = instead
    return plain


def object_of(context: BrowserContext, guid: str) -> ChannelOwner:
    """The client's object of this id: a frame, a request. Raises KeyError."""
    found: ChannelOwner = context._impl_obj._connection._objects[guid]
    return found


def command_soon(devtools: CDPSession, method: str, params: dict[str, Any]) -> asyncio.Future[Any]:
    """Send a DevTools command now, and return its reply. No task is started, and no stack is read, as `send` does.

    Raises Playwright's Error once the connection is closed.
    """
    session = devtools._impl_obj
    command = {"method": method, "params": params, "timeout": 0}
    reply: asyncio.Future[Any] = session._connection.send_message_to_server(session, "send", command, {})
    return reply
