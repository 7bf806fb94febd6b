"""What each command of Playwright leaves behind, as data. Whatever a module does to a page or a context is a command
to the driver; here stands which ones outlive the document and how that is taken back. Unknown ones are assumed
to leave something that can't be taken back, so a newer Playwright errs on the safe side.

Source: the channels of Playwright's protocol (packages/protocol/src/protocol.yml).
"""

from enum import Enum, auto


class SideEffect(Enum):
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
    "keyboardUp": SideEffect.RAISED,
    "mouseDown": SideEffect.PRESSED,
    "mouseUp": SideEffect.RAISED,
    # The driver's list of a page's last requests can't be emptied, and would tell of earlier jobs.
    "requests": SideEffect.REFUSED,
    "setExtraHTTPHeaders": SideEffect.HEADERS,
    "setNetworkInterceptionPatterns": SideEffect.ROUTES,
    "setViewportSize": SideEffect.VIEWPORT,
}

CONTEXT: dict[str, SideEffect] = {
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
        SideEffect.NOTHING,
    ),
    "addInitScript": SideEffect.DISPOSABLE,
    "clearPermissions": SideEffect.PERMISSIONS,
    "close": SideEffect.REFUSED,
    "exposeBinding": SideEffect.DISPOSABLE,
    "grantPermissions": SideEffect.PERMISSIONS,
    # It opens an inspector, for which there is nobody, and the driver dies of that.
    "pause": SideEffect.REFUSED,
    "setExtraHTTPHeaders": SideEffect.HEADERS,
    "setGeolocation": SideEffect.GEOLOCATION,
    "setNetworkInterceptionPatterns": SideEffect.ROUTES,
    "setOffline": SideEffect.OFFLINE,
}

REQUESTS: dict[str, SideEffect] = {"dispose": SideEffect.REFUSED, "fetch": SideEffect.RESPONSE}

TRACING: dict[str, SideEffect] = {
    "tracingGroup": SideEffect.NOTHING,
    "tracingGroupEnd": SideEffect.NOTHING,
    "tracingStart": SideEffect.TRACING,
    "tracingStartChunk": SideEffect.TRACING,
    "tracingStop": SideEffect.NOTHING,
    "tracingStopChunk": SideEffect.NOTHING,
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


def side_effect_of(kind: str, method: str, event: str | None = None) -> SideEffect:
    """What `method` on an object of `kind` leaves. `event` is that of an `updateSubscription`."""
    if method.startswith("__"):
        return SideEffect.NOTHING
    if kind == "Page":
        if method == "updateSubscription":
            return SideEffect.DIALOGS if event == "dialog" else SideEffect.NOTHING
        return PAGE.get(method, SideEffect.STUCK)
    if kind == "BrowserContext":
        return CONTEXT.get(method, SideEffect.STUCK)
    if kind == "Tracing":
        return TRACING.get(method, SideEffect.STUCK)
    if kind == "APIRequestContext":
        return REQUESTS.get(method, SideEffect.NOTHING)
    if kind in HARMLESS:
        return SideEffect.NOTHING
    return SideEffect.REFUSED if kind in REFUSED else SideEffect.STUCK
