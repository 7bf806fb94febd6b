"""Intakes on real servers, and what is pushed to them."""

from pw_intake.counter import Counter, open_counter
from pw_intake.pushing import QUICK, SETTINGS, job

__all__ = ["QUICK", "SETTINGS", "Counter", "job", "open_counter"]
