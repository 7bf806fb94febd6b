"""Attacks by native code in the browser or the driver, which have no second layer: the cell itself holds them."""

import errno
import os
import socket

import pytest
from pw_wall.cells import Inside, Refused

pytestmark = [pytest.mark.sandbox, pytest.mark.asyncio(loop_scope="module")]

ATTACKS = {
    "passwd": "open('/etc/passwd')",
    "shadow": "open('/etc/shadow')",
    "host's root by the first process": "os.listdir('/proc/1/root/root')",
    "first process' memory": "open('/proc/1/mem', 'rb').read(1)",
    "write the root": "open('/x', 'w')",
    "write devices": "open('/dev/x', 'w')",
    "write code": "open('/opt/pageworker/code/x', 'w')",
    "write the interpreter": "open('/usr/bin/python3.11', 'a')",
    "write libraries": "open('/usr/lib/x86_64-linux-gnu/x', 'w')",
    "write policy": "open('/etc/chromium/policies/managed/pageworker.json', 'w')",
    "write sysctl": "open('/proc/sys/kernel/core_pattern', 'w')",
    "sysrq": "open('/proc/sysrq-trigger', 'w').write('b')",
    "a disk": "os.mknod('/tmp/x', 0o60600, os.makedev(254, 0))",
    "exec interpreter": "os.execv('/usr/bin/python3.11', ['python3'])",
    "exec shell": "os.execv('/bin/sh', ['sh'])",
    "exec from the profile": "os.execv(program('/profile/x'), ['x'])",
    "exec from scratch": "os.execv(program('/tmp/x'), ['x'])",
    "exec from shared memory": "os.execv(program('/dev/shm/x'), ['x'])",
    "map code from the profile": "mapped('/profile/m')",
    "map code from scratch": "mapped('/tmp/m')",
    "map code from shared memory": "mapped('/dev/shm/m')",
    "vsock": "socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)",
    "raw": "socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)",
    "packet": "socket.socket(socket.AF_PACKET, socket.SOCK_RAW)",
    "alg": "socket.socket(socket.AF_ALG, socket.SOCK_SEQPACKET)",
    "bluetooth": "socket.socket(31, socket.SOCK_RAW, 1)",
    "nftables": "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)",
    "audit": "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 9)",
    "mount": "call('mount', b'none', b'/tmp', b'tmpfs', 0, None)",
    "remount": "call('mount', None, b'/', None, 32, None)",
    "mount namespace": "call('unshare', 0x20000)",
    "mount namespace by clone": "call('clone', 0x20000 | 17, None, None, None, None)",
    "uts namespace": "call('unshare', 0x04000000)",
    "setns": "call('setns', os.open('/proc/1/ns/mnt', os.O_RDONLY), 0)",
    "ptrace first process": "call('ptrace', 16, 1, 0, 0)",
    "process_vm_readv": "call('process_vm_readv', 1, None, 0, None, 0, 0)",
    "pidfd_getfd": "call('pidfd_getfd', os.pidfd_open(1), 0, 0)",
    "open_by_handle_at": "call('open_by_handle_at', 3, None, 0)",
    "open_tree": "call('open_tree', -100, b'/', 1)",
    "io_uring": "call('io_uring_setup', 1, ctypes.create_string_buffer(120))",
    "bpf": "call('bpf', 0, ctypes.create_string_buffer(120), 120)",
    "perf": "call('perf_event_open', ctypes.create_string_buffer(120), 0, -1, -1, 0)",
    "userfaultfd": "call('userfaultfd', 1)",
    "keyctl": "call('keyctl', 0, -3, 0, 0, 0)",
    "clone3": "call('clone3', None, 0)",
    "personality": "must(libc.personality(0x0040000))",
    "kernel log": "must(libc.klogctl(3, None, 0))",
    "module": "must(libc.syscall(313, 0, b'', 0))",
    "input to a terminal": "__import__('fcntl').ioctl(0, 0x5412, b'x')",
    "terminal": "os.open('/dev/tty', os.O_RDWR)",
    "pseudo-terminal": "os.openpty()",
    "setuid root": "os.setuid(0)",
    "more processes": "resource.setrlimit(resource.RLIMIT_NPROC, (10_000, 10_000))",
    "a huge file": "os.truncate(os.open('/profile/huge', os.O_RDWR | os.O_CREAT), 1 << 40)",
    "core dumps": "resource.setrlimit(resource.RLIMIT_CORE, (1, 1))",
    "hard link out of the profile": "os.link('/opt/pageworker/start.py', '/profile/link')",
    "rename the profile": "os.rename('/profile', '/tmp/profile')",
    "the cloud's metadata": "socket.create_connection(('169.254.169.254', 80), 3)",
    "the internet": "socket.create_connection(('1.1.1.1', 53), 3)",
    "name resolution": "socket.getaddrinfo('example.com', 80)",
}
REFUSALS = {
    *(errno.EPERM, errno.EACCES, errno.ENOSYS, errno.ENOENT, errno.EROFS, errno.EXDEV, errno.EBUSY, errno.EFBIG),
    *(errno.EINVAL, errno.ENETUNREACH, errno.EAFNOSUPPORT),
}


@pytest.mark.parametrize("code", [pytest.param(code, id=name) for name, code in ATTACKS.items()])
async def test_it_is_refused_by_the_kernel(conquered: Inside, code: str) -> None:
    with pytest.raises(Refused) as caught:
        await conquered.run(code)
    if "getaddrinfo" in code:
        assert caught.value.kind == "gaierror"
    elif caught.value.kind == "ValueError":
        assert "maximum limit" in str(caught.value)  # resource's own word for EPERM
    else:
        assert caught.value.errno in REFUSALS, str(caught.value)


async def test_a_user_namespace_of_its_own_gives_nothing(conquered: Inside) -> None:
    # Chromium needs them. Root in one has no mount, no other namespace, no netfilter to attack the kernel with.
    attack = """
def attempt(act):
    try:
        act(); return 0
    except OSError as error:
        return error.errno
read, write = os.pipe()
child = os.fork()
if child == 0:
    uid = os.getuid()
    call("unshare", 0x10000000 | 0x40000000)
    open("/proc/self/uid_map", "w").write(f"0 {uid} 1")
    found = [os.getuid(), *map(attempt, (
        lambda: call("mount", b"none", b"/tmp", b"tmpfs", 0, None),
        lambda: call("unshare", 0x20000),
        lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12),
        lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW),
        lambda: open("/etc/passwd"),
        lambda: open("/x", "w"),
    ))]
    os.write(write, ",".join(map(str, found)).encode())
    os._exit(0)
os.waitpid(child, 0)
answer = os.read(read, 1000).decode()
"""
    root, *refused = map(int, (await conquered.run(attack)).split(","))
    assert root == 0
    assert all(refused), refused


async def test_only_its_own_processes_are_seen_and_signalled(conquered: Inside) -> None:
    seen = await conquered.run("answer = sorted(int(p) for p in os.listdir('/proc') if p.isdigit())")
    assert seen == [1, 2]
    for pid in (os.getpid(), os.getppid()):
        if pid > 2:
            with pytest.raises(Refused) as caught:
                await conquered.run(f"os.kill({pid}, 9)")
            assert caught.value.errno == errno.ESRCH


async def test_the_hosts_sockets_are_out_of_reach(conquered: Inside) -> None:
    name = f"\0pageworker-escape-{os.getpid()}"
    with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(socket.AF_UNIX) as abstract:
        abstract.bind(name)
        abstract.listen()
        port = tcp.getsockname()[1]
        for code in (
            f"socket.create_connection(('127.0.0.1', {port}), 3)",
            f"s = socket.socket(socket.AF_UNIX); s.connect({name!r})",
        ):
            with pytest.raises(Refused) as caught:
                await conquered.run(code)
            assert caught.value.errno == errno.ECONNREFUSED


@pytest.mark.parametrize("folder", ["/tmp", "/dev/shm"])
async def test_scratch_can_only_be_filled_to_its_limit(conquered: Inside, folder: str) -> None:
    fill = """
written, chunk = 0, bytes(8 << 20)
with open(f"{folder}/fill", "wb", buffering=0) as file:
    try:
        while True:
            written += file.write(chunk)
    except OSError as error:
        answer = [error.errno, written >> 20]
os.unlink(f"{folder}/fill")
"""
    number, mebibytes = await conquered.run(fill, folder=folder)
    assert number == errno.ENOSPC
    assert mebibytes <= 512


async def test_so_can_its_inodes(conquered: Inside) -> None:
    fill = """
made = 0
os.mkdir("/tmp/many")
try:
    for made in range(1_000_000):
        os.close(os.open(f"/tmp/many/{made}", os.O_CREAT | os.O_WRONLY))
except OSError as error:
    answer = [error.errno, made]
for name in os.listdir("/tmp/many"): os.unlink(f"/tmp/many/{name}")
"""
    number, made = await conquered.run(fill)
    assert number == errno.ENOSPC
    assert made < 40_000


async def test_no_process_takes_all_the_memory_at_once(conquered: Inside) -> None:
    for code in ("bytearray(3 << 30)", "mmap.mmap(-1, 3 << 30, flags=mmap.MAP_PRIVATE)"):
        with pytest.raises(Refused) as caught:
            await conquered.run(code)
        assert caught.value.kind == "MemoryError" or caught.value.errno == errno.ENOMEM


async def test_a_fork_bomb_stays_within_its_number(conquered: Inside) -> None:
    bomb = """
children, failed = [], None
try:
    while len(children) < 2000:
        child = os.fork()
        if child == 0:
            signal.pause(); os._exit(0)
        children.append(child)
except OSError as error:
    failed = error.errno
answer = [failed, len(children)]
[os.kill(child, 9) for child in children]; [os.waitpid(child, 0) for child in children]
"""
    number, count = await conquered.run(bomb)
    assert number == errno.EAGAIN
    assert 100 < count < 200


async def test_a_bomb_in_namespaces_of_its_own_counts_as_well(conquered: Inside) -> None:
    bomb = """
read, write = os.pipe()
child = os.fork()
if child == 0:
    os.setpgid(0, 0)
    call("unshare", 0x10000000)
    count = 0
    try:
        while count < 2000:
            if os.fork() == 0:
                signal.pause(); os._exit(0)
            count += 1
    except OSError:
        os.write(write, str(count).encode())
    os.kill(0, 9)
answer = int(os.read(read, 100))
"""
    count = await conquered.run(bomb)
    assert 100 < count < 200
