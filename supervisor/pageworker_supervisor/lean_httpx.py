"""httpx without its command line, which imports rich and pygments: 40 ms of processor time in every process.

Import httpx from here. Source: httpx/__init__.py, which goes without `httpx._main` on ImportError.
"""

import sys

HIDDEN = "httpx._main"

if HIDDEN not in sys.modules:
    # None makes an import of the name fail. Source: Python's documentation, "The import system", 5.3.1.
    sys.modules[HIDDEN] = None  # type: ignore[assignment]  # typeshed knows modules only
    try:
        import httpx
    finally:
        del sys.modules[HIDDEN]
else:
    import httpx

__all__ = ["httpx"]
