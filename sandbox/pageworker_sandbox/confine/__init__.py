"""How the runner restricts itself. Imports only the standard library, and `pageworker_sandbox.memfd` for a probe.

The runner calls `allow_exec` before it starts the driver, and `confine` once the pages are up. `interpreter` lists the
paths that must stay readable after `confine`. `watch_children_without_threads` keeps asyncio from starting a thread
before the restrictions are in place.
"""

from pageworker_sandbox.confine.confinement import allow_exec, confine
from pageworker_sandbox.confine.errors import ConfinementFailed
from pageworker_sandbox.confine.paths import interpreter
from pageworker_sandbox.confine.threads import watch_children_without_threads

__all__ = ["ConfinementFailed", "allow_exec", "confine", "interpreter", "watch_children_without_threads"]
