"""`make soak`: one real worker under steady load for a long time. Nothing that it uses may keep growing."""
