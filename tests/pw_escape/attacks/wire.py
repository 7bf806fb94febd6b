"""On the supervisor, by what a runner says on its one socket."""

from pw_escape import mechanisms as m
from pw_escape.attack import Attack, AttackPlace

VIOLATION = "ProtocolViolation"


def _said(name: str, code: str, by: str, *overlaps: str, refused: str = VIOLATION) -> Attack:
    return Attack(f"say: {name}", code, refused, by, overlaps, place=AttackPlace.WIRE)


VOCABULARY = (
    _said("a word that there is not", "say(200)", m.WIRE_VOCABULARY, m.WIRE_MESSAGE_RULES),
    _said("the supervisor's own word", "say(m.Stop)", m.WIRE_VOCABULARY, m.WIRE_MESSAGE_RULES),
    _said(
        "a job of one's own",
        "say(m.Cancel, attempt_id='a', outcome='cancelled')",
        m.WIRE_VOCABULARY,
        m.WIRE_MESSAGE_RULES,
    ),
)
SIZES = (
    _said(
        "a greeting that is too long",
        "up()\nraw(frame(64, 0, 4096) + bytes(4096))",
        m.WIRE_SIZES,
        m.WIRE_TYPES,
        m.WIRE_MESSAGE_RULES,
    ),
    _said(
        "a line that is too long",
        "running()\nsay(m.LogLine, attempt_id='a', level='info', message='x' * 100_000)",
        m.WIRE_SIZES,
        m.WIRE_TYPES,
    ),
    _said(
        "a result that is too large",
        "running()\nsay(m.Done, attempt_id='a', outcome='succeeded', data='x' * (2 << 20))",
        m.WIRE_SIZES,
    ),
    _said("a length without end", "up()\nraw(frame(71, 0, 2**30))", m.WIRE_SIZES),
)
TYPES = (
    _said("a field that there is not", "say(m.Hello, protocol=1, admin=True)", m.WIRE_TYPES),
    _said("a word for a number", "say(m.Hello, protocol='one')", m.WIRE_TYPES),
    _said("nothing for something", "say(m.Hello)", m.WIRE_TYPES),
    _said(
        "a text that is too long",
        "running()\nsay(m.LogLine, attempt_id='a', level='info', message='x' * 9000)",
        m.WIRE_TYPES,
    ),
    _said(
        "more spans than there may be",
        "running()\nsay(m.Spans, attempt_id='a', spans=[dict(name='x', began_seconds=0, seconds=0)] * 65)",
        m.WIRE_TYPES,
        m.WIRE_MESSAGE_RULES,
    ),
    _said(
        "a level that there is not",
        "running()\nsay(m.LogLine, attempt_id='a', level='fatal', message='x')",
        m.WIRE_TYPES,
    ),
    _said(
        "a field's name that is too long",
        "running()\nsay(m.LogLine, attempt_id='a', level='info', message='x', fields={'n' * 65: 'x'})",
        m.WIRE_TYPES,
    ),
    _said("an outcome that there is not", "running()\nsay(m.Done, attempt_id='a', outcome='paid')", m.WIRE_TYPES),
    _said(
        "a negative time", "running()\nsay(m.Done, attempt_id='a', outcome='failed', ran_seconds=-1.0)", m.WIRE_TYPES
    ),
    _said(
        "a time that is no number",
        "running()\nsay(m.Done, attempt_id='a', outcome='failed', ran_seconds=float('nan'))",
        m.WIRE_TYPES,
    ),
    _said(
        "a retry in a thousand years",
        "running()\nsay(m.Done, attempt_id='a', outcome='failed', failure={'type': 'x', 'message': '', 'retryable': True, 'retry_after_seconds': 1e12})",
        m.WIRE_TYPES,
    ),
    _said(
        "a type of failure that is a path",
        "running()\nsay(m.Done, attempt_id='a', outcome='failed', failure={'type': '../x', 'message': '', 'retryable': False})",
        m.WIRE_TYPES,
    ),
    _said(
        "a blocker that there is not",
        "running()\nsay(m.Done, attempt_id='a', outcome='blocked', obstacle={'kind': 'x'})",
        m.WIRE_TYPES,
    ),
    _said(
        "an attempt without a name",
        "running()\nsay(m.Done, attempt_id='', outcome='failed')",
        m.WIRE_TYPES,
        m.WIRE_MESSAGE_RULES,
    ),
    _said("no MessagePack", "raw(frame(64, 0, 3) + b'\\xc1\\xc1\\xc1')", m.WIRE_TYPES),
    _said(
        "no UTF-8",
        "running()\nraw(frame(72, 0, 14) + b'\\x81\\xaaattempt_id\\xa1\\xff')",
        m.WIRE_TYPES,
        m.WIRE_MESSAGE_RULES,
    ),
    _said(
        "folds without end",
        "running()\nraw(frame(71, 0, 60_000) + b'\\x91' * 59_999 + b'\\xc0')",
        m.WIRE_TYPES,
        m.WIRE_MESSAGE_RULES,
    ),
    _said("more after the end", "raw(frame(64, 0, 13) + b'\\x81\\xa8protocol\\x01' + b'\\x00\\x00')", m.WIRE_TYPES),
    _said(
        "an artifact whose kind is a path",
        "granted()\nfd = memfd.seal(b'x', 'x')\nsay(m.ArtifactData, fd, attempt_id='a', kind='../../x', content_type='text/html')",
        m.WIRE_TYPES,
    ),
    _said(
        "an artifact whose type is two lines",
        "granted()\nfd = memfd.seal(b'x', 'x')\nsay(m.ArtifactData, fd, attempt_id='a', kind='html', content_type='text/html\\nX: y')",
        m.WIRE_TYPES,
    ),
)
PERMITS = (
    _said("ready before hello", "say(m.Ready, browser_version='x', pages=1, evidence={})", m.WIRE_MESSAGE_RULES),
    _said("hello twice", "say(m.Hello, protocol=1)\nsay(m.Hello, protocol=1)", m.WIRE_MESSAGE_RULES),
    _said("pong before ready", "say(m.Hello, protocol=1)\nsay(m.Pong, number=1)", m.WIRE_MESSAGE_RULES),
    _said("ready twice", "up()\nsay(m.Ready, browser_version='x', pages=9, evidence={})", m.WIRE_MESSAGE_RULES),
    _said("a second listener", "up()\nsay(m.Listener, socket.socket().detach(), port=2)", m.WIRE_MESSAGE_RULES),
    _said(
        "a result of an attempt that it has not",
        "up()\nsay(m.Done, attempt_id='other', outcome='succeeded')",
        m.WIRE_MESSAGE_RULES,
    ),
    _said(
        "a result of another runner's attempt",
        "running()\nsay(m.Done, attempt_id='b', outcome='succeeded')",
        m.WIRE_MESSAGE_RULES,
    ),
    _said(
        "a second result",
        "running()\nfor _ in range(2): say(m.Done, attempt_id='a', outcome='succeeded')",
        m.WIRE_MESSAGE_RULES,
    ),
    _said("accepted twice", "running()\nsay(m.Accepted, attempt_id='a', page=1)", m.WIRE_MESSAGE_RULES),
    _said("spans that no run asked for", "running()\nsay(m.Spans, attempt_id='a', spans=[])", m.WIRE_MESSAGE_RULES),
    _said("free while it runs", "running()\nsay(m.Free, attempt_id='a')", m.WIRE_MESSAGE_RULES),
    _said(
        "free twice",
        "running()\nsay(m.Done, attempt_id='a', outcome='failed')\nfor _ in range(2): say(m.Free, attempt_id='a')",
        m.WIRE_MESSAGE_RULES,
    ),
    _said(
        "a line of another's attempt",
        "running()\nsay(m.LogLine, attempt_id='b', level='info', message='x')",
        m.WIRE_MESSAGE_RULES,
    ),
    _said(
        "a line after the end",
        "running()\nsay(m.Done, attempt_id='a', outcome='failed')\nsay(m.LogLine, attempt_id='a', level='info', message='x')",
        m.WIRE_MESSAGE_RULES,
    ),
    _said(
        "lines without end",
        "running()\nfor _ in range(8000): say(m.LogLine, attempt_id='a', level='info', message='x')",
        m.WIRE_MESSAGE_RULES,
        refused="OutputExceeded",
    ),
    _said(
        "an artifact that was not asked for",
        "running()\nsay(m.ArtifactData, memfd.seal(b'x', 'x'), attempt_id='a', kind='html', content_type='text/html')",
        m.WIRE_MESSAGE_RULES,
    ),
    _said(
        "an artifact after the end",
        "running()\nsay(m.Done, attempt_id='a', outcome='failed')\n"
        "say(m.ArtifactData, memfd.seal(b'x', 'x'), attempt_id='a', kind='html', content_type='text/html')",
        m.WIRE_MESSAGE_RULES,
    ),
)
DESCRIPTORS = (
    _said(
        "descriptors that no message carries",
        "say(m.Hello, *(os.open('/dev/null', 0) for _ in range(4)), protocol=1)",
        m.WIRE_DESCRIPTORS,
    ),
    _said(
        "a flood of descriptors",
        "raw(b'\\0', *[os.open('/dev/null', 0)] * 32)\n",
        m.WIRE_DESCRIPTORS,
        m.WIRE_VOCABULARY,
    ),
    _said("a listener without a descriptor", "say(m.Hello, protocol=1)\nsay(m.Listener, port=1)", m.WIRE_DESCRIPTORS),
    _said(
        "a descriptor that was announced and not sent",
        "say(m.Hello, protocol=1)\nsay(m.Listener, announced=1, port=1)",
        m.WIRE_DESCRIPTORS,
    ),
)
SEALS = tuple(
    _said(
        f"an artifact that is {name}",
        f"granted()\n{made}\nsay(m.ArtifactData, fd, attempt_id='a', kind='html', content_type='text/html')",
        m.WIRE_SEALS,
        refused="NotSealed",
    )
    for name, made in (
        ("a file", "file = tempfile.TemporaryFile()\nfd = file.fileno()"),
        ("a pipe", "fd, other = os.pipe()"),
        ("a device", "fd = os.open('/dev/zero', os.O_RDONLY)"),
        ("a folder", "fd = os.open('/', os.O_RDONLY)"),
        ("a socket", "fd = socket.socket().detach()"),
        ("memory that may change", "fd = os.memfd_create('x', os.MFD_ALLOW_SEALING)"),
        (
            "memory that may shrink",
            "fd = os.memfd_create('x', os.MFD_ALLOW_SEALING)\nfcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_WRITE)",
        ),
        (
            "memory whose seals may come off",
            "fd = os.memfd_create('x', os.MFD_ALLOW_SEALING)\nfcntl.fcntl(fd, fcntl.F_ADD_SEALS, memfd.SEALS & ~fcntl.F_SEAL_SEAL)",
        ),
        (
            "too large",
            "fd = os.memfd_create('x', os.MFD_ALLOW_SEALING)\nos.ftruncate(fd, 1 << 40)\nfcntl.fcntl(fd, fcntl.F_ADD_SEALS, memfd.SEALS)",
        ),
    )
)
ATTACKS = (*VOCABULARY, *SIZES, *TYPES, *PERMITS, *DESCRIPTORS, *SEALS)
