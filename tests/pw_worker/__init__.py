"""A whole worker in the test's process. Its runners are echoes, without sandbox and browser."""

from pw_worker.echoes import PAGES, Echoes, echoes, nap

__all__ = ["PAGES", "Echoes", "echoes", "nap"]
