"""Intakes on real servers, and what is pushed to them."""

from pw_intake.counter import Counter, open_counter
from pw_intake.pushing import ADMISSION, QUICK, job, of_tenants

__all__ = ["ADMISSION", "QUICK", "Counter", "job", "of_tenants", "open_counter"]
