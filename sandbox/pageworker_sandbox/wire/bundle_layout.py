"""Where things are in a bundle, for those who write it and for the runner, which reads it."""

VENDORED = "vendored"
"""Folder with the dependencies of a module. What is in it can be imported by the module as if it were at the top."""
