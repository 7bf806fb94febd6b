"""`pageworker --config FILE`: the entry point, which imports the rest of the program."""

import gc
import signal
import sys

from pageworker_supervisor.host.descriptor_check import START, descriptor_trouble

IN_USE = 3
"""`DaemonExit.IN_USE`, which is not imported yet."""


def main() -> None:
    """Entry point. Exit codes: exit_codes.py, and docs/operations.md."""
    # Until the worker is up, a SIGHUP changes nothing. Without a handler it would end the daemon.
    signal.signal(signal.SIGHUP, lambda *_: None)
    # What imports make is no garbage, and each collection meanwhile looks at all of it again: 0.05 s.
    gc.disable()
    try:
        from pageworker_supervisor.foreground import run
    except Exception:
        # Each import opens files. Without free descriptors it fails in many ways, e.g. as a library that is not found.
        used_up = descriptor_trouble(START)
        if not used_up:
            raise
        sys.stderr.write(f"{used_up}\n")
        raise SystemExit(IN_USE) from None
    # For good: no later collection has to look at what was imported.
    gc.freeze()
    gc.enable()
    run()


if __name__ == "__main__":
    main()
