"""What an ordinary local user tries on the embedded Redis. On a Redis without users each try succeeds."""

import pytest
from pw_local_user import LocalUserHost, act
from pw_local_user.host import JOB_ID, SECRET
from pw_servers import redis_server

pytestmark = [pytest.mark.browser, pytest.mark.sandbox, pytest.mark.redis]

TRIES = {
    "read a result by its key": """
for key in (b"pw:result:acme:%(job)s", b"pw:result:%(job)s"):
    said = redis(sys.argv[1], ("GET", key))
    if b"test.nap" in said: got(said)
""",
    "list every key": 'got(redis(sys.argv[1], ("KEYS", "*")))',
    "read all results from the stream": 'got(redis(sys.argv[1], ("XRANGE", "pw:{0}:results", "-", "+")))',
    "hear results on their channel": 'got(redis(sys.argv[1], ("PSUBSCRIBE", "pw:*")))',
    "watch every command": 'got(redis(sys.argv[1], ("MONITOR",)))',
    "push a job in another's name": 'got(redis(sys.argv[1], ("RPUSH", "pw:inbox:forged", "{}")))',
    "forge a result": """
got(redis(sys.argv[1], ("XADD", "pw:{0}:results:forged", "*", "result", '{"job_id": "1"}')))
""",
    "announce a forged result": """got(redis(sys.argv[1], ("PUBLISH", "pw:results:acme", '{"job_id": "1"}')))""",
    "run a script": """got(redis(sys.argv[1], ("EVAL", "return redis.call('KEYS', '*')", 0)))""",
    "load functions of one's own": """
code = "#!lua name=mine\\nredis.register_function('mine', function() return 1 end)"
got(redis(sys.argv[1], ("FUNCTION", "LOAD", code)))
""",
    "lock everybody out": 'got(redis(sys.argv[1], ("CONFIG", "SET", "requirepass", "mine")))',
    "take its memory away": 'got(redis(sys.argv[1], ("CONFIG", "SET", "maxmemory", "1")))',
    "learn who is connected": 'got(redis(sys.argv[1], ("CLIENT", "LIST")))',
    "throw everything away": 'got(redis(sys.argv[1], ("FLUSHALL",)))',
    "copy everything as a replica": """
with socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=3) as client:
    client.sendall(resp("PSYNC", "?", "-1"))
    said = client.recv(1 << 16)
    if said.startswith(b"-"): raise PermissionError(said)
    got(said)
""",
    "make it a replica of one's own": 'got(redis(sys.argv[1], ("REPLICAOF", "127.0.0.1", "1")))',
    "make oneself a user": 'got(redis(sys.argv[1], ("ACL", "SETUSER", "me", "on", "nopass", "+@all", "~*")))',
    "stop it": """
with socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=3) as client:
    client.sendall(resp("SHUTDOWN", "NOSAVE", "FORCE"))
    said = client.recv(100)
    if said: raise PermissionError(said)
    got("it is gone")
""",
    "guess the password": """
words = ["", "pageworker", "n8n", "reader", "default", "redis", "root", "w1", "password", socket.gethostname()]
for file in ("/etc/machine-id", "/proc/sys/kernel/random/boot_id"):
    try: words.append(Path(file).read_text().strip())
    except OSError: pass
for user in ("default", "pageworker", "n8n", "reader"):
    for word in words:
        try: got((user, word, redis(sys.argv[1], ("AUTH", user, word), ("PING",))))
        except PermissionError: pass
""",
    "take its port beside it": """
taken = socket.socket()
taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
taken.bind(("127.0.0.1", int(sys.argv[1])))
taken.listen()
got("clients of Redis connect here")
""",
}


@pytest.mark.parametrize("name", TRIES)
def test_an_ordinary_user_gets_nothing_from_redis(host: LocalUserHost, name: str) -> None:
    script = TRIES[name].replace("%(job)s", JOB_ID)
    with redis_server() as open_to_all:
        open_to_all.command("SET", f"pw:result:acme:{JOB_ID}", '{"endpoint_module": "test.nap"}')
        open_to_all.command("XADD", "pw:{0}:results", "*", "result", SECRET)
        port = open_to_all.port
        if name == "take its port beside it":
            open_to_all.stop()
        control = act(script, port)
    assert control.got, f"the try itself does not work:\n{control.said}"
    tried = act(script, host.redis_port)
    assert not tried.got, tried.said
    still = host.workerctl("results", "--json")
    assert JOB_ID in still.stdout, f"after that, the daemon's own results are away: {still.stderr}"
