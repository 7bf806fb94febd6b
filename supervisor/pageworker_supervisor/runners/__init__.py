"""The fleet: one sandboxed runner per browser context, seen from the trusted side."""
