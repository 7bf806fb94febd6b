"""The wall between the supervisor and its runners. Imports neither side."""
