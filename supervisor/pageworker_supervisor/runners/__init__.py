"""The fleet: one sandboxed runner a browser context, seen from the trusted side."""
