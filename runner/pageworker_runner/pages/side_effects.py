"""Which side effect each command of Playwright leaves, as data. No I/O.

Everything that a module does to a page or a browser context is a command to Playwright's driver. The tables say which
commands outlive the document, and how they are undone. A command that is not in a table counts as PERMANENT, so a
newer Playwright only costs replaced pages.

Source: the channels of Playwright's protocol (packages/protocol/src/protocol.yml).
"""

import re
from collections.abc import Mapping
from enum import Enum, auto
from types import MappingProxyType
from typing import Any

NO_PARAMETERS: Mapping[str, Any] = MappingProxyType({})


class SideEffect(Enum):
    """What a command leaves on a page or a browser context."""

    NOTHING = auto()
    """It ends with the document, or it is state that a profile is meant to keep (cookies, storage)."""
    ROUTES = auto()
    HEADERS = auto()
    MEDIA = auto()
    VIEWPORT = auto()
    GEOLOCATION = auto()
    PERMISSIONS = auto()
    OFFLINE = auto()
    DISPOSABLE = auto()
    """The driver answers with an object whose disposal undoes the command: init scripts, bindings."""
    RESPONSE = auto()
    """The driver keeps the body of a response to `page.request` until it is disposed of."""
    DIALOGS = auto()
    """The module listens for dialogs, so Playwright does not close them: one may be open."""
    PRESSED = auto()
    """A key or mouse button is held down."""
    RELEASED = auto()
    """A key or mouse button is released: it undoes one PRESSED."""
    POINTER = auto()
    """The mouse pointer is somewhere else."""
    PERMANENT = auto()
    """It cannot be undone. The page is replaced; on a browser context, the runner is retired."""
    UNNEEDED = auto()
    """It ends what no module can begin. The runner answers it, and the driver does not get it."""
    REFUSED = auto()
    """A module must not do this: the call raises CallRefused."""


PAGE: dict[str, SideEffect] = {
    **dict.fromkeys(
        (
            "bringToFront",
            "cancelPickLocator",
            "clearConsoleMessages",
            "clearPageErrors",
            "close",
            "consoleMessages",
            "expectScreenshot",
            "goBack",
            "goForward",
            "hideHighlight",
            "keyboardInsertText",
            "keyboardPress",
            "keyboardType",
            "mouseClick",
            "mouseMove",
            "mouseWheel",
            "pageErrors",
            "pdf",
            "reload",
            "requestGC",
            "resolveLocatorHandlerNoReply",
            "runBeforeUnload",
            "screencastFrameAck",
            "screenshot",
            "touchscreenTap",
            "unregisterLocatorHandler",
            "webStorageClear",
            "webStorageGetItem",
            "webStorageItems",
            "webStorageRemoveItem",
            "webStorageSetItem",
        ),
        SideEffect.NOTHING,
    ),
    "addInitScript": SideEffect.DISPOSABLE,
    "emulateMedia": SideEffect.MEDIA,
    "exposeBinding": SideEffect.DISPOSABLE,
    "keyboardDown": SideEffect.PRESSED,
    "keyboardUp": SideEffect.RELEASED,
    "mouseDown": SideEffect.PRESSED,
    "mouseUp": SideEffect.RELEASED,
    # The driver's list of a page's last requests cannot be emptied, and contains those of earlier jobs. `page.requests`
    # does not send it for pages of the pool.
    "requests": SideEffect.REFUSED,
    "setExtraHTTPHeaders": SideEffect.HEADERS,
    "setNetworkInterceptionPatterns": SideEffect.ROUTES,
    "setViewportSize": SideEffect.VIEWPORT,
}

HOLDS = frozenset(
    (
        *(f"Page.{method}" for method in ("keyboardPress", "keyboardType", "mouseClick")),
        *(
            f"{type}.{method}"
            for type in ("ElementHandle", "Frame")
            for method in ("check", "click", "dblclick", "press", "type", "uncheck")
        ),
        "Frame.dragAndDrop",
    )
)
"""Commands that press keys or buttons, and release them before they are answered. An aborted one may not."""

POINTS = frozenset(
    (
        *(f"Page.{method}" for method in ("mouseClick", "mouseMove")),
        *(
            f"{type}.{method}"
            for type in ("ElementHandle", "Frame")
            for method in ("check", "click", "dblclick", "hover", "uncheck")
        ),
        "Frame.dragAndDrop",
    )
)
"""Commands that move the mouse pointer."""

CONTEXT: dict[str, SideEffect] = {
    **dict.fromkeys(
        (
            "addCookies",
            "clearCookies",
            "cookies",
            "newPage",
            "setStorageState",
            "storageState",
            "updateSubscription",
        ),
        SideEffect.NOTHING,
    ),
    "addInitScript": SideEffect.DISPOSABLE,
    "clearPermissions": SideEffect.PERMISSIONS,
    "close": SideEffect.REFUSED,
    "exposeBinding": SideEffect.DISPOSABLE,
    "grantPermissions": SideEffect.PERMISSIONS,
    # It opens Playwright's inspector, which needs a display: the driver ends. `page.pause` does not send it.
    "pause": SideEffect.REFUSED,
    "setExtraHTTPHeaders": SideEffect.HEADERS,
    "setGeolocation": SideEffect.GEOLOCATION,
    "setNetworkInterceptionPatterns": SideEffect.ROUTES,
    "setOffline": SideEffect.OFFLINE,
}

ARTIFACT: dict[str, SideEffect] = {
    **dict.fromkeys(("cancel", "delete", "failure", "saveAsStream", "stream"), SideEffect.NOTHING),
    # A path of the sandbox is of no use to a module, and the driver would write into its profile.
    "pathAfterFinished": SideEffect.REFUSED,
    "saveAs": SideEffect.REFUSED,
}

REQUESTS: dict[str, SideEffect] = {"dispose": SideEffect.REFUSED, "fetch": SideEffect.RESPONSE}

# By these the driver opens a file that the module names. What it writes, a later job could upload. What it reads may be
# the recording of another job.
LOCAL_UTILS: dict[str, SideEffect] = dict.fromkeys(("harOpen", "harUnzip", "zip"), SideEffect.REFUSED)

# A trace and a HAR of the client are files, and hold what other jobs do in the same browser context. A trace that is
# recorded is one of `helpers.trace`, perhaps of another job: `tracing.stop` must not end it.
TRACING: dict[str, SideEffect] = {
    **dict.fromkeys(
        ("harExport", "harStart", "tracingStart", "tracingStartChunk", "tracingStopChunk"),
        SideEffect.REFUSED,
    ),
    "tracingStop": SideEffect.UNNEEDED,
    "tracingGroup": SideEffect.NOTHING,
    "tracingGroupEnd": SideEffect.NOTHING,
}

LOCAL_FILES = ("localDirectory", "localPaths")
"""Parameters by which the driver reads files for an upload."""

HARMLESS = frozenset(
    (
        "BindingCall",
        "CDPSession",
        "Dialog",
        "Disposable",
        "ElementHandle",
        "Frame",
        "JSHandle",
        "JsonPipe",
        "Request",
        "Response",
        "Route",
        "Stream",
        "WebSocket",
        "WebSocketRoute",
        "Worker",
        "WritableStream",
    )
)
"""Types of object whose commands end with the document."""

REFUSED = frozenset(("Android", "Browser", "BrowserType", "Electron"))
"""Types of object that only the runner uses. A module works in the browser context that it was given."""


PASSWORD = re.compile(r"\s*[a-z]+:/*[^/?#]*@", re.IGNORECASE)
"""An address with a user. The browser sends it to that host from then on, and nothing but its end makes it forget."""


def leaves_its_folder(name: Any) -> bool:
    """Whether the driver, which takes the last part of a folder's name, would leave the folder of an upload."""
    text = str(name or "upload")
    return text.startswith("/") or text.rstrip("/").rpartition("/")[2] in (".", "..")


def side_effect_of(type: str, method: str, params: Mapping[str, Any] = NO_PARAMETERS) -> SideEffect:
    """What `method` on an object of `type` leaves, with the command's parameters."""
    if method.startswith("__"):
        return SideEffect.NOTHING
    if any(params.get(name) for name in LOCAL_FILES):
        # The driver could read files that no code of a module can: of other jobs, of the browser.
        return SideEffect.REFUSED
    if method == "createTempFiles" and leaves_its_folder(params.get("rootDirName")):
        # The folder above holds the downloads and recordings of all jobs.
        return SideEffect.REFUSED
    if method == "goto" and PASSWORD.match(str(params.get("url"))):
        return SideEffect.PERMANENT
    if type == "Page":
        if method == "updateSubscription":
            return SideEffect.DIALOGS if params.get("event") == "dialog" else SideEffect.NOTHING
        if method == "screencastStart" and params.get("record"):
            # The driver writes a video.
            return SideEffect.REFUSED
        return PAGE.get(method, SideEffect.PERMANENT)
    if type == "BrowserContext":
        return CONTEXT.get(method, SideEffect.PERMANENT)
    if type == "Tracing":
        if method == "tracingStopChunk" and params.get("mode") == "discard":
            return SideEffect.UNNEEDED
        return TRACING.get(method, SideEffect.PERMANENT)
    if type == "LocalUtils":
        return LOCAL_UTILS.get(method, SideEffect.NOTHING)
    if type == "Artifact":
        return ARTIFACT.get(method, SideEffect.PERMANENT)
    if type == "APIRequestContext":
        return REQUESTS.get(method, SideEffect.NOTHING)
    if type in HARMLESS:
        return SideEffect.NOTHING
    return SideEffect.REFUSED if type in REFUSED else SideEffect.PERMANENT
