"""Checks payloads against the input schemas of modules, in processes of their own. Their authors may be hostile."""
