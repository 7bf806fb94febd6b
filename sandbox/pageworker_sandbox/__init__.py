"""The sandbox boundary between the supervisor and its runners. Imports neither side."""
