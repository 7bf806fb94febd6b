"""A module's log: lines go to the worker's log with job, tenant and trace attached."""

from pageworker.sink import Sink


class Log:
    """`helpers.log.info("found offers", count=3)`: a message and fields. Fields are kept as short strings."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    def debug(self, message: str, **fields: object) -> None:
        """For whoever debugs the module."""
        self._sink.log("debug", message, fields)

    def info(self, message: str, **fields: object) -> None:
        """What happened."""
        self._sink.log("info", message, fields)

    def warning(self, message: str, **fields: object) -> None:
        """It went on, but somebody should look."""
        self._sink.log("warning", message, fields)

    def error(self, message: str, **fields: object) -> None:
        """It did not work."""
        self._sink.log("error", message, fields)
