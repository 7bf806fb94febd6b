"""On what all processes of a machine share where no namespace separates them, and on capabilities."""

from pw_escape import mechanisms as m
from pw_escape.attack import Attack, StartedBy

ROOT = (StartedBy.ROOT,)
CALLS_OF_IPC = tuple(m.runner_filter(call) for call in ("shmget", "shmat", "msgget", "semget", "mq_open"))

ATTACKS = (
    # pid
    Attack(
        "see the host's processes",
        "if str(HOST['bait']) not in os.listdir('/proc'): raise Missed('own only')",
        "Missed",
        m.PID_NS,
    ),
    Attack("signal a process of the host", "os.kill(HOST['bait'], 0)", "ESRCH", m.PID_NS),
    Attack("kill a process of the host", "os.kill(HOST['bait'], signal.SIGKILL)", "ESRCH", m.PID_NS),
    Attack("kill it by a pidfd", "signal.pidfd_send_signal(os.pidfd_open(HOST['bait']), 9)", "ESRCH", m.PID_NS),
    Attack(
        "queue a signal for it",
        "sys_('rt_sigqueueinfo', HOST['bait'], 10, buffer(128, struct.pack('iii', 10, 0, -2)))",
        "ESRCH",
        m.PID_NS,
    ),
    Attack("slow a process of the host down", "os.setpriority(os.PRIO_PROCESS, HOST['bait'], 19)", "ESRCH", m.PID_NS),
    Attack(
        "limits of a process of the host",
        "resource.prlimit(HOST['bait'], resource.RLIMIT_NOFILE, (4, 4))",
        "ESRCH",
        m.PID_NS,
        (m.USER_NS,),
        modes=ROOT,
    ),
    Attack("cores of a process of the host", "os.sched_setaffinity(HOST['bait'], {0})", "ESRCH", m.PID_NS),
    Attack(
        "command line of a process of the host", "open(f\"/proc/{HOST['bait']}/cmdline\").read()", "ENOENT", m.PID_NS
    ),
    Attack(
        "signal by a descriptor's owner",
        "read, write = os.pipe()\nfcntl.fcntl(read, fcntl.F_SETOWN, HOST['bait'])\n"
        "if fcntl.fcntl(read, fcntl.F_GETOWN) != HOST['bait']: raise Missed('no such process')",
        "ESRCH|Missed",
        m.PID_NS,
    ),
    # user
    Attack(
        "memory of a process of the same user",
        "open(f\"/proc/{HOST['bait']}/mem\", 'rb')",
        "ENOENT",
        m.USER_NS,
        (m.PID_NS, m.LAYER_1),
        alone="EACCES",
        modes=ROOT,
    ),
    Attack(
        "the host's root by a process of the same user",
        "os.listdir(f\"/proc/{HOST['bait']}/root/\")",
        "ENOENT",
        m.USER_NS,
        (m.PID_NS, m.LAYER_1),
        alone="EACCES",
        modes=ROOT,
    ),
    Attack(
        "environment of a process of the same user",
        "open(f\"/proc/{HOST['bait']}/environ\", 'rb').read()",
        "ENOENT",
        m.USER_NS,
        (m.PID_NS, m.LAYER_1),
        alone="EACCES",
        modes=ROOT,
    ),
    Attack(
        "descriptors of a process of the same user",
        "os.open(f\"/proc/{HOST['bait']}/fd/0\", os.O_RDONLY)",
        "ENOENT",
        m.USER_NS,
        (m.PID_NS, m.LAYER_1),
        alone="EACCES",
        modes=ROOT,
    ),
    Attack(
        "trace a process of the same user",
        "sys_('ptrace', 0x4206, HOST['bait'], 0, 0)",
        "EPERM",
        m.USER_NS,
        (m.PID_NS, m.LAYER_1, m.runner_filter("ptrace")),
        modes=ROOT,
    ),
    Attack(
        "make a device",
        "os.mknod('/tmp/disk', 0o60600, os.makedev(1, 0))",
        "EPERM",
        m.USER_NS,
        (m.OWN_USER, m.NO_CAPABILITIES, m.runner_filter("mknodat"), m.runner_filter("mknod")),
        modes=ROOT,
    ),
    Attack(
        "the kernel's log by its device",
        "os.open('/dev/kmsg', os.O_RDONLY | os.O_NONBLOCK)",
        "ENOENT",
        m.USER_NS,
        (m.ROOT, m.OWN_USER, m.NO_CAPABILITIES),
        alone="EPERM",
        modes=ROOT,
    ),
    # capabilities
    Attack(
        "administer the host",
        "sys_('syslog', 3, buffer(4096), 4096)",
        "EPERM",
        m.NO_CAPABILITIES,
        (m.USER_NS, m.OWN_USER, m.runner_filter("syslog")),
        modes=ROOT,
    ),
    Attack(
        "read files without regard to their owner",
        "open(HOST['neighbour'] + '/Cookies').read()",
        "ENOENT",
        m.NO_CAPABILITIES,
        (m.USER_NS, m.OWN_USER, m.ROOT),
        alone="EACCES",
        modes=ROOT,
    ),
    Attack(
        "become another user",
        "os.setresuid(HOST['uid'] + 7, HOST['uid'] + 7, HOST['uid'] + 7)",
        "EINVAL",
        m.NO_CAPABILITIES,
        (m.USER_NS, m.OWN_USER),
        alone="EPERM",
        modes=ROOT,
    ),
    Attack("become root", "os.setuid(0)", "EINVAL", m.UID_INSIDE),
    # ipc
    Attack(
        "shared memory of the host",
        "sys_('shmget', HOST['key'], 0, 0)",
        "EPERM",
        m.IPC_NS,
        CALLS_OF_IPC,
        alone="ENOENT",
    ),
    Attack(
        "message queue of the host", "sys_('msgget', HOST['key'], 0)", "EPERM", m.IPC_NS, CALLS_OF_IPC, alone="ENOENT"
    ),
    Attack(
        "semaphores of the host", "sys_('semget', HOST['key'], 0, 0)", "EPERM", m.IPC_NS, CALLS_OF_IPC, alone="ENOENT"
    ),
    Attack(
        "POSIX message queue of the host",
        "sys_('mq_open', b'pw-escape', 0, 0, None)",
        "EPERM",
        m.IPC_NS,
        CALLS_OF_IPC,
        alone="ENOENT",
    ),
    Attack(
        "list the host's shared memory",
        "if str(HOST['key']) not in open('/proc/sysvipc/shm').read(): raise Missed('own only')",
        "Missed",
        m.IPC_NS,
    ),
    # uts
    Attack(
        "the host's name",
        "if os.uname().nodename != HOST['hostname']: raise Missed(os.uname().nodename)",
        "Missed",
        m.UTS_NS,
    ),
    Attack(
        "the host's name by /proc",
        "if open('/proc/sys/kernel/hostname').read().strip() != HOST['hostname']: raise Missed()",
        "Missed",
        m.UTS_NS,
    ),
    # cgroup
    Attack(
        "where the sandbox is in the host's control groups",
        "if all(line.strip().endswith('/') for line in open('/proc/self/cgroup')): raise Missed('its root')",
        "Missed",
        m.CGROUP_NS,
        modes=ROOT,
    ),
)
