"""What a module must not call, and what it calls instead. docs/sdk.md lists the same; a test holds them together."""

RUNNERS_OWN = "the browser and its context belong to the runner"

NO_FILES = "it would write a file, which a module cannot read: keep bytes with helpers.artifact"

TRACE = "record with `async with helpers.trace():`"

HAR = "record with `async with helpers.har():`"

OWN_HAR = 'it is not in the module\'s package: give files(__package__) / "shop.har"'

UPLOAD = 'give the bytes: {"name": "a.csv", "mimeType": "text/csv", "buffer": data}'

INSTEAD: dict[str, str] = {
    "APIRequest.new_context": "use page.request",
    "Artifact.pathAfterFinished": "store the file with helpers.download",
    "Artifact.saveAs": "store the file with helpers.download",
    "Browser.new_context": "set the options of the context in [page] of module.toml",
    "Browser.new_page": "use page.context.new_page",
    "BrowserContext.createTempFiles": UPLOAD,
    "ElementHandle.setInputFiles": UPLOAD,
    "Frame.drop": UPLOAD,
    "Frame.setInputFiles": UPLOAD,
    "LocalUtils.harOpen": OWN_HAR,
    "LocalUtils.harUnzip": NO_FILES,
    "LocalUtils.zip": NO_FILES,
    "Page.requests": "write the call out in the module's source, as page.requests()",
    "Page.screencastStart": "leave out its path, and keep its frames with helpers.artifact",
    "Tracing.harExport": HAR,
    "Tracing.harStart": HAR,
    "Tracing.tracingStart": TRACE,
    "Tracing.tracingStartChunk": TRACE,
    "Tracing.tracingStopChunk": TRACE,
}
"""By the name in Playwright's Python interface, or, if a call has several, by the driver's command."""


def refusal(command: str) -> str:
    """The message for a call that is refused."""
    return f"A module must not call Playwright's {command}: {INSTEAD.get(command, RUNNERS_OWN)}."
