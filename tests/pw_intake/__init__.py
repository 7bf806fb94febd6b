"""Intakes on real servers, and what is pushed to them."""

from pw_intake.counter import Counter, open_counter
from pw_intake.pushing import ADMISSION, QUICK, job

__all__ = ["ADMISSION", "QUICK", "Counter", "job", "open_counter"]
