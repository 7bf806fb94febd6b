"""Why a runner was not confined. A runner that gets one of these must end."""


class ConfinementFailed(RuntimeError):
    """A restriction was not applied, or a probe succeeded that must fail. The text names it."""
