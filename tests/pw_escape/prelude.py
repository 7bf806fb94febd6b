"""An attacker's tools: source text that runs inside before each attack. It uses the names NR (numbers of system calls)
and HOST (what is there to attack)."""

PRELUDE = r'''
import ctypes, errno, fcntl, json, mmap, os, platform, resource, select, signal, socket, stat, struct, subprocess
import sys, threading, time
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET, NEWTIME = (
    0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000, 0x80)
AT_FDCWD, AT_EMPTY_PATH = -100, 0x1000
NODE = "/opt/pageworker/site/playwright/driver/node"
SHARED = "/opt/pageworker/code/pw_shared"

class Missed(Exception):
    """The attack was not refused, and got nothing."""

class Unavailable(Exception):
    """This kernel has not what the attack is on."""

def sys_(name, *arguments):
    number = NR.get(name, -1)
    if number < 0:
        raise Unavailable(name)
    words = [ctypes.c_long(a) if isinstance(a, int) else ctypes.byref(a) if isinstance(a, ctypes.Structure) else a
             for a in arguments]
    result = libc.syscall(ctypes.c_long(number), *words)
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{name}: {os.strerror(code)}")
    return result

def must(result):
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result

def buffer(size, data=b""):
    return ctypes.create_string_buffer(data, size)

def address(thing):
    return ctypes.addressof(thing)

def in_child(act):
    """In a process of its own, whose error is ours."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        said = b"0"
        try:
            act()
        except OSError as error:
            said = str(error.errno or 1).encode()
        except BaseException as error:
            said = ("!" + type(error).__name__ + ": " + str(error)).encode()
        os.write(write, said)
        os._exit(0)
    os.close(write)
    said = b""
    while part := os.read(read, 4096):
        said += part
    os.close(read)
    _, status = os.waitpid(child, 0)
    if not said:
        raise Missed(f"the child ended with {status}")
    if said[:1] == b"!":
        raise Missed(said.decode())
    if int(said):
        raise OSError(int(said), os.strerror(int(said)))

def root_in_a_namespace(*flags):
    """Root, and all capabilities, in a user namespace of our own, with those of the other namespaces that we get."""
    uid, gid = os.getuid(), os.getgid()
    sys_("unshare", NEWUSER)
    open("/proc/self/setgroups", "w").write("deny")
    open("/proc/self/uid_map", "w").write(f"0 {uid} 1")
    open("/proc/self/gid_map", "w").write(f"0 {gid} 1")
    for flag in flags:
        try:
            sys_("unshare", flag)
        except OSError:
            continue

def sibling(act=None):
    """Another process of the same sandbox, which waits to be attacked."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        libc.prctl(1, ctypes.c_ulong(9), 0, 0, 0)  # PR_SET_PDEATHSIG
        # The pipe that reports the outcome ends with the attacker, so no other process may have it open.
        for fd in map(int, os.listdir("/proc/self/fd")):
            if fd > 2 and fd != write:
                try: os.close(fd)
                except OSError: pass
        if act: act()
        os.write(write, b"x")
        while True: signal.pause()
    os.read(read, 1)
    os.close(read); os.close(write)
    return child

def gone(pid):
    """A child was ended by a signal."""
    deadline = time.monotonic() + 3
    while time.monotonic() < deadline:
        if os.waitpid(pid, os.WNOHANG)[0]: return True
        time.sleep(0.005)
    return False

def program(code=None):
    """A whole program of 1 page, for this machine: exits 0, or with what `code` puts into the first argument."""
    if platform.machine() == "x86_64":
        machine, text = 62, (code or b"\x31\xff") + b"\xb8\x3c\x00\x00\x00\x0f\x05"
    elif platform.machine() == "aarch64":
        machine, text = 183, (code or b"\x00\x00\x80\xd2") + b"\xa8\x0b\x80\xd2\x01\x00\x00\xd4"
    else:
        raise Unavailable(platform.machine())
    base = 0x400000
    head = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\x02\x01\x01", 2, machine, 1, base + 120, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    size = 120 + len(text)
    return head + struct.pack("<IIQQQQQQ", 1, 5, 0, base, base, size, size, 0x1000) + text

def euid_program():
    """Exits with 0 if it runs as root, else with 1."""
    if platform.machine() == "x86_64":  # geteuid; edi = (eax != 0)
        return program(b"\xb8\x6b\x00\x00\x00\x0f\x05\x31\xff\x85\xc0\x40\x0f\x95\xc7")
    if platform.machine() == "aarch64":
        return program(b"\xe8\x15\x80\xd2\x01\x00\x00\xd4\x1f\x00\x00\x71\xe0\x07\x9f\x1a")
    raise Unavailable(platform.machine())

def maker_program():
    """Makes the file that its first argument names."""
    if platform.machine() == "x86_64":  # creat(argv[1], 0600), exit(0)
        return program(b"\x48\x8b\x7c\x24\x10\xbe\x80\x01\x00\x00\xb8\x55\x00\x00\x00\x0f\x05\x31\xff")
    if platform.machine() == "aarch64":  # openat(AT_FDCWD, argv[1], O_CREAT | O_WRONLY, 0600), exit(0)
        return program(b"\x60\x0c\x80\x92\xe1\x0b\x40\xf9\x22\x08\x80\xd2\x03\x30\x80\xd2\x08\x07\x80\xd2\x01\x00\x00\xd4\x00\x00\x80\xd2")
    raise Unavailable(platform.machine())

def placed(path, data=None):
    """A program that anybody may execute."""
    with open(path, "wb") as file: file.write(program() if data is None else data)
    os.chmod(path, 0o755)
    return path

def run(path, *arguments):
    """Execute a program in a process of its own, to its end."""
    code = subprocess.run([path, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL, close_fds=True).returncode
    if code: raise Missed(f"{path} ended with {code}")

def library():
    """A shared library that is not loaded yet, and is there."""
    for folder in sys.path:
        for name in ("_json", "audioop", "_queue", "_lsprof", "mmap"):
            if os.path.isdir(folder):
                for file in os.listdir(folder):
                    if file.startswith(name + ".") and file.endswith(".so"): return os.path.join(folder, file)
    raise Unavailable("no library to load")

def mapped(path):
    with open(path, "w+b") as file:
        file.write(bytes(4096)); file.flush()
        return mmap.mmap(file.fileno(), 4096, prot=mmap.PROT_READ | mmap.PROT_EXEC)

def native(code):
    """Machine code in this very process."""
    page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(bytes.fromhex(code))
    native.kept = page
    return ctypes.CFUNCTYPE(ctypes.c_long)(ctypes.addressof(ctypes.c_char.from_buffer(page)))()

class Answered(Exception):
    """The gateway refused, and said why."""
    def __init__(self, kind):
        super().__init__(kind)
        self.kind = kind

def received(sock):
    said = b""
    while b"\r\n\r\n" not in said:
        part = sock.recv(65536)
        if not part: raise Missed(f"cut off after {said!r}")
        said += part
    return said

def through_gateway(request, port=None):
    """What came of one request, or of what only looks like one."""
    request, at, through = request if isinstance(request, tuple) else (request, None, b"")
    with socket.create_connection(("127.0.0.1", port or PORT), 10) as sock:
        sock.settimeout(10)
        sock.sendall(request)
        said = received(sock)
        if b" 200 " in said.split(b"\r\n")[0] and through:
            sock.sendall(through)
            said = received(sock)
    for line in said.decode("latin-1").lower().split("\r\n"):
        if line.startswith("pageworker-egress "): raise Answered(line.split()[2])
    if b" 200 " not in said.split(b"\r\n")[0]: raise Missed(said)
    if at and at.encode() not in said: raise Missed(f"not at {at}: {said}")

def get(url, *headers, at=None):
    host = () if any(word.startswith("Host:") for word in headers) else (f"Host: {url.split('/')[2]}",)
    return "\r\n".join((f"GET {url} HTTP/1.1", *host, *headers, "", "")).encode(), at, b""

def tunnel(authority, plain=None):
    authority = authority if plain is None else f"{authority.rpartition(':')[0]}:{plain}"
    return f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n".encode(), None, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"

def asked(address, family=socket.AF_INET, kind=socket.SOCK_STREAM, text=b"hello"):
    """Connect, say something, be answered."""
    with socket.socket(family, kind) as sock:
        sock.settimeout(3)
        sock.connect(address)
        sock.sendall(text)
        if not sock.recv(100): raise Missed("no answer")

class Iov(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("size", ctypes.c_size_t))

def iov(thing, size, at=None):
    return Iov(at or ctypes.addressof(thing), size)

SECRET = ctypes.create_string_buffer(b"secret of this very process")
'''
CALLS = [
    "access",
    "acct",
    "add_key",
    "adjtimex",
    "bpf",
    "clock_adjtime",
    "clone",
    "clone3",
    "delete_module",
    "execve",
    "execveat",
    "fanotify_init",
    "fanotify_mark",
    "finit_module",
    "fork",
    "fsconfig",
    "fsmount",
    "fsopen",
    "fspick",
    "init_module",
    "io_uring_setup",
    "ioctl",
    "ioperm",
    "iopl",
    "kcmp",
    "kexec_file_load",
    "kexec_load",
    "keyctl",
    "kill",
    "listmount",
    "mbind",
    "memfd_create",
    "memfd_secret",
    "migrate_pages",
    "mknod",
    "mknodat",
    "modify_ldt",
    "mount",
    "mount_setattr",
    "move_mount",
    "move_pages",
    "mq_getsetattr",
    "mq_notify",
    "mq_open",
    "mq_timedreceive",
    "mq_timedsend",
    "mq_unlink",
    "msgctl",
    "msgget",
    "msgrcv",
    "msgsnd",
    "name_to_handle_at",
    "open_by_handle_at",
    "open_tree",
    "openat",
    "openat2",
    "perf_event_open",
    "personality",
    "pidfd_getfd",
    "pidfd_open",
    "pidfd_send_signal",
    "pivot_root",
    "prctl",
    "process_madvise",
    "process_mrelease",
    "process_vm_readv",
    "process_vm_writev",
    "ptrace",
    "quotactl",
    "quotactl_fd",
    "reboot",
    "request_key",
    "rt_sigqueueinfo",
    "rt_tgsigqueueinfo",
    "seccomp",
    "semctl",
    "semget",
    "semop",
    "semtimedop",
    "set_mempolicy",
    "setdomainname",
    "sethostname",
    "setns",
    "shmat",
    "shmctl",
    "shmdt",
    "shmget",
    "socket",
    "statmount",
    "swapoff",
    "swapon",
    "sysfs",
    "syslog",
    "tgkill",
    "tkill",
    "umount2",
    "unshare",
    "userfaultfd",
    "ustat",
    "vfork",
    "set_mempolicy_home_node",
    "setsockopt",
    "getsockopt",
    "prlimit64",
    "capset",
    "mseal",
    "lookup_dcookie",
    "landlock_create_ruleset",
    "rename",
    "renameat2",
    "link",
    "symlink",
    "ftruncate",
    "truncate",
    "sched_setscheduler",
    "sched_setaffinity",
    "setpriority",
    "ioprio_set",
    "chroot",
    "setresuid",
    "setfsuid",
    "setgroups",
    "connect",
    "bind",
    "listen",
    "accept4",
    "socketpair",
    "unlink",
    "mkdir",
    "rmdir",
    "chmod",
    "chown",
    "setxattr",
    "utimensat",
    "inotify_init1",
    "wait4",
    "process_mrelease",
    "cachestat",
    "map_shadow_stack",
    "settimeofday",
    "creat",
    "clock_settime",
    "io_uring_enter",
    "io_uring_register",
    "msgctl",
    "shmdt",
    "vhangup",
]
