"""Takes jobs from the producers' list and stream, checks them, and puts them into the queue."""

from pageworker_supervisor.intake.admission import Admission
from pageworker_supervisor.intake.intake import Intake

__all__ = ["Admission", "Intake"]
