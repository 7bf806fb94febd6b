"""Configuration: one frozen Struct a room, read once, passed whole."""
