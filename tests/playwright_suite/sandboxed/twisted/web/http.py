"""The type that tests write in annotations."""

from ...suite_job.requests import HttpRequest as Request

__all__ = ["Request"]
