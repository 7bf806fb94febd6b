"""What can go wrong with the export of spans. No job notices it."""


class HeadersMissing(Exception):
    """The headers for the collector cannot be had now. The message says why."""
