"""Real daemons for tests, with a real Redis beside them, so that either can be killed alone."""

from pw_daemon.place import HEADLESS_SHELL, DaemonFolder, place, write_module
from pw_daemon.producer import Producer
from pw_daemon.worker import DaemonProcess

__all__ = ["HEADLESS_SHELL", "DaemonFolder", "DaemonProcess", "Producer", "place", "write_module"]
