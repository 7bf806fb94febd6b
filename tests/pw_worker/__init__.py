"""A whole worker in the test's process. Its runners are echoes, without sandbox and browser."""

from pw_worker.echoes import PAGES, Echoes, change, echoes, nap, taken

__all__ = ["PAGES", "Echoes", "change", "echoes", "nap", "taken"]
