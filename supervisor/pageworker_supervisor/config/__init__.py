"""Configuration: one frozen Struct per section, read once when the process starts."""
