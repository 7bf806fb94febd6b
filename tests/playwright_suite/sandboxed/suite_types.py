"""Types that tests write in annotations."""

from typing import Any

RemoteServer = TraceViewerPage = Any
