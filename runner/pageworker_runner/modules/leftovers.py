"""What Python keeps of a bundle that was imported, beside `sys.modules`: with it, the globals of 64 versions stayed.

- `typing` remembers its last 128 arguments. `Optional[Row]` keeps the class Row, and its methods keep their globals.
- `logging` keeps each logger for ever. A logger keeps its handlers.
- `linecache` keeps the source of each file that was named in a traceback.
"""

import linecache
import logging
import typing


def drop_leftovers(package: str) -> None:
    """Empty the caches, and take away the loggers of `package`, which is unloaded. What is still used comes back."""
    # The only way to empty them. CPython's own tests do it to find leaks: Lib/test/libregrtest/utils.py, clear_caches.
    for clear in typing._cleanups:  # type: ignore[attr-defined] # the stubs of typing leave it out
        clear()
    linecache.clearcache()
    loggers = logging.root.manager.loggerDict
    top = package.partition(".")[0]
    # A copy: threads of jobs may make loggers meanwhile.
    for name in list(loggers):
        if name == package or name.startswith(f"{package}."):
            loggers.pop(name, None)
    # It lists the loggers below it. It serves only a logger of this name, and none is ever made.
    if isinstance(loggers.get(top), logging.PlaceHolder):
        loggers.pop(top, None)
