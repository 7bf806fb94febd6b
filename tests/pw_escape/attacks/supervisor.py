"""On the supervisor: by what a runner leaves in its folder, and by outliving the supervisor."""

from pw_escape import mechanisms as m
from pw_escape.attack import Attack, AttackPlace, StartedBy

ROOT = (StartedBy.ROOT,)


def _left(name: str, code: str, refused: str = "Missed", modes: tuple[StartedBy, ...] = ROOT) -> Attack:
    return Attack(f"leave {name}", code, refused, m.PROFILE_WALK, place=AttackPlace.FOLDER, modes=modes)


OWNED = "\nif secret.stat().st_uid == 0: raise Missed('still the host\\'s')"
FOLDERS = (
    _left("a link to a file of the host", "(data / 'Cookies').symlink_to(secret)\nreown()" + OWNED),
    _left("a link to a folder of the host", "(data / 'Default').symlink_to(outside)\nreown()" + OWNED),
    _left("a link by many parents", "(data / 'up').symlink_to(os.path.relpath(outside, data))\nreown()" + OWNED),
    _left(
        "a link in a folder",
        "(data / 'a/b').mkdir(parents=True)\n(data / 'a/b/c').symlink_to(outside)\nreown()" + OWNED,
    ),
    _left("another name of a file of the host", "os.link(secret, data / 'Cookies')\nreown()", "ProfileTampered"),
    _left("a disk", "os.mknod(data / 'disk', 0o60666, os.makedev(254, 0))\nreown()", "ProfileTampered"),
    _left("a device", "os.mknod(data / 'memory', 0o20666, os.makedev(1, 1))\nreown()", "ProfileTampered"),
    _left(
        "folds without end",
        "deep = data\nfor _ in range(90):\n deep = deep / 'd'\n deep.mkdir()\nreown()",
        "ProfileTampered",
    ),
    _left(
        "a link to a folder, to be removed",
        "(data / 'Default').symlink_to(outside)\nremove()\nif secret.exists(): raise Missed('it is there')",
        modes=(StartedBy.ROOT, StartedBy.USER),
    ),
    _left(
        "a link in a folder, to be removed",
        "(data / 'a').mkdir()\n(data / 'a/b').symlink_to(outside)\nremove()\nif secret.exists(): raise Missed('it is there')",
        modes=(StartedBy.ROOT, StartedBy.USER),
    ),
)
LIFE = (
    Attack(
        "outlive the supervisor",
        "supervisor: program",
        "Missed",
        m.DIE_WITH_PARENT,
        (m.DIE_WITH_SUPERVISOR,),
        place=AttackPlace.LIFE,
    ),
    Attack(
        "outlive the supervisor, outside",
        "supervisor: bubblewrap",
        "Missed",
        m.DIE_WITH_SUPERVISOR,
        also=((m.DIE_WITH_PARENT, "Missed"),),
        place=AttackPlace.LIFE,
    ),
    Attack(
        "outlive bubblewrap",
        "bubblewrap: program",
        "Missed",
        m.DIE_WITH_PARENT,
        (m.DIE_WITH_SUPERVISOR,),
        place=AttackPlace.LIFE,
    ),
)
ATTACKS = (*FOLDERS, *LIFE)
