"""The vocabulary between supervisor and runner, and when each word may be said.

`messages` is the whole vocabulary, `permits` says which message is legal in which state, `channel` moves
frames and descriptors over an inherited Unix socket. Anything that is not permitted is fatal for the runner.
"""
