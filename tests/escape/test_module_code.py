"""Attacks by module code: Python, ctypes and machine code in the confined process."""

import errno

import pytest
from pw_wall import cells
from pw_wall.cells import Inside, Refused

pytestmark = [pytest.mark.sandbox, pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

FILES = {
    "passwd": "open('/etc/passwd')",
    "hosts": "open('/etc/hosts')",
    "own profile": "os.listdir('/profile')",
    "own cookies": "open('/profile/Default/Cookies', 'rb')",
    "own environment": "open('/proc/self/environ')",
    "own memory": "open('/proc/self/mem', 'r+b')",
    "own maps": "open('/proc/self/maps')",
    "first process' environment": "open('/proc/1/environ')",
    "first process' root": "os.listdir('/proc/1/root')",
    "browser's memory": "open(f'/proc/{os.getpid() + 1}/mem', 'r+b')",
    "list of processes": "os.listdir('/proc')",
    "root": "os.listdir('/')",
    "scratch": "os.listdir('/tmp')",
    "shared memory": "os.listdir('/dev/shm')",
    "by descriptor of a folder": "os.open('passwd', os.O_RDONLY, dir_fd=os.open('/etc', os.O_PATH))",
    "reopening a path descriptor": "open(f\"/proc/self/fd/{os.open('/etc/hosts', os.O_PATH)}\")",
    "write own code": "open('/opt/pageworker/code/pageworker_sandbox/memfd.py', 'a')",
    "write profile": "open('/profile/x', 'w')",
    "write scratch": "open('/tmp/x', 'w')",
    "write shared memory": "open('/dev/shm/x', 'w')",
    "write to a device": "open('/dev/full', 'w')",
    "make a folder": "os.mkdir('/tmp/x')",
    "remove a folder": "os.rmdir('/profile/Default')",
    "remove a file": "os.unlink('/profile/Default/Preferences')",
    "rename": "os.rename('/profile/Default', '/profile/x')",
    "symlink": "os.symlink('/etc', '/profile/x')",
    "hard link": "os.link('/opt/pageworker/start.py', '/profile/x')",
    "fifo": "os.mkfifo('/profile/x')",
    "mode": "os.chmod('/profile', 0o777)",
    "times": "os.utime('/profile')",
    "truncate": "os.truncate('/profile/Default/Preferences', 0)",
    "attribute": "os.setxattr('/profile', 'user.x', b'')",
}
PROCESSES = {
    "fork": "os.fork()",
    "forkpty": "os.forkpty()",
    "vfork": "call('vfork')",
    "clone without a thread's flags": "call('clone', 17, None, None, None, None)",
    "clone like vfork": "call('clone', 0x4111, None, None, None, None)",
    "clone of a thread in a namespace": "call('clone', 0x10000F00 | 0x10000, None, None, None, None)",
    "clone3": "call('clone3', None, 0)",
    "exec interpreter": "os.execv('/usr/bin/python3.11', ['python3'])",
    "exec driver": "os.execv('/opt/pageworker/site/playwright/driver/node', ['node'])",
    "exec loader": "os.execv('/lib64/ld-linux-x86-64.so.2', ['ld', '/usr/bin/python3.11'])",
    "exec a memfd": "call('execveat', os.memfd_create('x'), b'', None, None, 0x1000)",
    "subprocess": "subprocess.run(['/usr/bin/python3.11'])",
    "posix_spawn": "os.posix_spawn('/usr/bin/python3.11', ['python3'], {})",
    "kill first process": "os.kill(1, 9)",
    "kill everybody": "os.kill(-1, 9)",
    "kill driver": "os.kill(os.getpid() + 1, 9)",
    "kill own group": "os.killpg(os.getpgrp(), 9)",
    "probe for supervisor": "os.kill(os.getppid(), 0)",
    "tgkill": "call('tgkill', 1, 1, 9)",
    "tkill": "call('tkill', 1, 9)",
    "pidfd": "os.pidfd_open(1)",
    "pidfd_getfd": "call('pidfd_getfd', 3, 3, 0)",
    "kill by a pidfd that the runner holds": "call('pidfd_send_signal', 3, 9, None, 0)",
    "ptrace attach": "call('ptrace', 16, os.getpid() + 1, 0, 0)",
    "ptrace traceme": "call('ptrace', 0, 0, 0, 0)",
    "process_vm_readv": "call('process_vm_readv', 1, None, 0, None, 0, 0)",
    "others' limits": "resource.prlimit(1, resource.RLIMIT_NOFILE)",
    "own limits by prlimit": "resource.prlimit(0, resource.RLIMIT_NPROC, (64, 64))",
    "priority": "os.setpriority(os.PRIO_PROCESS, 1, 19)",
    "affinity": "os.sched_setaffinity(1, {0})",
}
NETWORK = {
    "tcp": "socket.socket()",
    "tcp6": "socket.socket(socket.AF_INET6)",
    "udp": "socket.socket(socket.AF_INET, socket.SOCK_DGRAM)",
    "raw": "socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)",
    "packet": "socket.socket(socket.AF_PACKET, socket.SOCK_RAW)",
    "unix": "socket.socket(socket.AF_UNIX)",
    "netlink": "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)",
    "vsock": "socket.socket(socket.AF_VSOCK)",
    "alg": "socket.socket(socket.AF_ALG, socket.SOCK_SEQPACKET)",
    "datagram pair": "socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)",
    "connection": "socket.create_connection(('127.0.0.1', 80))",
    "connect the channel elsewhere": "channel.dup().connect('\\0evil')",
    "bind the channel": "channel.dup().bind('\\0evil')",
    "accept on the channel": "channel.dup().listen()",
    "name resolution": "socket.getaddrinfo('example.com', 80)",
}
KERNEL = {
    "new user namespace": "call('unshare', 0x10000000)",
    "new mount namespace": "call('unshare', 0x20000)",
    "setns": "call('setns', 3, 0)",
    "mount": "call('mount', b'none', b'/tmp', b'tmpfs', 0, None)",
    "open_tree": "call('open_tree', -100, b'/', 1)",
    "mount_setattr": "call('mount_setattr', -100, b'/', 0, None, 0)",
    "chroot": "os.chroot('/tmp')",
    "open_by_handle_at": "call('open_by_handle_at', 3, None, 0)",
    "io_uring": "call('io_uring_setup', 1, ctypes.create_string_buffer(120))",
    "bpf": "call('bpf', 0, ctypes.create_string_buffer(120), 120)",
    "perf": "call('perf_event_open', ctypes.create_string_buffer(120), 0, -1, -1, 0)",
    "userfaultfd": "call('userfaultfd', 1)",
    "keyctl": "call('keyctl', 0, -3, 0, 0, 0)",
    "add_key": "call('add_key', b'user', b'x', b'x', 1, -3)",
    "another filter": "call('seccomp', 1, 0, None)",
    "dumpable again": "call('prctl', 4, 1, 0, 0, 0)",
    "tracer of one's choice": "call('prctl', 0x59616d61, -1, 0, 0, 0)",
    "setuid": "os.setuid(0)",
    "setgroups": "os.setgroups([0])",
    "hostname": "socket.sethostname('x')",
    "input to a terminal": "__import__('fcntl').ioctl(0, 0x5412, b'x')",
    "the same with an upper bit": "must(libc.ioctl(0, ctypes.c_ulong(0x1_0000_5412), b'x'))",
    "shared memory of System V": "must(libc.shmget(0, 4096, 0o1600))",
}
REFUSALS = {errno.EPERM, errno.EACCES, errno.ENOSYS, errno.ENOENT, errno.EROFS}


def attacks() -> list[object]:
    groups = (("file", FILES), ("process", PROCESSES), ("network", NETWORK), ("kernel", KERNEL))
    return [pytest.param(code, id=f"{group}: {name}") for group, table in groups for name, code in table.items()]


@pytest.mark.parametrize("code", attacks())
async def test_it_is_refused_by_the_kernel(confined: Inside, code: str) -> None:
    with pytest.raises(Refused) as caught:
        await confined.run(code)
    if "getaddrinfo" in code:
        assert caught.value.kind == "gaierror"  # it answers in its own numbers
    else:
        assert caught.value.errno in REFUSALS, str(caught.value)


async def test_the_page_goes_on_working(confined: Inside) -> None:
    title = "await page.goto('data:text/html,<title>up</title>')\nanswer = await page.title()"
    assert await confined.run(title) == "up"


async def test_threads_memfds_and_imports_go_on_working(confined: Inside) -> None:
    works = """
import decimal, sqlite3, zoneinfo, unicodedata
from pageworker_sandbox import memfd
done = []
threads = [threading.Thread(target=done.append, args=(1,)) for _ in range(8)]
[thread.start() for thread in threads]; [thread.join() for thread in threads]
fd = memfd.seal(b"x" * 1000, "x")
answer = [len(done), len(memfd.read_sealed(fd, 1000)), str(zoneinfo.ZoneInfo("Europe/Berlin"))]
os.close(fd)
"""
    assert await confined.run(works) == [8, 1000, "Europe/Berlin"]


async def test_a_thread_is_as_confined_as_its_process(confined: Inside) -> None:
    attack = """
errors = []
def attack():
    for act in (os.fork, lambda: os.listdir("/profile"), socket.socket):
        try:
            act()
        except OSError as error:
            errors.append(error.errno)
thread = threading.Thread(target=attack); thread.start(); thread.join()
answer = errors
"""
    assert await confined.run(attack) == [errno.EPERM, errno.EACCES, errno.EPERM]


async def test_no_signal_goes_by_way_of_a_descriptors_owner(confined: Inside) -> None:
    # fcntl(F_SETOWN) is permitted; Landlock's scope (ABI 6) keeps the signal from anybody outside.
    attack = """
import fcntl
read, write = os.pipe()
fcntl.fcntl(read, fcntl.F_SETOWN, os.getpid() + 1)
fcntl.fcntl(read, 10, signal.SIGKILL)
fcntl.fcntl(read, fcntl.F_SETFL, os.O_ASYNC | os.O_NONBLOCK)
os.write(write, b"x")
await page.goto("data:text/html,<title>alive</title>")
answer = await page.title()
"""
    assert await confined.run(attack) == "alive"


async def test_native_code_runs_and_is_refused_the_same(confined: Inside) -> None:
    """Stays possible: machine code in the process itself. It meets the same kernel."""
    attack = """
def native(code):
    page_ = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page_.write(code)
    return ctypes.CFUNCTYPE(ctypes.c_long)(ctypes.addressof(ctypes.c_char.from_buffer(page_))), page_
number, keep = native(bytes.fromhex("b827000000" "0f05" "c3"))              # getpid()
opened, keep2 = native(bytes.fromhex("b829000000" "bf02000000" "be01000000" "31d2" "0f05" "c3"))  # socket(2, 1, 0)
answer = [number() == os.getpid(), opened()]
"""
    assert await confined.run(attack) == [True, -errno.EPERM]


async def test_a_library_can_not_be_loaded_from_a_memfd_by_name(confined: Inside) -> None:
    with pytest.raises(Refused):
        await confined.run("ctypes.CDLL(f\"/proc/self/fd/{os.memfd_create('x')}\")")


@pytest.mark.parametrize(
    "code",
    [
        pytest.param("b8290000400f05c3", id="x32: the call number's bit 30"),
        pytest.param("b814000000cd80c3", id="i386: int 0x80"),
    ],
)
async def test_another_calling_convention_is_the_end(code: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    attack = f"""
import ctypes, mmap
page_ = mmap.mmap(-1, 4096, prot=7)
page_.write(bytes.fromhex({code!r}))
answer = ctypes.CFUNCTYPE(ctypes.c_long)(ctypes.addressof(ctypes.c_char.from_buffer(page_)))()
"""
    profile = tmp_path_factory.mktemp("convention") / "profile"
    async with cells.cell(cells.host(cells.HEADLESS), cells.spec(profile)) as inside:
        with pytest.raises(EOFError):
            await inside.run(attack)
        status = await inside.cell.wait()
    assert status.code == 128 + 31  # SIGSYS
