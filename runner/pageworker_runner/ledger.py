"""What each command of Playwright leaves behind, as data. Whatever a module does to a page or a context is a command
to the driver; here stands which ones outlive the document and how that is taken back. Unknown ones are assumed
to leave something that can't be taken back, so a newer Playwright errs on the safe side.

Source: the channels of Playwright's protocol (packages/protocol/src/protocol.yml).
"""

from enum import Enum, auto


class Mark(Enum):
    """What a command leaves on a page or a context."""

    NOTHING = auto()
    """Gone with the document, or a profile's rightful state (cookies, storage)."""
    ROUTES = auto()
    HEADERS = auto()
    MEDIA = auto()
    VIEWPORT = auto()
    GEOLOCATION = auto()
    PERMISSIONS = auto()
    OFFLINE = auto()
    TRACING = auto()
    DISPOSABLE = auto()
    """The driver answered with an object whose disposal takes it back: init scripts, bindings."""
    RESPONSE = auto()
    """The driver keeps the body of a response to `page.request` until it is told to drop it."""
    DIALOGS = auto()
    """A dialog may stand open, since somebody listened for dialogs."""
    PRESSED = auto()
    """A key or button went down."""
    RAISED = auto()
    """A key or button went up: takes one PRESSED back."""
    STUCK = auto()
    """Can't be taken back: the page is replaced; on a context, the runner is retired."""
    REFUSED = auto()
    """Not a module's to do: the call raises."""


PAGE: dict[str, Mark] = {
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
        Mark.NOTHING,
    ),
    "addInitScript": Mark.DISPOSABLE,
    "emulateMedia": Mark.MEDIA,
    "exposeBinding": Mark.DISPOSABLE,
    "keyboardDown": Mark.PRESSED,
    "keyboardUp": Mark.RAISED,
    "mouseDown": Mark.PRESSED,
    "mouseUp": Mark.RAISED,
    # The driver's list of a page's last requests can't be emptied, and would tell of earlier jobs.
    "requests": Mark.REFUSED,
    "setExtraHTTPHeaders": Mark.HEADERS,
    "setNetworkInterceptionPatterns": Mark.ROUTES,
    "setViewportSize": Mark.VIEWPORT,
}

CONTEXT: dict[str, Mark] = {
    **dict.fromkeys(
        (
            "addCookies",
            "clearCookies",
            "cookies",
            "createTempFiles",
            "newPage",
            "setStorageState",
            "storageState",
            "updateSubscription",
        ),
        Mark.NOTHING,
    ),
    "addInitScript": Mark.DISPOSABLE,
    "clearPermissions": Mark.PERMISSIONS,
    "close": Mark.REFUSED,
    "exposeBinding": Mark.DISPOSABLE,
    "grantPermissions": Mark.PERMISSIONS,
    # It opens an inspector, for which there is nobody, and the driver dies of that.
    "pause": Mark.REFUSED,
    "setExtraHTTPHeaders": Mark.HEADERS,
    "setGeolocation": Mark.GEOLOCATION,
    "setNetworkInterceptionPatterns": Mark.ROUTES,
    "setOffline": Mark.OFFLINE,
}

REQUESTS: dict[str, Mark] = {"dispose": Mark.REFUSED, "fetch": Mark.RESPONSE}

TRACING: dict[str, Mark] = {
    "tracingGroup": Mark.NOTHING,
    "tracingGroupEnd": Mark.NOTHING,
    "tracingStart": Mark.TRACING,
    "tracingStartChunk": Mark.TRACING,
    "tracingStop": Mark.NOTHING,
    "tracingStopChunk": Mark.NOTHING,
}

HARMLESS = frozenset(
    (
        "Artifact",
        "BindingCall",
        "CDPSession",
        "Dialog",
        "Disposable",
        "ElementHandle",
        "Frame",
        "JSHandle",
        "JsonPipe",
        "LocalUtils",
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
"""Kinds of object whose commands end with the document."""

REFUSED = frozenset(("Android", "Browser", "BrowserType", "Electron"))
"""Kinds of object that are the host's alone: a module works in the context it was given."""


def mark_of(kind: str, method: str, event: str | None = None) -> Mark:
    """What `method` on an object of `kind` leaves. `event` is that of an `updateSubscription`."""
    if method.startswith("__"):
        return Mark.NOTHING
    if kind == "Page":
        if method == "updateSubscription":
            return Mark.DIALOGS if event == "dialog" else Mark.NOTHING
        return PAGE.get(method, Mark.STUCK)
    if kind == "BrowserContext":
        return CONTEXT.get(method, Mark.STUCK)
    if kind == "Tracing":
        return TRACING.get(method, Mark.STUCK)
    if kind == "APIRequestContext":
        return REQUESTS.get(method, Mark.NOTHING)
    if kind in HARMLESS:
        return Mark.NOTHING
    return Mark.REFUSED if kind in REFUSED else Mark.STUCK
