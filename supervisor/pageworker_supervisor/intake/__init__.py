"""Where jobs come in: from the producers' list and stream, through admission, into the queue."""

from pageworker_supervisor.intake.intake import Intake

__all__ = ["Intake"]
