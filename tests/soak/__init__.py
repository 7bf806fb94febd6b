"""`make soak`: one real worker at steady work for long; nothing that it uses may keep growing."""
