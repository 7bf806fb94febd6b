"""From a claimed lease to its end: place it, run it, judge how it ended."""
