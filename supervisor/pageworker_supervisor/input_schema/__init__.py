"""Checks payloads and results against the schemas of modules, in processes of their own: authors may be hostile."""
