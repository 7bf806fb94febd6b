"""The rules of a Redis user that may push jobs for one tenant, and read what became of them. Pure."""

COMMANDS = (
    *("ping", "select", "get", "lpush", "rpush"),
    *("subscribe", "unsubscribe", "psubscribe", "punsubscribe"),
)


def redis_rules(prefix: str, tenant_id: str) -> tuple[str, ...]:
    """In the words of `ACL SETUSER`, without password.

    Neither prefix nor tenant id can have a character that is special in a pattern of Redis. The inbox can be written
    and not read: what other producers of the tenant pushed stays theirs. The stream has a selector of its own, so that
    no other command can make a list of it.
    """
    return (
        "resetkeys",
        f"%W~{prefix}:inbox:{tenant_id}",
        f"%R~{prefix}:result:{tenant_id}:*",
        "resetchannels",
        f"&{prefix}:results:{tenant_id}",
        f"&{prefix}:events:{tenant_id}",
        "-@all",
        *(f"+{command}" for command in COMMANDS),
        f"(%W~{prefix}:jobs:{tenant_id} -@all +xadd)",
    )
