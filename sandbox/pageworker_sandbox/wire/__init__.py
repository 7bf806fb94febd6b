"""The protocol between supervisor and runner.

`messages` holds every message. `message_rules` lists which message is legal in which state. `channel` moves frames and
descriptors over an inherited Unix socket. A message that is not legal ends the runner.
"""
