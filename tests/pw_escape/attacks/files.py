"""On files: those of the host, of other tenants, of the sandbox itself; and on programs among them."""

from pw_escape import mechanisms as m
from pw_escape.attack import Attack, StartedBy

ROOT = (StartedBy.ROOT,)
USER = (StartedBy.USER,)


def _absent(
    name: str, code: str, *overlaps: str, modes: tuple[StartedBy, ...] = (StartedBy.ROOT, StartedBy.USER)
) -> Attack:
    """Refused because the sandbox's root does not have the file."""
    return Attack(name, code, "ENOENT", m.ROOT, overlaps, modes=modes)


HOSTS = (
    _absent("passwd", "open('/etc/passwd').read()"),
    _absent("passwd by a descriptor", "os.open('passwd', os.O_RDONLY, dir_fd=os.open('/etc', os.O_PATH))"),
    _absent(
        "passwd by way of a link",
        "os.path.lexists('/profile/p') or os.symlink('/etc/passwd', '/profile/p')\nopen('/profile/p').read()",
    ),
    _absent(
        "passwd by many parents",
        "os.path.lexists('/profile/up') or os.symlink('../' * 30 + 'etc/passwd', '/profile/up')\nopen('/profile/up').read()",
    ),
    _absent("passwd by the first process' root", "open('/proc/self/root/etc/passwd').read()"),
    _absent("passwd by the folder where it began", "open('/proc/self/cwd/etc/passwd').read()"),
    Attack(
        "passwd by the root of the first process",
        "open('/proc/1/root/etc/passwd').read()",
        "EACCES",
        m.ROOT,
        (m.LAYER_1,),
        alone="ENOENT",
    ),
    Attack("memory of the first process", "open('/proc/1/mem', 'rb')", "EACCES", m.LAYER_1),
    _absent("shadow", "open('/etc/shadow').read()", m.OWN_USER, modes=ROOT),
    _absent("the supervisor's secret", "open(HOST['secret']).read()", m.OWN_USER, modes=ROOT),
    _absent("the supervisor's secret, by its own user", "open(HOST['secret']).read()", modes=USER),
    _absent("another tenant's cookies", "open(HOST['neighbour'] + '/Cookies').read()", m.USER_PER_RUNNER),
    _absent("list another tenant's profile", "os.listdir(HOST['neighbour'])", m.USER_PER_RUNNER),
    _absent(
        "write to another tenant's profile", "open(HOST['neighbour'] + '/x', 'w')", m.USER_PER_RUNNER, m.READ_ONLY_BINDS
    ),
    _absent(
        "link another tenant's file",
        "os.link(HOST['neighbour'] + '/Cookies', HOST['neighbour'] + '/y')",
        m.USER_PER_RUNNER,
        m.READ_ONLY_BINDS,
        modes=USER,
    ),
    _absent("a shell", "run(HOST['shell'], '-c', 'true')", m.LAYER_1),
    _absent("the kernel's settings by /sys", "os.listdir('/sys/kernel')"),
    _absent("control groups", "os.listdir('/sys/fs')"),
    _absent("list what is installed", "os.listdir('/usr/share/doc')"),
    Attack(
        "shadow by its owner", "open('/etc/shadow').read()", "ENOENT", m.OWN_USER, (m.ROOT,), alone="EACCES", modes=ROOT
    ),
    Attack(
        "the secret by its owner",
        "open(HOST['secret']).read()",
        "ENOENT",
        m.OWN_USER,
        (m.ROOT,),
        alone="EACCES",
        modes=ROOT,
    ),
    Attack(
        "cookies by their owner",
        "open(HOST['neighbour'] + '/Cookies').read()",
        "ENOENT",
        m.USER_PER_RUNNER,
        (m.ROOT,),
        alone="EACCES",
        modes=ROOT,
    ),
    Attack(
        "signal another tenant's process",
        "os.kill(HOST['other'], 0)",
        "ESRCH",
        m.USER_PER_RUNNER,
        (m.PID_NS,),
        alone="EPERM",
        modes=ROOT,
    ),
    Attack(
        "kill the supervisor",
        "os.kill(HOST['admin'], signal.SIGKILL)",
        "ESRCH",
        m.OWN_USER,
        (m.PID_NS,),
        alone="EPERM",
        modes=ROOT,
    ),
    Attack(
        "where cores go",
        "open('/proc/sys/kernel/core_pattern', 'r+')",
        "EACCES",
        m.OWN_USER,
        (m.USER_NS, m.READ_ONLY_PROC),
        modes=ROOT,
    ),
    Attack(
        "the kernel's caches",
        "os.open('/proc/sys/vm/drop_caches', os.O_WRONLY)",
        "EACCES",
        m.OWN_USER,
        (m.USER_NS, m.READ_ONLY_PROC),
        modes=ROOT,
    ),
    Attack(
        "installed packages of the host",
        "if not os.listdir('/opt/pageworker/code/pw_library/site-packages'): raise Missed('masked')",
        "Missed",
        m.MASKS,
    ),
)
READ_ONLY = (
    Attack("write code", "open(SHARED + '/x', 'w')", "EROFS", m.READ_ONLY_BINDS),
    Attack("make a folder beside code", "os.mkdir(SHARED + f'/{os.getpid()}')", "EROFS", m.READ_ONLY_BINDS),
    Attack("link code elsewhere", "os.symlink('/profile', SHARED + f'/l{os.getpid()}')", "EROFS", m.READ_ONLY_BINDS),
    Attack("change what code may be", "os.chmod(SHARED, 0o777)", "EROFS", m.READ_ONLY_BINDS),
    Attack("write to the root", "open('/x', 'w')", "EROFS", m.READ_ONLY_ROOT),
    Attack("make a folder in the root", "os.mkdir(f'/{os.getpid()}')", "EROFS", m.READ_ONLY_ROOT),
    Attack("a policy of one's own", "os.makedirs('/etc/chromium/policies/recommended')", "EROFS", m.READ_ONLY_ROOT),
    Attack("write to /dev", "open('/dev/x', 'w')", "EROFS", m.READ_ONLY_DEV),
    Attack(
        "hard link out of code", "os.link(SHARED + '/program', SHARED + f'/h{os.getpid()}')", "EROFS", m.READ_ONLY_BINDS
    ),
)
PROGRAMS = (
    Attack("a program from the profile", "run(placed('/profile/program'))", "EACCES", m.NOEXEC_PROFILE, (m.LAYER_1,)),
    Attack("a program from scratch", "run(placed('/tmp/program'))", "EACCES", m.NOEXEC_SCRATCH, (m.LAYER_1,)),
    Attack("a program from shared memory", "run(placed('/dev/shm/program'))", "EACCES", m.NOEXEC_SCRATCH, (m.LAYER_1,)),
    Attack(
        "a script from the profile",
        "run(placed('/profile/script', f'#!{NODE} -v\\n'.encode()))",
        "EACCES",
        m.NOEXEC_PROFILE,
        (m.LAYER_1,),
    ),
    Attack("code mapped from the profile", "mapped('/profile/m')", "EPERM", m.NOEXEC_PROFILE),
    Attack("code mapped from scratch", "mapped('/tmp/m')", "EPERM", m.NOEXEC_SCRATCH),
    Attack("code mapped from shared memory", "mapped('/dev/shm/m')", "EPERM", m.NOEXEC_SCRATCH),
    Attack(
        "code mapped from a device",
        "mmap.mmap(os.open('/dev/zero', os.O_RDWR), 4096, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ | mmap.PROT_EXEC)",
        "EPERM",
        m.NOEXEC_DEVICES,
    ),
    Attack(
        "a library from the profile",
        "placed('/profile/lib.so', open(library(), 'rb').read())\ntry: ctypes.CDLL('/profile/lib.so')\n"
        "except OSError as error: raise PermissionError(errno.EPERM, str(error))",
        "EPERM",
        m.NOEXEC_PROFILE,
    ),
    Attack("a program beside code", "run(SHARED + '/program')", "EACCES", m.LAYER_1),
    Attack("the interpreter again", "run(PYTHON, '-I', '-S', '-c', 'pass')", "EACCES", m.LAYER_1),
    Attack(
        "the interpreter by its descriptor",
        "fd = os.open(PYTHON, os.O_RDONLY)\nos.set_inheritable(fd, True)\nos.execve(fd, ['x', '-I', '-S', '-c', 'pass'], {})",
        "EACCES",
        m.LAYER_1,
    ),
    Attack(
        "the interpreter by way of a link",
        "os.path.lexists('/profile/py') or os.symlink(PYTHON, '/profile/py')\nrun('/profile/py', '-I', '-S', '-c', 'pass')",
        "EACCES",
        m.LAYER_1,
    ),
    Attack(
        "a program that belongs to root",
        "run('/profile/setuid')",
        "EACCES",
        m.NOSUID,
        (m.NOEXEC_PROFILE, m.LAYER_1, m.USER_NS, m.NO_NEW_PRIVS, m.runner_filter(m.EVERYTHING)),
        alone="Missed",
        modes=ROOT,
    ),
    Attack(
        "a program that belongs to root, without nosuid",
        "run('/profile/setuid')",
        "EACCES",
        m.NO_NEW_PRIVS,
        (m.NOEXEC_PROFILE, m.LAYER_1, m.USER_NS, m.NOSUID, m.runner_filter(m.EVERYTHING)),
        alone="Missed",
        modes=ROOT,
    ),
    Attack("a device in the profile", "os.open('/profile/device', os.O_RDONLY)", "EACCES", m.NODEV, modes=ROOT),
)
OWN = (
    Attack(
        "the supervisor's environment",
        "if 'PW_ESCAPE_SECRET' not in os.environ: raise Missed('empty')",
        "Missed",
        m.ENVIRONMENT,
    ),
    Attack(
        "a descriptor of the supervisor",
        "for fd in map(int, os.listdir('/proc/self/fd')):\n try: found = os.pread(fd, 100, 0)\n except OSError: continue\n"
        " if found == b'secret': break\nelse: raise Missed('none')",
        "Missed",
        m.DESCRIPTORS,
    ),
    Attack(
        "the operator's terminal",
        "fd = os.open('/dev/tty', os.O_RDWR)\nos.write(fd, b'x')",
        "ENOENT",
        m.NEW_SESSION,
        (m.DEVICES,),
        alone="ENXIO",
    ),
    Attack(
        "type at the operator's terminal",
        "fcntl.ioctl(0, 0x5412, b'x')",
        "ENOSYS",
        m.runner_filter("ioctl"),
        (m.NEW_SESSION, m.DEVICES),
        reached=("EIO",),
    ),
    Attack(
        "type at it with an upper bit set",
        "must(libc.ioctl(0, ctypes.c_ulong(0x1_0000_5412), b'x'))",
        "ENOSYS",
        m.runner_filter("ioctl"),
        (m.NEW_SESSION, m.DEVICES),
        reached=("EIO",),
    ),
    Attack("a terminal by its device", "os.open('/dev/tty', os.O_RDWR)", "ENOENT", m.DEVICES, (m.NEW_SESSION,)),
    Attack(
        "flags of a file",
        "fcntl.ioctl(os.open('/profile', os.O_RDONLY), 0x80086601, bytes(8))",
        "ENOSYS",
        m.runner_filter("ioctl"),
        reached=("ENOTTY",),
    ),
)
ATTACKS = (*HOSTS, *READ_ONLY, *PROGRAMS, *OWN)
