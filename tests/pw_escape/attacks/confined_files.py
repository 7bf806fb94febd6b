"""On files, by module code in the confined interpreter: what Landlock leaves of them."""

from pw_escape import mechanisms as m
from pw_escape.attack import Attack, StartedBy
from pw_escape.confined_attack import confined_attack, confined_call
from pw_escape.mechanisms import confined_filter, landlock, runner_filter

MADE = """
for name in ("Default", "Old", "Gone"): os.makedirs("/profile/" + name, exist_ok=True)
for name in ("Default/Cookies", "Default/Preferences", "victim"): open("/profile/" + name, "w").write("x")
open("/tmp/shared", "w").close()
"""
"""As a browser leaves a profile."""


def _read(name: str, code: str, right: str = "READ_FILE") -> Attack:
    return confined_attack(name, code, "EACCES", landlock(right), before=MADE)


def _change(name: str, code: str, call: str, right: str, *others: str) -> Attack:
    """Both the filter and Landlock refuse it."""
    also = ((landlock(right), "EACCES"),)
    overlaps = tuple(landlock(other) for other in others)
    return confined_attack(name, code, "EPERM", confined_filter(call), also=also, overlaps=overlaps, before=MADE)


READING = (
    _read("names of hosts", "open('/etc/hosts').read()"),
    _read("own cookies", "open('/profile/Default/Cookies', 'rb').read()"),
    _read("own profile", "os.listdir('/profile')", "READ_DIR"),
    _read("the root", "os.listdir('/')", "READ_DIR"),
    _read("scratch", "os.listdir('/tmp')", "READ_DIR"),
    _read("shared memory", "os.listdir('/dev/shm')", "READ_DIR"),
    _read("list of processes", "os.listdir('/proc')", "READ_DIR"),
    _read(
        "a folder by a path descriptor", "os.listdir(f\"/proc/self/fd/{os.open('/profile', os.O_PATH)}\")", "READ_DIR"
    ),
    _read("a file by a path descriptor", "open(f\"/proc/self/fd/{os.open('/etc/hosts', os.O_PATH)}\").read()"),
    _read("a file by its folder's descriptor", "os.open('hosts', os.O_RDONLY, dir_fd=os.open('/etc', os.O_PATH))"),
    _read("fonts", "os.listdir('/usr/share/fonts')", "READ_DIR"),
    _read("first process' command line", "open('/proc/1/cmdline').read()"),
    _read("own threads", "open('/proc/self/task/' + str(os.getpid()) + '/status').read()"),
    _read("mounts", "open('/proc/self/mounts').read()"),
    _read("sockets", "open('/proc/net/unix').read()"),
    _read("system settings", "open('/proc/sys/kernel/osrelease').read()"),
    _read("memory's map of the machine", "open('/proc/meminfo').read()"),
    _read("the browser's policy", "open('/etc/chromium/policies/managed/pageworker.json').read()"),
    _read("a file by openat2", "sys_('openat2', AT_FDCWD, b'/etc/hosts', buffer(24), 24)"),
    _read(
        "map a file of the profile",
        "mmap.mmap(os.open('/profile/Default/Cookies', os.O_RDONLY), 0, prot=mmap.PROT_READ)",
    ),
)
WRITING = (
    confined_attack(
        "write the profile",
        "open('/profile/victim', 'r+')",
        "EACCES",
        landlock("WRITE_FILE"),
        overlaps=(landlock("READ_FILE"),),
        before=MADE,
    ),
    confined_attack(
        "append to the profile",
        "os.open('/profile/victim', os.O_WRONLY | os.O_APPEND)",
        "EACCES",
        landlock("WRITE_FILE"),
        before=MADE,
    ),
    confined_attack(
        "write scratch", "os.open('/tmp/shared', os.O_WRONLY)", "EACCES", landlock("WRITE_FILE"), before=MADE
    ),
    confined_attack("write to a device", "os.open('/dev/full', os.O_WRONLY)", "EACCES", landlock("WRITE_FILE")),
    confined_attack(
        "write own memory",
        "os.open('/proc/self/oom_score_adj', os.O_WRONLY)",
        "EACCES",
        landlock("WRITE_FILE"),
        overlaps=(m.NOT_DUMPABLE,),
    ),
    confined_attack(
        "make a file",
        "os.open(f'/profile/x{os.getpid()}', os.O_WRONLY | os.O_CREAT)",
        "EACCES",
        landlock("MAKE_REG"),
        overlaps=(landlock("WRITE_FILE"),),
    ),
    confined_attack(
        "make a file in scratch",
        "os.open(f'/tmp/x{os.getpid()}', os.O_WRONLY | os.O_CREAT)",
        "EACCES",
        landlock("MAKE_REG"),
        overlaps=(landlock("WRITE_FILE"),),
    ),
    confined_attack(
        "make a file in shared memory",
        "os.open(f'/dev/shm/x{os.getpid()}', os.O_WRONLY | os.O_CREAT)",
        "EACCES",
        landlock("MAKE_REG"),
        overlaps=(landlock("WRITE_FILE"),),
    ),
    confined_attack(
        "empty a file as it is opened",
        "os.open('/profile/victim', os.O_RDONLY | os.O_TRUNC)",
        "EACCES",
        landlock("TRUNCATE"),
        overlaps=(landlock("READ_FILE"),),
        before=MADE,
    ),
    _change("make a folder", "os.mkdir(f'/tmp/{os.getpid()}')", "mkdir", "MAKE_DIR"),
    _change("remove a folder", "os.rmdir('/profile/Gone')", "rmdir", "REMOVE_DIR"),
    _change("remove a file", "os.unlink('/profile/victim')", "unlink", "REMOVE_FILE"),
    _change("rename a file", "os.rename('/profile/victim', '/profile/other')", "rename", "MAKE_REG", "REMOVE_FILE"),
    _change(
        "move a file to another folder",
        "os.rename('/profile/victim', '/profile/Old/victim')",
        "rename",
        "REMOVE_FILE",
        "MAKE_REG",
        "REFER",
    ),
    confined_attack(
        "move a file, by Landlock's word on moves",
        "os.rename('/profile/victim', '/profile/Old/victim')",
        "EPERM",
        landlock("REFER"),
        alone="EXDEV",
        overlaps=(confined_filter("rename"), landlock("MAKE_REG"), landlock("REMOVE_FILE"), m.LAYER_1),
        before=MADE,
    ),
    _change("a symbolic link", "os.symlink('/etc', f'/profile/l{os.getpid()}')", "symlink", "MAKE_SYM"),
    _change("a hard link", "os.link('/profile/victim', f'/profile/h{os.getpid()}')", "link", "MAKE_REG"),
    confined_attack(
        "a fifo",
        "os.mkfifo(f'/profile/f{os.getpid()}')",
        "EPERM",
        confined_filter("mknodat"),
        also=((landlock("MAKE_FIFO"), "EACCES"),),
        overlaps=(runner_filter("mknodat"),),
    ),
    confined_attack(
        "a character device",
        "os.mknod(f'/tmp/c{os.getpid()}', 0o20600, 0)",  # 0, 0: a whiteout, which anybody may make
        "EPERM",
        confined_filter("mknodat"),
        also=((landlock("MAKE_CHAR"), "EACCES"),),
        overlaps=(runner_filter("mknodat"),),
    ),
    confined_attack(
        "a block device",
        "os.mknod(f'/tmp/b{os.getpid()}', 0o60600, os.makedev(1, 0))",
        "EPERM",
        confined_filter("mknodat"),
        also=((landlock("MAKE_BLOCK"), "EACCES"),),
        overlaps=(runner_filter("mknodat"), m.USER_NS, m.OWN_USER, m.NO_CAPABILITIES),
        modes=(StartedBy.ROOT,),
    ),
    confined_attack(
        "ask a device",
        "fcntl.ioctl(os.open('/dev/null', os.O_RDONLY), 0x5401, bytes(64))",
        "EACCES",
        landlock("IOCTL_DEV"),
        reached=("ENOTTY",),
    ),
    confined_attack(
        "a socket file",
        "SOCK.bind(f'/profile/s{os.getpid()}')",
        "EPERM",
        confined_filter("bind"),
        also=((landlock("MAKE_SOCK"), "EACCES"),),
        before="SOCK = socket.socket(socket.AF_UNIX)",
    ),
    _change("truncate a file", "os.truncate('/profile/victim', 0)", "truncate", "TRUNCATE"),
    confined_call("change a mode", "os.chmod('/profile', 0o700)", "chmod"),
    confined_call("change times", "os.utime('/profile')", "utimensat"),
    confined_call("change an owner", "os.chown('/profile', os.getuid(), os.getgid())", "chown"),
    confined_call(
        "an attribute", "os.setxattr('/profile/victim', 'user.pw', b'x')", "setxattr", before=MADE, reached=("ENOTSUP",)
    ),
    confined_call("watch a folder", "must(libc.inotify_init1(0))", "inotify_init1"),
)
ATTACKS = (*READING, *WRITING)
