"""What may be said of an error that came out of foreign code: never a path of the host, never too much."""

import re
import traceback
from collections.abc import Iterator

MAX_MESSAGE_CHARS = 2000
MAX_FRAMES = 12
TOP_FOLDERS = "bin|boot|dev|etc|home|lib|lib64|media|mnt|opt|proc|profile|root|run|sbin|srv|sys|tmp|usr|var"
HOST_PATH = re.compile(rf"(?<![\w/:.-])/(?:{TOP_FOLDERS})(?:/[^\s'\"<>:,;)\]]*)?(?![\w])")


def redact(text: str) -> str:
    """`text` without absolute paths of a file system, cut to what a result may hold."""
    return HOST_PATH.sub("<path>", text)[:MAX_MESSAGE_CHARS]


def words(error: BaseException) -> str:
    """`str(error)`, which is foreign code."""
    try:
        return str(error)
    except BaseException as fault:  # noqa: BLE001 - foreign code: its sys.exit() would end the runner
        return f"(no text: its __str__ raised {type(fault).__name__})"


def describe(error: BaseException, label: str) -> str:
    """`ValueError: no price (shop_product/parse.py:12 in price)`: type, message, innermost line of the module."""
    said = redact(words(error))
    where = frames(error, label)
    return f"{type(error).__name__}{': ' if said else ''}{said}" + (f" ({where[-1]})" if where else "")


def frames(error: BaseException, label: str) -> list[str]:
    """The module's own lines of the traceback, outermost first, and of no other file. Source lines are left out."""
    return list(_frames(error, label))[-MAX_FRAMES:]


def _frames(error: BaseException, label: str) -> Iterator[str]:
    if isinstance(error, SyntaxError) and error.filename and error.filename.startswith(f"{label}/"):
        yield f"{error.filename.removeprefix(f'{label}/')}:{error.lineno}"
        return
    for frame, line in traceback.walk_tb(error.__traceback__):
        code = frame.f_code
        if code.co_filename.startswith(f"{label}/"):
            yield f"{code.co_filename.removeprefix(f'{label}/')}:{line} in {code.co_name}"
