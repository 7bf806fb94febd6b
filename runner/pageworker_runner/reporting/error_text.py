"""Text of errors that foreign code raised, made fit for results: bounded, and without paths of the host."""

import inspect
import re
import traceback
from collections.abc import Iterator
from types import CodeType

MAX_MESSAGE_CHARS = 2000
MAX_FRAMES = 12
PLAYWRIGHT_API = "/playwright/async_api/_generated.py"
"""The file with the methods that modules call."""
FOLDERS = (
    "dev/shm|etc|opt/pageworker|proc|profile|root|sys|tmp"
    "|usr/(?:bin|lib|lib64|libexec|local|sbin|share)|var/(?:lib|run|tmp)"
)
"""The folders that a sandbox has. A path of a shop, such as `/home/offers`, is none of them."""
HOST_PATH = re.compile(rf"(?<![\w/:.-])/(?:{FOLDERS})(?:/[^\s'\"<>:,;)\]]*)?(?![\w])")


def redact(text: str) -> str:
    """`text` with `<path>` for every absolute path of a file system, cut to MAX_MESSAGE_CHARS."""
    return HOST_PATH.sub("<path>", text)[:MAX_MESSAGE_CHARS]


def text_of(error: BaseException) -> str:
    """`str(error)`. Its `__str__` is foreign code, so it may raise anything."""
    try:
        return str(error)
    except BaseException as fault:  # noqa: BLE001 - foreign code: its sys.exit() would end the runner
        return f"(no text: its __str__ raised {type(fault).__name__})"


def describe(error: BaseException, label: str) -> str:
    """`ValueError: no price (shop_product/parse.py:12 in price)`: type, message, innermost line of module `label`."""
    text = redact(text_of(error))
    lines = frames(error, label)
    return f"{type(error).__name__}{': ' if text else ''}{text}" + (f" ({lines[-1]})" if lines else "")


def frames(error: BaseException, label: str) -> list[str]:
    """The traceback's lines in files of module `label`, outermost first, without source text. At most MAX_FRAMES."""
    return list(_frames(error, label))[-MAX_FRAMES:]


def calling_line(label: str) -> str | None:
    """`shop_product/parse.py:12 in price`: the innermost line of module `label` that runs now. None: none runs."""
    stack = traceback.walk_stack(inspect.currentframe())
    return next((line for frame, at in stack if (line := _line(frame.f_code, at, label))), None)


def playwright_call(error: BaseException) -> str | None:
    """`Page.wait_for_selector`: the call of Playwright's public interface that raised this error, or was cancelled."""
    for frame, _ in reversed(list(traceback.walk_tb(error.__traceback__))):
        if frame.f_code.co_filename.endswith(PLAYWRIGHT_API):
            return f"{type(frame.f_locals.get('self')).__name__}.{frame.f_code.co_name}"
    return None


def _frames(error: BaseException, label: str) -> Iterator[str]:
    if isinstance(error, SyntaxError) and error.filename and error.filename.startswith(f"{label}/"):
        yield f"{error.filename.removeprefix(f'{label}/')}:{error.lineno}"
        return
    for frame, at in traceback.walk_tb(error.__traceback__):
        if line := _line(frame.f_code, at, label):
            yield line


def _line(code: CodeType, line: int, label: str) -> str | None:
    if not code.co_filename.startswith(f"{label}/"):
        return None
    return f"{code.co_filename.removeprefix(f'{label}/')}:{line} in {code.co_name}"
