"""On limited resources: processes, memory, files, descriptors."""

from pw_escape import mechanisms as m
from pw_escape.attack import Attack, StartedBy

BOMB = """
children = []
try:
    while len(children) < 300:
        child = os.fork()
        if child == 0:
            signal.pause(); os._exit(0)
        children.append(child)
finally:
    for child in children: os.kill(child, 9)
    for child in children: os.waitpid(child, 0)
"""
FILES = """
os.mkdir(f'{folder}/many')
try:
    for made in range(40_000): os.close(os.open(f'{folder}/many/{made}', os.O_CREAT | os.O_WRONLY))
finally:
    for name in os.listdir(f'{folder}/many'): os.unlink(f'{folder}/many/{name}')
    os.rmdir(f'{folder}/many')
"""
FILL = """
try:
    fd = os.open(f'{folder}/fill', os.O_CREAT | os.O_RDWR)
    os.posix_fallocate(fd, 0, 200 << 20)
finally:
    os.unlink(f'{folder}/fill')
"""
PIECES = """
class Ended(Exception): pass
def piece():
    held = bytearray(450 << 20)
    for at in range(0, len(held), 4096): held[at] = 1
    os.write(write, b"x")
    signal.pause()
read, write = os.pipe()
children = []
for _ in range(2):
    children.append(os.fork())
    if not children[-1]: piece()
os.close(write)
try:
    held = b""
    while len(held) < 2:
        ended, status = os.waitpid(-1, os.WNOHANG)
        if ended:
            error = Ended("no memory")
            error.kind = signal.Signals(os.WTERMSIG(status)).name
            raise error
        if select.select([read], [], [], 0.05)[0]: held += os.read(read, 2)
finally:
    for child in children:
        try: os.kill(child, 9)
        except ProcessLookupError: pass
"""
RAISE = "resource.setrlimit(resource.{0}, ({1}, {1}))"

ATTACKS = (
    Attack("a fork bomb", BOMB, "EAGAIN", m.PROCESSES, (m.CONTROL_GROUP,)),
    Attack(
        "a fork bomb in a user namespace", "root_in_a_namespace()\n" + BOMB, "EAGAIN", m.PROCESSES, (m.CONTROL_GROUP,)
    ),
    Attack(
        "a fork bomb without a limit on users", BOMB, "EAGAIN", m.CONTROL_GROUP, (m.PROCESSES,), modes=(StartedBy.ROOT,)
    ),
    Attack("the memory in pieces", PIECES, "SIGKILL", m.CONTROL_GROUP, modes=(StartedBy.ROOT,)),
    Attack(
        "a bomb of threads",
        "threading.stack_size(65536)\nfree = threading.Event()\ntry:\n for _ in range(300): threading.Thread(target=free.wait, daemon=True).start()\nfinally: free.set()",
        "RuntimeError",
        m.PROCESSES,
        (m.CONTROL_GROUP,),
    ),
    Attack("more processes", RAISE.format("RLIMIT_NPROC", 10_000), "ValueError", m.PROCESSES),
    Attack("core dumps", RAISE.format("RLIMIT_CORE", 1 << 20), "ValueError", m.CORES),
    Attack("all the memory at once", "bytearray(2 << 30)", "MemoryError", m.DATA, (m.CONTROL_GROUP,)),
    Attack("all the memory by a mapping", "mmap.mmap(-1, 2 << 30, flags=mmap.MAP_PRIVATE)", "ENOMEM", m.DATA),
    Attack("a larger data segment", RAISE.format("RLIMIT_DATA", 1 << 40), "ValueError", m.DATA),
    Attack(
        "a huge file", "os.truncate(os.open('/profile/huge', os.O_RDWR | os.O_CREAT), 1 << 40)", "EFBIG", m.FILE_SIZE
    ),
    Attack("a huge file in memory", "os.ftruncate(os.memfd_create('x', 8), 1 << 40)", "EFBIG", m.FILE_SIZE),
    Attack("larger files", RAISE.format("RLIMIT_FSIZE", 1 << 50), "ValueError", m.FILE_SIZE),
    Attack("more open files", RAISE.format("RLIMIT_NOFILE", 16_384), "ValueError", m.OPEN_FILES),
    Attack(
        "open files without end",
        "soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)\nresource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))\n"
        "for _ in range(9000): os.dup(0)",
        "EMFILE",
        m.OPEN_FILES,
    ),
    *(
        Attack(f"fill {folder}", f"folder = '{folder}'\n" + FILL, "ENOSPC", m.SCRATCH_SIZE, (m.SCRATCH_FILES,))
        for folder in ("/tmp", "/dev/shm")
    ),
    *(
        Attack(f"files without end in {folder}", f"folder = '{folder}'\n" + FILES, "ENOSPC", m.SCRATCH_FILES)
        for folder in ("/tmp", "/dev/shm")
    ),
)
