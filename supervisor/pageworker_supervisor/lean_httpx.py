"""httpx without its command line, which imports rich and pygments: 40 ms of processor time in every process.

Import httpx from here. Source: httpx/__init__.py, which goes without `httpx._main` on ImportError.
"""

from pageworker_supervisor.hidden_module import hidden

with hidden("httpx._main"):
    import httpx

__all__ = ["httpx"]
