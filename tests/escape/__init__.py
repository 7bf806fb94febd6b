"""Attacks on sandboxes, each with a control that gets through."""
