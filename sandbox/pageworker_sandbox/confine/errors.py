"""Why a runner could not be confined. Any of these means: it must not start."""


class ConfinementFailed(RuntimeError):
    """A layer could not be put on, or a probe succeeded where it must not. The text names it."""
