"""A module's log. Its lines go to the worker's log, with the job, its tenant and its trace."""

from pageworker.sink import Sink


class Log:
    """`helpers.log.info("found offers", count=3)`: a message and fields, whose values are stored as short strings."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    def debug(self, message: str, **fields: object) -> None:
        """Log details that only help to debug the module."""
        self._sink.log("debug", message, fields)

    def info(self, message: str, **fields: object) -> None:
        """Log an event of normal operation."""
        self._sink.log("info", message, fields)

    def warning(self, message: str, **fields: object) -> None:
        """Log a problem that did not stop the handler."""
        self._sink.log("warning", message, fields)

    def error(self, message: str, **fields: object) -> None:
        """Log a failure."""
        self._sink.log("error", message, fields)
