"""On the kernel, by native code in the browser: system calls that need no right, or only rights that any process gets in
a new user namespace. User namespaces cannot be forbidden, because Chromium's sandbox needs them.
"""

from dataclasses import replace

from pw_escape import mechanisms as m
from pw_escape.attack import Attack, StartedBy

ROOT = (StartedBy.ROOT,)
REAL_ROOT = (m.USER_NS, m.OWN_USER, m.NO_CAPABILITIES)
"""Where these are gone, an attacker is the host's root."""
ABSENT = ("ENOSYS",)
"""The answer of a kernel that was built without the call. The filter's answer to these calls is EPERM."""
ADMIN = "root_in_a_namespace(NEWNS, NEWUTS, NEWIPC, NEWCGROUP, NEWNET)\n"


def _call(
    call: str, code: str, *others: str, name: str = "", refused: str = "EPERM", reached: tuple[str, ...] = ()
) -> Attack:
    """The filter's rule for `call` refuses it. The rules for `others` refuse earlier steps of the code."""
    overlaps = tuple(m.runner_filter(other) for other in others)
    if {"mount", "move_mount"} & {call, *others}:
        overlaps += (m.LAYER_1,)  # a process under Landlock cannot change mounts
    return Attack(name or call, code, refused, m.runner_filter(call), overlaps, reached=reached)


def _root_call(call: str, code: str, *others: str, name: str = "", reached: tuple[str, ...] = ()) -> Attack:
    """The same for a call that only the host's root may make: without the filter, the own user is left out too."""
    overlaps = (*REAL_ROOT, *(m.runner_filter(other) for other in others))
    return Attack(name or call, code, "EPERM", m.runner_filter(call), overlaps, reached=reached, modes=ROOT)


MOUNTS = (
    _call("mount", ADMIN + "sys_('mount', b'none', b'/tmp', b'tmpfs', 0, None)", "unshare"),
    _call("mount", ADMIN + "sys_('mount', b'/tmp', b'/tmp', None, 0x1000, None)", "unshare", name="mount: bind"),
    _call(
        "umount2",
        ADMIN + "sys_('mount', b'x', b'/tmp', b'tmpfs', 0, None)\nsys_('umount2', b'/tmp', 2)",
        "unshare",
        "mount",
    ),
    _call(
        "pivot_root",
        ADMIN + "sys_('mount', b'x', b'/tmp', b'tmpfs', 0, None)\nos.mkdir('/tmp/old')\n"
        "sys_('pivot_root', b'/tmp', b'/tmp/old')",
        "unshare",
        "mount",
    ),
    _call("open_tree", ADMIN + "sys_('open_tree', AT_FDCWD, b'/profile', 1)", "unshare"),
    _call(
        "move_mount",
        ADMIN + "fd = sys_('open_tree', AT_FDCWD, b'/profile', 1)\nsys_('move_mount', fd, b'', AT_FDCWD, b'/tmp', 4)",
        "unshare",
        "open_tree",
    ),
    _call("fsopen", ADMIN + "sys_('fsopen', b'tmpfs', 0)", "unshare"),
    _call(
        "fsconfig",
        ADMIN + "fd = sys_('fsopen', b'tmpfs', 0)\nsys_('fsconfig', fd, 6, None, None, 0)",
        "unshare",
        "fsopen",
    ),
    _call(
        "fsmount",
        ADMIN + "fd = sys_('fsopen', b'tmpfs', 0)\nsys_('fsconfig', fd, 6, None, None, 0)\nsys_('fsmount', fd, 0, 0)",
        "unshare",
        "fsopen",
        "fsconfig",
    ),
    _call("fspick", ADMIN + "sys_('fspick', AT_FDCWD, b'/proc', 0)", "unshare", reached=()),
    _call(
        "mount_setattr",
        ADMIN + "sys_('mount_setattr', AT_FDCWD, b'/tmp', 0, buffer(32, struct.pack('QQQQ', 1, 0, 0, 0)), 32)",
        "unshare",
    ),
    _call(
        "listmount",
        "sys_('listmount', buffer(24, struct.pack('IIQQ', 24, 0, 2**64 - 1, 0)), buffer(800), 100, 0)",
        refused="EPERM|ENOSYS",
    ),
    _call(
        "statmount",
        "ids = buffer(800)\nsys_('listmount', buffer(24, struct.pack('IIQQ', 24, 0, 2**64 - 1, 0)), ids, 100, 0)\n"
        "sys_('statmount', buffer(24, ids.raw[:0] + struct.pack('II', 24, 0) + ids.raw[:8] + struct.pack('Q', 2)), "
        "buffer(4096), 4096, 0)",
        "listmount",
        refused="EPERM|ENOSYS",
    ),
)
NAMESPACES = (
    *(
        _call("unshare", f"sys_('unshare', NEWUSER | {flag})", name=f"unshare: {name} namespace", refused="ENOSYS")
        for name, flag in (
            ("mount", "NEWNS"),
            ("uts", "NEWUTS"),
            ("ipc", "NEWIPC"),
            ("cgroup", "NEWCGROUP"),
            ("time", "NEWTIME"),
        )
    ),
    *(
        _call(
            "clone",
            f"pid = sys_('clone', NEWUSER | {flag} | 17, None, None, None, None)\nif pid == 0: os._exit(0)",
            name=f"clone: {name} namespace",
            refused="ENOSYS",
        )
        for name, flag in (("mount", "NEWNS"), ("uts", "NEWUTS"), ("ipc", "NEWIPC"), ("cgroup", "NEWCGROUP"))
    ),
    _call(
        "clone3",
        "pid = sys_('clone3', buffer(88, struct.pack('QQQQQQQQQQQ', 0, 0, 0, 0, 17, 0, 0, 0, 0, 0, 0)), 88)\n"
        "if pid == 0: os._exit(0)",
        refused="ENOSYS",
    ),
    _call(
        "clone3",
        "pid = sys_('clone3', buffer(88, struct.pack('QQQQQQQQQQQ', NEWUSER | NEWNS, 0, 0, 0, 17, 0, 0, 0, 0, 0, 0)), 88)\n"
        "if pid == 0: os._exit(0)",
        name="clone3: mount namespace",
        refused="ENOSYS",
    ),
    _call("setns", "root_in_a_namespace(NEWNET)\nsys_('setns', os.open('/proc/self/ns/net', os.O_RDONLY), NEWNET)"),
    _call("sethostname", ADMIN + "sys_('sethostname', b'x', 1)", "unshare"),
    _call("setdomainname", ADMIN + "sys_('setdomainname', b'x', 1)", "unshare"),
)
OTHERS_MEMORY = (
    _call("ptrace", "sys_('ptrace', 0x4206, VICTIM, 0, 0)"),
    _call("ptrace", "sys_('ptrace', 16, VICTIM, 0, 0)", name="ptrace: attach"),
    _call("process_vm_readv", "sys_('process_vm_readv', VICTIM, HERE, 1, THERE, 1, 0)"),
    _call("process_vm_writev", "sys_('process_vm_writev', VICTIM, HERE, 1, THERE, 1, 0)"),
    _call("pidfd_getfd", "sys_('pidfd_getfd', os.pidfd_open(VICTIM), 0, 0)"),
    _call("kcmp", "sys_('kcmp', VICTIM, os.getpid(), 1, 0, 0)"),
    _call(
        "process_madvise", "sys_('process_madvise', os.pidfd_open(os.getpid()), HERE, 1, 20, 0)", reached=("EINVAL",)
    ),
    _call("process_mrelease", "sys_('process_mrelease', os.pidfd_open(VICTIM), 0)", reached=("EINVAL",)),
    _call("move_pages", "sys_('move_pages', VICTIM, 0, None, None, None, 0)"),
    _call("migrate_pages", "sys_('migrate_pages', VICTIM, 8, buffer(8, b'\\1'), buffer(8, b'\\1'))"),
)
VICTIM = "VICTIM = sibling()\nHERE, THERE = iov(buffer(4096), 4), iov(SECRET, 4)\n"
SURFACE = (
    _call("io_uring_setup", "sys_('io_uring_setup', 1, buffer(120))", refused="ENOSYS"),
    _call("userfaultfd", "sys_('userfaultfd', 1)"),
    _call(
        "perf_event_open",
        "sys_('perf_event_open', buffer(120, struct.pack('IIQQQQQ', 1, 120, 0, 0, 0, 0, 0x61)), 0, -1, -1, 0)",
    ),
    _call("bpf", "sys_('bpf', 1, buffer(120, struct.pack('I', 2**32 - 1)), 120)", reached=("EBADF",)),
    _call("bpf", "sys_('bpf', 7, buffer(120), 120)", name="bpf: pinned object", reached=("EFAULT", "EINVAL")),
    _root_call("bpf", name="bpf: map", code="sys_('bpf', 0, buffer(120, struct.pack('IIII', 2, 4, 4, 1)), 120)"),
    _call("keyctl", "sys_('keyctl', 1, None, 0, 0, 0)"),
    _call("add_key", "sys_('add_key', b'user', b'pw', b'x', 1, -2)"),
    _call(
        "request_key",
        "sys_('add_key', b'user', b'pw', b'x', 1, -2)\nsys_('request_key', b'user', b'pw', None, -2)",
        "add_key",
    ),
    _call("modify_ldt", "sys_('modify_ldt', 0, buffer(64), 64)"),
    _call(
        "modify_ldt",
        "sys_('modify_ldt', 1, buffer(16, struct.pack('IIII', 0, 0, 0, 0x28)), 16)",
        name="modify_ldt: write",
    ),
    _call("personality", "sys_('personality', 0x0040000)"),
    _call(
        "name_to_handle_at",
        "sys_('name_to_handle_at', AT_FDCWD, b'/profile', buffer(200, struct.pack('I', 128)), buffer(8), 0)",
    ),
    _root_call(
        "open_by_handle_at",
        "handle = buffer(200, struct.pack('I', 128))\n"
        "sys_('name_to_handle_at', AT_FDCWD, b'/profile', handle, buffer(8), 0)\n"
        "sys_('open_by_handle_at', os.open('/profile', os.O_RDONLY), handle, 0)",
        "name_to_handle_at",
    ),
    _call("fanotify_init", "sys_('fanotify_init', 0x200, 0)"),
    _call(
        "fanotify_mark",
        "fd = sys_('fanotify_init', 0x200, 0)\nsys_('fanotify_mark', fd, 1, 0x20, AT_FDCWD, b'/profile')",
        "fanotify_init",
    ),
    _call("memfd_secret", "sys_('memfd_secret', 0)"),
    _call(
        "mbind",
        "page = mmap.mmap(-1, 4096)\nsys_('mbind', address(ctypes.c_char.from_buffer(page)), 4096, 0, None, 0, 0)",
    ),
    _call("set_mempolicy", "sys_('set_mempolicy', 0, None, 0)"),
    _call(
        "set_mempolicy_home_node",
        "page = mmap.mmap(-1, 4096)\nsys_('set_mempolicy_home_node', address(ctypes.c_char.from_buffer(page)), 4096, 0, 0)",
        reached=("ENOENT",),
    ),
    _call("adjtimex", "sys_('adjtimex', buffer(300))"),
    _call("clock_adjtime", "sys_('clock_adjtime', 0, buffer(300))"),
    _call("ioperm", "sys_('ioperm', 0x80, 1, 0)", reached=ABSENT),
    _call("iopl", "sys_('iopl', 0)", reached=ABSENT),
    _call("sysfs", "sys_('sysfs', 3)"),
    _call("ustat", "sys_('ustat', os.stat('/profile').st_dev, buffer(64))"),
    _call("quotactl", "sys_('quotactl', 0x80000100, None, 0, None)"),
    _call("mknod", "sys_('mknod', b'/profile/fifo', 0o10600, 0)", name="mknod: fifo"),
    _call("mknodat", "sys_('mknodat', AT_FDCWD, b'/profile/fifo2', 0o10600, 0)", name="mknodat: fifo"),
    _root_call("syslog", "sys_('syslog', 3, buffer(4096), 4096)"),
    _root_call("acct", "sys_('acct', None)"),
    _root_call("swapoff", "sys_('swapoff', b'/nonexistent')", reached=("ENOENT",)),
    _root_call("swapon", "sys_('swapon', b'/nonexistent', 0)", reached=("ENOENT",)),
    _root_call("settimeofday", "sys_('settimeofday', None, None)"),
    _root_call("init_module", "sys_('init_module', None, 0, b'')", reached=("ENOEXEC", "EFAULT", *ABSENT)),
    _root_call("finit_module", "sys_('finit_module', -1, b'', 0)", reached=("EBADF", *ABSENT)),
    _root_call("delete_module", "sys_('delete_module', b'nonexistent', 0)", reached=("ENOENT", *ABSENT)),
    _root_call("kexec_load", "sys_('kexec_load', 0, 0, None, 0)", reached=ABSENT),
    _root_call("kexec_file_load", "sys_('kexec_file_load', -1, -1, 0, None, 0)", reached=("EBADF", *ABSENT)),
    _call(
        "reboot",
        "root_in_a_namespace(NEWPID)\nread, write = os.pipe()\nchild = os.fork()\nif child == 0:\n"
        " try: sys_('reboot', 0xfee1dead, 672274793, 0x4321fedc, None)\n"
        " except OSError as error: os.write(write, str(error.errno).encode())\n os._exit(1)\n"
        "os.close(write)\nsaid = os.read(read, 9)\nos.waitpid(child, 0)\nif said: raise OSError(int(said), 'reboot')",
    ),
    Attack(
        "system calls of another architecture",
        "if platform.machine() != 'x86_64': raise Unavailable('int 0x80')\nnative('b814000000' 'cd80' 'c3')",
        "SIGSYS",
        m.runner_filter(m.ARCHITECTURE),
    ),
    Attack(
        "system calls of x32",
        "if platform.machine() != 'x86_64': raise Unavailable('x32')\n"
        "found = native('b827000040' '0f05' 'c3')\nif found == -errno.ENOSYS: raise OSError(errno.ENOSYS, 'x32')",
        "SIGSYS",
        m.runner_filter(m.ARCHITECTURE),
        reached=("ENOSYS",),
    ),
)
BY_ERRNO = tuple(
    _call(call, f"sys_('{call}', {arguments})", refused=refused, reached=reached)
    for call, arguments, refused, reached in (
        ("clock_settime", "1, buffer(16)", "EPERM", ("EINVAL",)),
        ("io_uring_enter", "-1, 0, 0, 0, None, 0", "ENOSYS", ("EBADF",)),
        ("io_uring_register", "-1, 0, None, 0", "ENOSYS", ("EBADF", "EINVAL")),
        ("mq_getsetattr", "-1, None, None", "EPERM", ("EBADF",)),
        ("mq_timedsend", "-1, buffer(8), 0, 0, None", "EPERM", ("EBADF",)),
        ("mq_timedreceive", "-1, buffer(8), 8, None, None", "EPERM", ("EBADF",)),
        ("msgctl", "0, 0, None", "EPERM", ("EINVAL",)),
        ("quotactl_fd", "-1, 0, 0, None", "EPERM", ("EBADF", *ABSENT)),
        ("semtimedop", "0, buffer(6), 1, None", "EPERM", ("EINVAL",)),
        ("shmdt", "0", "EPERM", ("EINVAL",)),
    )
)
"""These calls gain nothing. But their errno shows whether the kernel carried out the call."""
IPC = (
    _call("shmget", "sys_('shmget', 0, 4096, 0o1600)"),
    _call("shmat", "id_ = sys_('shmget', 0, 4096, 0o1600)\nsys_('shmat', id_, None, 0)", "shmget"),
    _call("shmctl", "id_ = sys_('shmget', 0, 4096, 0o1600)\nsys_('shmctl', id_, 0, None)", "shmget"),
    _call("msgget", "sys_('msgget', 0, 0o1600)"),
    _call("msgsnd", "id_ = sys_('msgget', 0, 0o1600)\nsys_('msgsnd', id_, buffer(16, b'\\1'), 4, 0)", "msgget"),
    _call(
        "msgrcv",
        "id_ = sys_('msgget', 0, 0o1600)\nsys_('msgsnd', id_, buffer(16, b'\\1'), 4, 0)\n"
        "sys_('msgrcv', id_, buffer(64), 4, 0, 0)",
        "msgget",
        "msgsnd",
    ),
    _call("semget", "sys_('semget', 0, 1, 0o1600)"),
    _call(
        "semop",
        "id_ = sys_('semget', 0, 1, 0o1600)\nsys_('semop', id_, buffer(6, struct.pack('Hhh', 0, 1, 0)), 1)",
        "semget",
    ),
    _call("semctl", "id_ = sys_('semget', 0, 1, 0o1600)\nsys_('semctl', id_, 0, 0, 0)", "semget"),
    _call("mq_open", "sys_('mq_open', b'own', 0o102, 0o600, None)"),
    _call("mq_unlink", "sys_('mq_open', b'mine', 0o102, 0o600, None)\nsys_('mq_unlink', b'mine')", "mq_open"),
    _call("mq_notify", "fd = sys_('mq_open', b'sign', 0o102, 0o600, None)\nsys_('mq_notify', fd, None)", "mq_open"),
)


def _with_victim(row: Attack) -> Attack:
    return replace(row, code=VICTIM + row.code)


ATTACKS = (*MOUNTS, *NAMESPACES, *map(_with_victim, OTHERS_MEMORY), *SURFACE, *BY_ERRNO, *IPC)
