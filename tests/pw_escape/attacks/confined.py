"""By module code: Python, ctypes and machine code in the confined interpreter."""

from pw_escape import mechanisms as m
from pw_escape.confined_attack import confined_attack, confined_call
from pw_escape.mechanisms import confined_filter, landlock, runner_filter

VICTIM = "VICTIM = sibling()\n"
"""Another process of the sandbox, started earlier: the driver or the browser."""

PROCESSES = (
    confined_call("fork", "os.fork() or os._exit(0)", "clone"),
    confined_call("fork by its number", "sys_('fork') or os._exit(0)", "fork"),
    confined_call(
        "a process in a namespace", "sys_('clone', NEWUSER | 17, None, None, None, None) or os._exit(0)", "clone"
    ),
    confined_call(
        "a thread in a namespace",
        "sys_('clone', 0x10F00 | NEWUSER, None, None, None, None)",
        "clone",
        reached=("EINVAL",),
    ),
    confined_call("kill everybody", "os.kill(-1, 0)", "kill", landlock("SIGNAL"), reached=("ESRCH",)),
    confined_call("kill the own group", "os.killpg(os.getpgrp(), 0)", "kill", landlock("SIGNAL")),
    confined_call("probe the parent", "os.kill(os.getppid(), 0)", "kill", landlock("SIGNAL")),
    confined_call("a process without a signal", "sys_('clone', 0, None, None, None, None) or os._exit(0)", "clone"),
    confined_attack(
        "clone3, once confined",
        "sys_('clone3', buffer(88, struct.pack('QQQQQQQQQQQ', 0, 0, 0, 0, 17, 0, 0, 0, 0, 0, 0)), 88) or os._exit(0)",
        "ENOSYS",
        confined_filter("clone3"),
        overlaps=(runner_filter("clone3"),),
    ),
    confined_attack(
        "execute the driver",
        "os.execv(NODE, ['node', '-v'])",
        "EPERM",
        confined_filter("execve"),
        also=((landlock("EXECUTE"), "EACCES"),),
    ),
    confined_attack(
        "execute the driver by its descriptor",
        "sys_('execveat', FD, b'', (ctypes.c_char_p * 3)(b'node', b'-v', None), None, AT_EMPTY_PATH)",
        "EPERM",
        confined_filter("execveat"),
        also=((landlock("EXECUTE"), "EACCES"),),
        before="FD = os.open(NODE, os.O_RDONLY)",
    ),
    confined_attack(
        "spawn the driver",
        "os.waitpid(os.posix_spawn(NODE, ['node', '-v'], {}), 0)",
        "EPERM",
        confined_filter("clone"),
        overlaps=(confined_filter("execve"), landlock("EXECUTE")),
    ),
    confined_attack(
        "start a program by subprocess",
        "subprocess.run([NODE, '-v'], check=True)",
        "EPERM",
        confined_filter(m.EVERYTHING),
        overlaps=(landlock("EXECUTE"),),
    ),
    confined_attack(
        "kill another process",
        "os.kill(VICTIM, 9)",
        "EPERM",
        confined_filter("kill"),
        also=((landlock("SIGNAL"), "EPERM"),),
        before=VICTIM,
    ),
    confined_attack(
        "probe the first process",
        "os.kill(1, 0)",
        "EPERM",
        confined_filter("kill"),
        also=((landlock("SIGNAL"), "EPERM"),),
    ),
    confined_attack(
        "kill a thread of another",
        "sys_('tgkill', VICTIM, VICTIM, 9)",
        "EPERM",
        confined_filter("tgkill"),
        also=((landlock("SIGNAL"), "EPERM"),),
        before=VICTIM,
    ),
    confined_attack(
        "kill a thread of anybody",
        "sys_('tkill', VICTIM, 9)",
        "EPERM",
        confined_filter("tkill"),
        also=((landlock("SIGNAL"), "EPERM"),),
        before=VICTIM,
    ),
    confined_attack(
        "kill by a pidfd that it has",
        "sys_('pidfd_send_signal', FD, 9, None, 0)",
        "EPERM",
        confined_filter("pidfd_send_signal"),
        also=((landlock("SIGNAL"), "EPERM"),),
        before=VICTIM + "FD = os.pidfd_open(VICTIM)",
    ),
    confined_attack(
        "queue a signal",
        "sys_('rt_sigqueueinfo', VICTIM, 10, buffer(128, struct.pack('iii', 10, 0, -2)))",
        "EPERM",
        confined_filter("rt_sigqueueinfo"),
        also=((landlock("SIGNAL"), "EPERM"),),
        before=VICTIM,
    ),
    confined_attack(
        "signal by a descriptor's owner, once confined",
        "fcntl.fcntl(READ, fcntl.F_SETOWN, VICTIM)\nfcntl.fcntl(READ, 10, signal.SIGKILL)\n"
        "fcntl.fcntl(READ, fcntl.F_SETFL, os.O_ASYNC | os.O_NONBLOCK)\nos.write(WRITE, b'x')\nif not gone(VICTIM): raise Missed('it lives')",
        "Missed",
        landlock("SIGNAL"),
        before=VICTIM + "READ, WRITE = os.pipe()",
    ),
    confined_call("a pidfd", "os.pidfd_open(os.getpid())", "pidfd_open"),
    confined_call(
        "others' limits", "resource.prlimit(VICTIM, resource.RLIMIT_NOFILE)", "prlimit64", m.NOT_DUMPABLE, before=VICTIM
    ),
    confined_call("own limits", "sys_('prlimit64', 0, resource.RLIMIT_CORE, buffer(16), None)", "prlimit64"),
    confined_call("priority", "os.setpriority(os.PRIO_PROCESS, 0, 19)", "setpriority"),
    confined_call("affinity", "os.sched_setaffinity(0, {0})", "sched_setaffinity"),
    confined_call("schedule", "os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))", "sched_setscheduler"),
    confined_call("priority of input and output", "sys_('ioprio_set', 1, 0, 0x4007)", "ioprio_set"),
    confined_attack(
        "trace another process",
        "sys_('ptrace', 0x4206, VICTIM, 0, 0)",
        "EPERM",
        confined_filter("ptrace"),
        overlaps=(runner_filter("ptrace"), m.LAYER_1, landlock(m.EVERYTHING)),
        before=VICTIM,
    ),
    confined_attack(
        "be traced",
        "sys_('ptrace', 0, 0, 0, 0)",
        "EPERM",
        confined_filter("ptrace"),
        overlaps=(runner_filter("ptrace"), m.LAYER_1, landlock(m.EVERYTHING)),
    ),
    confined_attack(
        "another's memory by /proc",
        "os.open(f'/proc/{VICTIM}/mem', os.O_RDWR)",
        "EACCES",
        landlock(m.EVERYTHING),
        overlaps=(m.LAYER_1,),
        before=VICTIM,
    ),
    confined_attack(
        "another's descriptors by /proc",
        "os.open(f'/proc/{VICTIM}/fd/0', os.O_RDONLY)",
        "EACCES",
        landlock(m.EVERYTHING),
        overlaps=(m.LAYER_1,),
        before=VICTIM,
    ),
    confined_attack(
        "the first process' environment",
        "os.open('/proc/1/environ', os.O_RDONLY)",
        "EACCES",
        landlock(m.EVERYTHING),
        overlaps=(m.LAYER_1,),
    ),
    confined_attack(
        "own maps", "open('/proc/self/maps').read()", "EACCES", landlock("READ_FILE"), overlaps=(m.NOT_DUMPABLE,)
    ),
    confined_attack(
        "another's environment by /proc",
        "os.open(f'/proc/{VICTIM}/environ', os.O_RDONLY)",
        "EACCES",
        landlock(m.EVERYTHING),
        overlaps=(m.LAYER_1,),
        before=VICTIM,
    ),
    confined_attack(
        "own environment by /proc",
        "os.open('/proc/self/environ', os.O_RDONLY)",
        "EACCES",
        landlock("READ_FILE"),
        overlaps=(m.NOT_DUMPABLE,),
    ),
    confined_attack(
        "own memory by /proc",
        "os.open('/proc/self/mem', os.O_RDONLY)",
        "EACCES",
        m.NOT_DUMPABLE,
        also=((landlock("READ_FILE"), "EACCES"),),
    ),
)
DESCRIPTORS = """
NAMED = socket.socket(socket.AF_UNIX)
LISTENER = socket.create_server(("127.0.0.1", 0))
TCP = socket.socket()
ABSTRACT = socket.socket(socket.AF_UNIX); ABSTRACT.bind("\\0pw-confined"); ABSTRACT.listen()
"""
NETWORK = (
    *(
        confined_call(f"socket: {name}", f"socket.socket({family}, {kind}, {protocol})", "socket")
        for name, family, kind, protocol in (
            ("tcp, once confined", "socket.AF_INET", "socket.SOCK_STREAM", 0),
            ("tcp6, once confined", "socket.AF_INET6", "socket.SOCK_STREAM", 0),
            ("udp, once confined", "socket.AF_INET", "socket.SOCK_DGRAM", 0),
            ("unix, once confined", "socket.AF_UNIX", "socket.SOCK_STREAM", 0),
        )
    ),
    confined_call(
        "socket: netlink, once confined",
        "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)",
        "socket",
        runner_filter("socket"),
    ),
    confined_attack(
        "connect a socket that it has",
        "TCP.connect(LISTENER.getsockname())",
        "EPERM",
        confined_filter("connect"),
        also=((landlock("TCP"), "EACCES"),),
        before=DESCRIPTORS,
    ),
    confined_attack(
        "bind a socket that it has",
        "TCP.bind(('127.0.0.1', 0))",
        "EPERM",
        confined_filter("bind"),
        also=((landlock("TCP"), "EACCES"),),
        before=DESCRIPTORS,
    ),
    confined_attack(
        "connect to a name",
        "NAMED.connect('\\0pw-confined')",
        "EPERM",
        confined_filter("connect"),
        also=((landlock("ABSTRACT_UNIX"), "EPERM"),),
        before=DESCRIPTORS,
    ),
    confined_call(
        "accept on a listener that it has",
        "LISTENER.setblocking(False)\ntry: LISTENER.accept()\nexcept BlockingIOError: pass",
        "accept4",
        before=DESCRIPTORS,
    ),
    confined_call(
        "connect the channel elsewhere",
        "channel.dup().connect('\\0elsewhere')",
        "connect",
        landlock("ABSTRACT_UNIX"),
        reached=("EISCONN", "ECONNREFUSED"),
    ),
    confined_call("bind the channel", "channel.dup().bind('\\0elsewhere')", "bind"),
    confined_call("listen on the channel", "channel.dup().listen()", "listen", reached=("EINVAL",)),
    confined_call("listen on a socket that it has", "LISTENER.listen()", "listen", before=DESCRIPTORS),
    confined_call("a pair of packets", "socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)", "socketpair"),
)
KERNEL = (
    confined_attack("user namespace", "sys_('unshare', NEWUSER)", "EPERM", confined_filter("unshare")),
    confined_attack("net namespace", "sys_('unshare', NEWUSER | NEWNET)", "EPERM", confined_filter("unshare")),
    confined_attack("files of its own", "sys_('unshare', 0x400)", "EPERM", confined_filter("unshare")),
    confined_call(
        "another root",
        "root()\nos.chroot('/proc/self/fdinfo')",
        "chroot",
        confined_filter("unshare"),
        landlock(m.EVERYTHING),
        m.NOT_DUMPABLE,
        before="def root(): root_in_a_namespace()",
    ),
    confined_call(
        "another filter",
        "code = buffer(8, struct.pack('HBBI', 6, 0, 0, 0x7fff0000))\nsys_('seccomp', 1, 0, buffer(16, struct.pack('HxxxxxxP', 1, address(code))))",
        "seccomp",
    ),
    confined_call(
        "another filter by prctl",
        "code = buffer(8, struct.pack('HBBI', 6, 0, 0, 0x7fff0000))\nsys_('prctl', 22, 2, buffer(16, struct.pack('HxxxxxxP', 1, address(code))), 0, 0)",
        "prctl",
    ),
    confined_call("another ruleset", "sys_('landlock_create_ruleset', None, 0, 1)", "landlock_create_ruleset"),
    confined_call("dumpable again", "sys_('prctl', 4, 1, 0, 0, 0)", "prctl"),
    confined_call("a tracer of one's choice", "sys_('prctl', 36, 1, 0, 0, 0)", "prctl"),
    confined_call("signal at the parent's death", "sys_('prctl', 1, 0, 0, 0, 0)", "prctl"),
    confined_call("capabilities", "sys_('capset', buffer(8, struct.pack('Ii', 0x20080522, 0)), buffer(24))", "capset"),
    confined_call("another user", "os.setresuid(os.getuid(), os.getuid(), os.getuid())", "setresuid"),
    confined_call("another user for files", "sys_('setfsuid', os.getuid())", "setfsuid"),
    confined_attack(
        "mq_open, once confined",
        "sys_('mq_open', b'confined', 0o102, 0o600, None)",
        "EPERM",
        confined_filter("mq_open"),
        overlaps=(runner_filter("mq_open"), landlock(m.EVERYTHING)),
    ),
    confined_call(
        "flags of a file, once confined",
        "fcntl.ioctl(0, 0x80086601, bytes(8))",
        "ioctl",
        runner_filter("ioctl"),
        reached=("ENOTTY",),
    ),
    confined_call(
        "mount, once confined",
        "root()\nsys_('mount', b'x', b'/tmp', b'tmpfs', 0, None)",
        "mount",
        confined_filter("unshare"),
        runner_filter("unshare"),
        runner_filter("mount"),
        landlock(m.EVERYTHING),
        m.LAYER_1,
        m.NOT_DUMPABLE,
        before="def root(): root_in_a_namespace(NEWNS)",
    ),
    *(
        confined_attack(
            f"{call}, once confined",
            code,
            refused,
            confined_filter(call),
            overlaps=(runner_filter(call),),
            reached=reached,
        )
        for call, code, refused, reached in (
            ("io_uring_setup", "sys_('io_uring_setup', 1, buffer(120))", "EPERM", ()),
            ("userfaultfd", "sys_('userfaultfd', 1)", "EPERM", ()),
            (
                "perf_event_open",
                "sys_('perf_event_open', buffer(120, struct.pack('IIQQQQQ', 1, 120, 0, 0, 0, 0, 0x61)), 0, -1, -1, 0)",
                "EPERM",
                (),
            ),
            ("bpf", "sys_('bpf', 1, buffer(120, struct.pack('I', 2**32 - 1)), 120)", "EPERM", ("EBADF",)),
            ("keyctl", "sys_('keyctl', 1, None, 0, 0, 0)", "EPERM", ()),
            ("add_key", "sys_('add_key', b'user', b'pw', b'x', 1, -2)", "EPERM", ()),
            ("shmget", "sys_('shmget', 0, 4096, 0o1600)", "EPERM", ()),
            ("personality", "sys_('personality', 0x0040000)", "EPERM", ()),
            ("memfd_secret", "sys_('memfd_secret', 0)", "EPERM", ()),
            (
                "process_vm_readv",
                "sys_('process_vm_readv', os.getpid(), iov(buffer(4096), 4), 1, iov(SECRET, 4), 1, 0)",
                "EPERM",
                (),
            ),
            ("setns", "sys_('setns', 0, 0)", "EPERM", ("EINVAL",)),
            ("open_tree", "sys_('open_tree', AT_FDCWD, b'/profile', 0)", "EPERM", ()),
            ("open_by_handle_at", "sys_('open_by_handle_at', -1, buffer(200), 0)", "EPERM", ("EBADF", "EINVAL")),
            ("pidfd_getfd", "sys_('pidfd_getfd', 0, 0, 0)", "EPERM", ("EBADF",)),
            ("msgget", "sys_('msgget', 0, 0o1600)", "EPERM", ()),
            ("semget", "sys_('semget', 0, 1, 0o1600)", "EPERM", ()),
            ("modify_ldt", "sys_('modify_ldt', 0, buffer(64), 64)", "EPERM", ()),
            ("kcmp", "sys_('kcmp', os.getpid(), os.getpid(), 1, 0, 0)", "EPERM", ()),
            (
                "name_to_handle_at",
                "sys_('name_to_handle_at', AT_FDCWD, b'/profile', buffer(200, struct.pack('I', 128)), buffer(8), 0)",
                "EPERM",
                (),
            ),
            ("fanotify_init", "sys_('fanotify_init', 0x200, 0)", "EPERM", ()),
        )
    ),
)
ATTACKS = (*PROCESSES, *NETWORK, *KERNEL)
