"""The protocol between supervisor and runner.

`messages` holds every message. `permits` says which message is permitted in which state. `channel` moves frames and
descriptors over an inherited Unix socket. A message that is not permitted is fatal for the runner.
"""
