"""What the runner does to itself. Imports only the standard library; nothing here trusts the other side.

`allow_exec` before the driver starts, `confine` once the pages are up. `interpreter` says what `confine` should
leave readable; `watch_children_without_threads` keeps asyncio from starting a thread before them.
"""

from pageworker_sandbox.confine.confinement import allow_exec, confine
from pageworker_sandbox.confine.errors import ConfinementFailed
from pageworker_sandbox.confine.paths import interpreter
from pageworker_sandbox.confine.threads import watch_children_without_threads

__all__ = ["ConfinementFailed", "allow_exec", "confine", "interpreter", "watch_children_without_threads"]
