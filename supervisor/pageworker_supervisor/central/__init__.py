"""The central configuration in a worker: takes part in votes, and applies what was decided."""
