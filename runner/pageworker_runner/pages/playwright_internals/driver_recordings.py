"""HAR archives and traces, as the driver records them, and calls that no trace records."""

from collections.abc import Awaitable, Callable
from typing import Any

from playwright._impl.artifact import Artifact
from playwright._impl.channel_owner import ApiCallOptions
from playwright.async_api import BrowserContext, Locator, Page

from pageworker_runner.pages.playwright_internals.client_objects import impl_of


async def start_har(page: Page, path: str, *, bodies: bool, url: str | None) -> str:
    """Begin to record a HAR of this page alone. Returns its id. The driver writes it to `path` when it is exported.

    The client's own `tracing.start_har` records all pages of the browser context.
    """
    options = {"content": "embed" if bodies else "omit", "mode": "full", "harPath": path, "urlGlob": url}
    reply = await _tracing(page.context).harStart(page=impl_of(page)._channel, options=options)
    har_id: str = reply["harId"]
    return har_id


async def export_har(context: BrowserContext, har_id: str) -> Artifact:
    """End a HAR. Returns the driver's zip of it, which the caller deletes."""
    reply = await _tracing(context).harExport(harId=har_id, mode="archive")
    artifact: Artifact = reply["artifact"]._object
    return artifact


async def empty_har(context: BrowserContext, path: str) -> None:
    """Write a HAR without entries to `path`: the driver cannot delete the one that it has written there."""
    options = {"content": "omit", "mode": "minimal", "harPath": path, "urlGlob": "about:nothing"}
    reply = await _tracing(context).harStart(page=None, options=options)
    await _tracing(context).harExport(harId=reply["harId"], mode="entries")


async def start_trace(context: BrowserContext, *, snapshots: bool, screenshots: bool) -> None:
    """Begin to record a trace of all pages, in place of one that was not stopped.

    Not through the client: its `tracing.start` also marks the connection, which all jobs share.
    """
    tracing = _tracing(context)
    await tracing.tracingStop()
    given = dict.fromkeys(("name", "snapshotAria", "snapshotScreen", "coverage", "live"))
    await tracing.tracingStart(**given, snapshotDom=snapshots, screencast=screenshots)
    await tracing.tracingStartChunk(name=None, title=None)


async def stop_trace(context: BrowserContext) -> Artifact:
    """End the trace. Returns the driver's zip of it, which the caller deletes."""
    reply = await _tracing(context).tracingStopChunk(mode="archive")
    await _tracing(context).tracingStop()
    artifact: Artifact = reply["artifact"]._object
    return artifact


async def drop_trace(context: BrowserContext) -> None:
    """End the trace. Nothing is kept of it."""
    await _tracing(context).tracingStopChunk(mode="discard")
    await _tracing(context).tracingStop()


def with_call_id(context: BrowserContext, options: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """The options of a command with an id of its own, by which a trace names its call, and this id."""
    call_id: str = context._impl_obj._connection._next_call_id()
    return {**options, "call_id": call_id}, call_id


async def unrecorded(locator: Locator, title: str, calls: Callable[[], Awaitable[None]]) -> None:
    """Make calls as Playwright makes its own: no trace has their parameters or their log. Errors begin with `title`."""
    frame = locator._impl_obj._frame
    await frame._wrap_api_call(lambda _: calls(), ApiCallOptions(title=title, internal=True))


def _tracing(context: BrowserContext) -> Any:
    return context._impl_obj.tracing._channel
