"""`make browser-faults`: what breaks a browser or its profile, each followed by a clean job of the same tenant."""
