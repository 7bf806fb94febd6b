"""Every private part of Playwright that pageworker uses. No other file of the product uses one.

What the public interface does not offer is read, reset or replaced here: in Playwright's client (the Python package)
and in the files of its driver. A release of Playwright may change any of it. So only the tested releases are accepted,
and `check` looks for every name at the start of a runner.
"""

import ast
import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar

import playwright
from playwright._impl import client_helper, element_handle, frame, locator, network
from playwright._impl._async_base import mapping
from playwright._impl._driver import compute_driver_executable
from playwright._impl.artifact import Artifact as Artifact
from playwright._impl.browser import Browser as ImplBrowser
from playwright._impl.browser_context import BrowserContext as ImplContext
from playwright._impl.browser_type import BrowserType
from playwright._impl.channel_owner import ApiCallOptions
from playwright._impl.channel_owner import ChannelOwner as ChannelOwner
from playwright._impl.dialog import Dialog
from playwright._impl.disposable import DisposableObject
from playwright._impl.download import Download as ImplDownload
from playwright._impl.errors import TargetClosedError
from playwright._impl.fetch import APIRequest, APIRequestContext
from playwright._impl.locator import Locator as ImplLocator
from playwright._impl.page import Page as ImplPage
from playwright._impl.selectors import Selectors
from playwright._impl.timeout_settings import TimeoutSettings
from playwright._impl.transport import PipeTransport
from playwright._repo_version import version
from playwright.async_api import BrowserContext, Download, Locator, Page, expect
from playwright.async_api import Error as BrowserError

from pageworker_runner.errors import StartError
from pageworker_runner.reporting.error_text import text_of

PAGE_PARTS = ("keyboard", "local_storage", "mouse", "screencast", "session_storage", "touchscreen", "webmcp")
"""Objects that a page has as long as it lives. Names of `Page` in the client."""

CONTEXT_PARTS = ("clock", "credentials", "debugger", "request", "tracing")
"""The same of a browser context."""

PRIVATE_NAMES: dict[str, tuple[str, ...]] = {
    "Page of the API": ("_impl_obj",),
    "BrowserContext of the API": ("_impl_obj",),
    "BrowserContext": (
        "_add_listener",
        "_bindings",
        "_browser",
        "_connection",
        "_timeout_settings",
        "remove_listener",
        *CONTEXT_PARTS,
    ),
    "Browser": ("_add_listener", "_browser_type", "remove_listener"),
    "BrowserType": ("_playwright",),
    "Playwright": ("selectors",),
    "Page": (
        "_bindings",
        "_browser_context",
        "_channel",
        "_guid",
        "_initializer",
        "_main_frame",
        "_objects",
        "_opener",
        "_timeout_settings",
        "_type",
        *PAGE_PARTS,
        "event_names",
        "raw_listeners",
        "remove_listener",
    ),
    "Frame": ("_page", "_parent_frame", "_wrap_api_call"),
    "Locator": ("_frame",),
    "APIRequestContext": ("_channel",),
    "Artifact": ("create_read_stream", "delete"),
    "Channel": ("_object",),
    "Connection": (
        "_instrumentation",
        "_next_call_id",
        "_objects",
        "_on_event_listener_error",
        "dispatch",
        "once",
        "send_message_to_server",
    ),
    "Download": ("_artifact",),
    "Tracing": ("_channel",),
    "TracingChannel": ("harExport", "harStart", "tracingStart", "tracingStartChunk", "tracingStop", "tracingStopChunk"),
    "TimeoutSettings": (
        "_navigation_timeout",
        "_parent",
        "_timeout",
        "set_default_navigation_timeout",
        "set_default_timeout",
    ),
    "ImplToApiMapping": ("wrap_handler",),
    "Error": ("_message", "_stack"),
    "expect": ("_timeout",),
    "client_helper": ("_read_file",),
    "element_handle": ("convert_input_files",),
    "frame": ("_read_file", "convert_input_files"),
    "network": ("_read_file",),
}
"""Names by the object that has them, as `check` finds them. Imports of `playwright._impl` fail by themselves."""

LIVE_STATE: dict[str, tuple[str, ...]] = {
    "": ("_events", "_events_count", "_objects", "_pending_handlers", "_pw_api_instance_", "_warned"),
    "Page": ("_frames", "_viewport_size"),
    "Frame": ("_child_frames", "_load_states", "_name", "_url"),
    "BrowserContext": ("_pages", "_service_workers"),
    "BrowserType": ("_contexts",),
    "Tracing": ("_include_sources", "_is_live"),
    "Connection": ("_callbacks",),
}
"""Attributes of the client's objects that change with each use, by the name of the object; "" has those of all. What
they hold is proved elsewhere, ends with its document, or is set anew by each use."""

SHARED_STATE = {
    "BrowserContext": ("_bindings", "_har_routers", "_routes", "_web_socket_routes"),
    "Tracing": ("_additional_sources", "_har_id", "_har_recorders", "_is_tracing", "_stacks_id"),
    "Connection": ("_tracing_count",),
}
"""What jobs that run at the same time change in objects that they share. It is undone by the end of the last one."""

CLIENT_TYPES: dict[str, type] = {
    "APIRequest": APIRequest,
    "APIRequestContext": APIRequestContext,
    "Browser": ImplBrowser,
    "BrowserContext": ImplContext,
    "BrowserType": BrowserType,
    "Page": ImplPage,
}
"""Types of the client whose methods can be intercepted."""

FILE_READERS = (client_helper, frame, network)
"""Parts of the client that read a file whose path a module gives."""

UPLOADERS = (element_handle, frame)
"""Parts of the client that upload files."""

DRIVER_BUNDLE = Path(playwright.__file__).parent / "driver/package/lib/coreBundle.js"
FEATURE_LIST = re.compile(rb"disabledFeatures = \[(.*?)\]", re.DOTALL)
CLOCK_SOURCE = re.compile(rb"""generated/clockSource\.ts"\(\) \{\s+"use strict";\s+source = ('(?:[^'\\\n]|\\.)*');""")
COMMENT = re.compile(r"//[^\n]*")

Listeners = dict[Any, list[Callable[..., Any]]]
Send = Callable[[ChannelOwner, str, Any, dict[str, Any]], asyncio.Future[Any]]
"""Target, method, parameters, options: one command to the driver. Returns its reply."""
Wrapper = TypeVar("Wrapper", Page, BrowserContext, Download)
Method = Callable[..., Awaitable[Any]]
OnMessage = Callable[[dict[str, Any]], None]


def check(context: BrowserContext) -> None:
    """Look for every name in PRIVATE_NAMES. Raises StartError."""
    if missing := missing_names(context):
        raise StartError(
            f"browser: Playwright {version} lacks private parts that pageworker uses: "
            f"{', '.join(missing)}. Install the version that requirements/run.txt names"
        )


def missing_names(context: BrowserContext) -> list[str]:
    """`Page._routes` for each name that this context and its first page do not have."""
    page = context.pages[0]
    impl = getattr(context, "_impl_obj", None)
    impl_page = getattr(page, "_impl_obj", None)
    browser = getattr(impl, "_browser", None)
    browser_type = getattr(browser, "_browser_type", None)
    owners = {
        "Page of the API": page,
        "BrowserContext of the API": context,
        "BrowserContext": impl,
        "Browser": browser,
        "BrowserType": browser_type,
        "Playwright": getattr(browser_type, "_playwright", None),
        "Page": impl_page,
        "Frame": getattr(page.main_frame, "_impl_obj", None),
        "Locator": SimpleNamespace(**dict.fromkeys(ImplLocator.__init__.__code__.co_names)),
        "APIRequestContext": getattr(impl, "request", None),
        "Artifact": Artifact,
        # No download exists yet. Its constructor sets the attribute.
        "Download": SimpleNamespace(**dict.fromkeys(ImplDownload.__init__.__code__.co_names)),
        "Tracing": getattr(impl, "tracing", None),
        "TracingChannel": getattr(getattr(impl, "tracing", None), "_channel", None),
        "Channel": getattr(getattr(impl, "request", None), "_channel", None),
        "Connection": getattr(impl, "_connection", None),
        "TimeoutSettings": getattr(impl, "_timeout_settings", None),
        "ImplToApiMapping": mapping,
        "Error": BrowserError(""),
        "expect": expect,
        "client_helper": client_helper,
        "element_handle": element_handle,
        "frame": frame,
        "network": network,
    }
    return [
        f"{owner}.{name}"
        for owner, names in PRIVATE_NAMES.items()
        for name in names
        if not hasattr(owners[owner], name)
    ]


def node_program() -> Path:
    """Playwright's own Node.js, which runs its driver."""
    node, _ = compute_driver_executable()
    return Path(node)


def disabled_features() -> tuple[str, ...]:
    """The features of Chromium that Playwright switches off. Reads its driver in 15 ms. Raises StartError."""
    found = FEATURE_LIST.search(DRIVER_BUNDLE.read_bytes())
    names = re.findall(r'"(\w+)"', COMMENT.sub("", found[1].decode())) if found else []
    if not names:
        raise StartError(
            f"browser: the installed Playwright has no list `disabledFeatures` in {DRIVER_BUNDLE.name}: "
            "install the version that requirements/run.txt names"
        )
    return tuple(names)


@cache
def clock_source() -> str:
    """The script by which the driver gives a document a clock. Reads its files in 15 ms. Raises StartError."""
    found = CLOCK_SOURCE.search(DRIVER_BUNDLE.read_bytes())
    if found is None:
        raise StartError(
            f"browser: the installed Playwright has no script of its clock in {DRIVER_BUNDLE.name}: "
            "install the version that requirements/run.txt names"
        )
    # A literal of esbuild: its escapes are those of Python.
    source: str = ast.literal_eval(found[1].decode())
    return source


def unshared(wrapper: Wrapper) -> Wrapper:
    """The same page, context or download in an object of its own, without the attributes that modules set on theirs."""
    return type(wrapper)(wrapper._impl_obj)


def guid_of(page: Page) -> str:
    """The driver's id of a page."""
    return _impl(page)._guid


def opener_of(page: Page) -> str | None:
    """Guid of the page that opened this one. That page may be closed by now."""
    opener = _impl(page)._opener
    return opener._guid if opener is not None else None


def listeners_of(page: Page) -> Listeners:
    """All listeners of a page, by event."""
    impl = _impl(page)
    return {event: impl.raw_listeners(event) for event in impl.event_names()}


def drop_listeners(page: Page, kept: Listeners) -> None:
    """Remove every listener that is not in `kept`. A removed listener that still runs is not waited for."""
    impl = _impl(page)
    for event in list(impl.event_names()):
        for listener in impl.raw_listeners(event):
            if listener not in kept.get(event, []):
                impl.remove_listener(event, listener)


class AttemptTimeouts(TimeoutSettings):
    """Stands between the timeouts of an attempt's page and those of its browser context.

    A timeout that the runner has set for the browser context is replaced, one that a module has set is not.
    """

    def __init__(self, context: TimeoutSettings, runners_ms: float, attempts_ms: float) -> None:
        super().__init__(context)
        self.runners_ms = runners_ms
        self.attempts_ms = attempts_ms

    def _timeout(self, timeout: float | None) -> float:
        return self.replaced(super()._timeout(timeout))

    def _navigation_timeout(self, timeout: float | None) -> float:
        return self.replaced(super()._navigation_timeout(timeout))

    def replaced(self, found_ms: float) -> float:
        """The attempt's, if what was found is the runner's."""
        return self.attempts_ms if found_ms == self.runners_ms else found_ms


def use_timeout(page: Page, runners_seconds: float, attempts_seconds: float) -> None:
    """Have calls of `page` end after `attempts_seconds`, where `runners_seconds` of the browser context would count.

    What a module sets for the page or the browser context counts before it.
    """
    impl = _impl(page)
    context = impl._browser_context._timeout_settings
    impl._timeout_settings._parent = AttemptTimeouts(context, 1000 * runners_seconds, 1000 * attempts_seconds)


def reset_client_state(page: Page) -> None:
    """Reset what only Playwright's client keeps: default timeouts and names of bindings."""
    impl = _impl(page)
    impl._timeout_settings._parent = impl._browser_context._timeout_settings
    impl._timeout_settings.set_default_timeout(None)
    impl._timeout_settings.set_default_navigation_timeout(None)
    impl._bindings.clear()


def clear_context_bindings(context: BrowserContext) -> None:
    """Forget the names of bindings. The driver has disposed of the bindings themselves."""
    context._impl_obj._bindings.clear()


def reset_context_timeouts(context: BrowserContext, timeout_seconds: float) -> None:
    """Set the default timeout of all pages, which only Playwright's client keeps."""
    settings = context._impl_obj._timeout_settings
    settings.set_default_timeout(timeout_seconds * 1000)
    settings.set_default_navigation_timeout(None)


def public_page_objects(page: Page) -> dict[str, object]:
    """The page and its parts as modules see them, by name."""
    impl = _impl(page)
    parts = {f"page.{name}": mapping.from_impl(getattr(impl, name)) for name in PAGE_PARTS}
    return {"page": page, "page.main_frame": page.main_frame, **parts}


def client_page_objects(page: Page) -> dict[str, object]:
    """The page and its parts in the client, by name."""
    impl = _impl(page)
    parts = {f"Page.{name}": getattr(impl, name) for name in PAGE_PARTS}
    return {"Page": impl, "Frame": impl._main_frame, "TimeoutSettings": impl._timeout_settings, **parts}


def public_context_objects(context: BrowserContext) -> dict[str, object]:
    """The browser context and what belongs to it as modules see them, by name."""
    impl = context._impl_obj
    browser = mapping.from_impl(impl._browser)
    parts = {f"page.context.{name}": mapping.from_impl(getattr(impl, name)) for name in CONTEXT_PARTS}
    return {"page.context": mapping.from_impl(impl), "browser": browser, **parts}


def client_context_objects(context: BrowserContext) -> dict[str, object]:
    """The browser context and what belongs to it in the client, by name."""
    impl = context._impl_obj
    browser: Any = impl._browser
    return {
        "BrowserContext": impl,
        **{f"BrowserContext.{name}": getattr(impl, name) for name in CONTEXT_PARTS if name != "tracing"},
        "Tracing": impl.tracing,
        "Browser": browser,
        "BrowserType": browser._browser_type,
        "Playwright": browser._browser_type._playwright,
        "Selectors": browser._browser_type._playwright.selectors,
        "Connection": impl._connection,
        "ClientInstrumentation": impl._connection._instrumentation,
    }


def has_open_dialog(page: Page) -> bool:
    """Whether a dialog of this page waits for an answer."""
    return bool(_open_dialogs(page))


async def dismiss_dialogs(page: Page) -> None:
    """Close the dialogs that wait for an answer. Raises Playwright's Error."""
    for dialog in _open_dialogs(page):
        await dialog.dismiss()


def _open_dialogs(page: Page) -> list[Dialog]:
    return [child for child in _impl(page)._objects.values() if isinstance(child, Dialog)]


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


def intercept_listeners(context: BrowserContext, on_added: Callable[[Callable[[], None]], None]) -> None:
    """Call `on_added` for every new listener of the browser context and its browser, with what removes it."""

    def intercept(emitter: Any) -> None:
        plain = emitter._add_listener

        def add(event: Any, listener: Callable[..., Any], prepend: bool) -> Any:
            on_added(lambda: emitter.remove_listener(event, listener))
            return plain(event, listener, prepend)

        vars(emitter)["_add_listener"] = add

    intercept(context._impl_obj)
    intercept(context._impl_obj._browser)


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


def first_url_of(request: ChannelOwner) -> str:
    """The address that a request was made for."""
    url: str = request._initializer["url"]
    return url


def is_main_frame(frame: Any) -> bool:
    """Whether the client's frame is its page's own."""
    return frame._parent_frame is None


def main_frame_of(page: Page) -> ChannelOwner:
    """The client's main frame of a page."""
    return _impl(page)._main_frame


def frame_guid_of(target: Any) -> str:
    """Id of the frame that a navigation's command goes to: the frame itself, or a page's main frame."""
    guid: str = (target._main_frame if target._type == "Page" else target)._guid
    return guid


def reword(error: BrowserError, text: str) -> None:
    """Give an error of the driver another text."""
    error._message = text
    error._stack = text
    error.args = (text,)


async def unrecorded(locator: Locator, title: str, calls: Callable[[], Awaitable[None]]) -> None:
    """Make calls as Playwright makes its own: no trace has their parameters or their log. Errors begin with `title`."""
    frame = locator._impl_obj._frame
    await frame._wrap_api_call(lambda _: calls(), ApiCallOptions(title=title, internal=True))


def intercept_method(type: str, method: str, around: Callable[[Method], Method]) -> None:
    """Replace a method of all objects of a type by `around(method)`, for the rest of the process."""
    kind = CLIENT_TYPES[type]
    setattr(kind, method, around(getattr(kind, method)))


def intercept_driver_start(instead: Method) -> None:
    """Have every later start of a driver call `instead`."""
    setattr(PipeTransport, "connect", instead)  # noqa: B010 - mypy refuses to assign to a method


def intercept_pages(is_shown: Callable[[str], bool]) -> None:
    """Leave pages for whose guid `is_shown` is false out of `context.pages`, for the rest of the process."""
    plain: Callable[[ImplContext], list[ImplPage]] = vars(ImplContext)["pages"].fget

    def pages(context: ImplContext) -> list[ImplPage]:
        return [page for page in plain(context) if is_shown(page._guid)]

    setattr(ImplContext, "pages", property(pages))  # noqa: B010 - mypy refuses to assign to a property


def intercept_expect_timeout(read: Callable[[], float | None], write: Callable[[float | None], None]) -> None:
    """Have `expect` keep its timeout elsewhere, for the rest of the process."""
    setattr(type(expect), "_timeout", property(lambda _: read(), lambda _, timeout: write(timeout)))  # noqa: B010 - as above


def intercept_test_id_attribute(read: Callable[[], str], write: Callable[[str], None]) -> None:
    """Have `get_by_test_id` ask `read` for its attribute, and the client's setter call `write`, from now on.

    The driver has the attribute as well, for the code that it generates only.
    """
    for module in (frame, locator):
        vars(module)["test_id_attribute_name"] = read

    def set_test_id_attribute(selectors: Selectors, attribute_name: str) -> None:
        write(attribute_name)

    setattr(Selectors, "set_test_id_attribute", set_test_id_attribute)  # noqa: B010 - mypy refuses to assign to a method


def intercept_file_reads(find: Callable[[Any], bytes | None]) -> None:
    """Have `path=` of scripts, styles and answers take the bytes of `find(path)`, unless that is None."""
    for module in FILE_READERS:
        decoded = module is client_helper

        async def read(path: Any, plain: Method = vars(module)["_read_file"], decoded: bool = decoded) -> Any:
            data = find(path)
            if data is None:
                return await plain(path)
            return data.decode() if decoded else data

        vars(module)["_read_file"] = read


def intercept_uploads(change: Callable[[Any], Any]) -> None:
    """Have `set_input_files` and `set_files` upload `change(files)`."""
    for module in UPLOADERS:

        async def convert(files: Any, context: Any, plain: Method = vars(module)["convert_input_files"]) -> Any:
            return await plain(change(files), context)

        vars(module)["convert_input_files"] = convert


def closed_error(reason: str | None) -> BrowserError:
    """What every call raises once the browser context is closed, with the `reason` that the closing call gave."""
    return TargetClosedError(reason) if reason else TargetClosedError()


def type_of(target: ChannelOwner) -> str:
    """The driver's name of an object's type: `Page`."""
    return target._type


def page_guid_of(target: ChannelOwner) -> str | None:
    """Guid of the page that an object is, or belongs to. None: it belongs to no page."""
    owner: Any = getattr(target, "_frame", target)
    page: Any = owner if owner._type == "Page" else getattr(owner, "_page", None)
    return None if page is None else page._guid


def inspected_page_guid(context: BrowserContext, params: Any) -> str | None:
    """Guid of the page that a `newCDPSession` with these parameters inspects."""
    reference = params.get("page") or params.get("frame") or {}
    inspected = context._impl_obj._connection._objects.get(reference.get("guid", ""))
    return None if inspected is None else page_guid_of(inspected)


def opened_page_guid(reply: dict[str, Any]) -> str:
    """Guid of the page in the driver's reply to a `newPage`."""
    guid: str = reply["page"]._object._guid
    return guid


def response_headers(reply: dict[str, Any] | None) -> list[dict[str, str]]:
    """The headers in the driver's reply to a navigation: `{"name": …, "value": …}` each."""
    response = (reply or {}).get("response")
    headers: list[dict[str, str]] = response._object._initializer["headers"] if response is not None else []
    return headers


def report_listener_errors(context: BrowserContext, report: Callable[[BaseException], None]) -> None:
    """Pass errors of event listeners to `report`. By default the next call raises them, in whatever job it is."""
    vars(context._impl_obj._connection)["_on_event_listener_error"] = report


def wrap_callbacks(wrap: Callable[[Callable[..., Any], Callable[..., Any]], Callable[..., Any]]) -> None:
    """Replace every callback that is passed to Playwright by `wrap(callback, the callback as Playwright calls it)`."""
    plain = mapping.wrap_handler
    vars(mapping)["wrap_handler"] = lambda handler: wrap(handler, plain(handler))


def is_closed_error(error: BaseException) -> bool:
    """Whether a call failed because its page, browser context or browser is gone."""
    return isinstance(error, TargetClosedError) or "Target crashed" in text_of(error)


async def dispose(reply: dict[str, Any]) -> None:
    """Undo a command that the driver answered with a disposable object: an init script, a binding."""
    owner: DisposableObject = reply["disposable"]._object
    await owner.dispose()


async def drop_response(requests: ChannelOwner, reply: dict[str, Any]) -> None:
    """Have the driver delete the body of a response to `page.request`."""
    if isinstance(requests, APIRequestContext):
        await requests._channel.disposeAPIResponse(fetchUid=reply["response"]["fetchUid"])


def artifact_of(download: Download) -> Artifact:
    """The driver's file of a download."""
    artifact: Artifact = download._impl_obj._artifact
    return artifact


async def chunks_of(artifact: Artifact) -> AsyncIterator[bytes]:
    """The bytes of a file of the driver, once it is finished, in chunks of at most 1 MiB. Raises Playwright's Error.

    The driver reads the file: this process may not. Leaving the iteration ends the stream.
    """
    stream = await artifact.create_read_stream()
    try:
        async for chunk in stream:
            yield chunk
    finally:
        stream.destroy()


async def start_har(page: Page, path: str, *, bodies: bool, url: str | None) -> str:
    """Begin to record a HAR of this page alone. Returns its id. The driver writes it to `path` when it is exported.

    The client's own `tracing.start_har` records all pages of the browser context.
    """
    options = {"content": "embed" if bodies else "omit", "mode": "full", "harPath": path, "urlGlob": url}
    reply = await _tracing(page.context).harStart(page=_impl(page)._channel, options=options)
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


def with_call_id(context: BrowserContext, options: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """The options of a command with an id of its own, by which a trace names its call, and this id."""
    call_id: str = context._impl_obj._connection._next_call_id()
    return {**options, "call_id": call_id}, call_id


def _tracing(context: BrowserContext) -> Any:
    return context._impl_obj.tracing._channel


def _impl(page: Page) -> ImplPage:
    impl: ImplPage = page._impl_obj
    return impl
