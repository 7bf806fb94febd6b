"""redis-py's cluster client, with two things that it lacks.

- An ASK can name a node that the client does not know: it knows nodes by their slots, and a node that is being added
  has none until its first slot is completely moved. redis-py fails there; here the node is added.
- Several commands on one connection. redis-py's cluster pipeline groups commands by node, repeats them by itself and
  takes any connection; WAIT counts only the writes of its own connection.
"""

from collections.abc import Sequence
from typing import Any

from redis import exceptions as rx
from redis.asyncio import RedisCluster
from redis.asyncio.cluster import ClusterNode
from redis.cluster import PRIMARY, get_node_name

MAX_REDIRECTS = 16
"""As in redis-py and in Redis' own tools. A slot that moves more often during one call is not settled yet."""


class ClusterClient(RedisCluster):
    """Follows every ASK, and sends several commands on one connection."""

    def get_node(
        self, host: str | None = None, port: int | None = None, node_name: str | None = None
    ) -> ClusterNode | None:
        """As in redis-py, but an unknown `node_name` is added. The next refresh of the slot map removes it again."""
        node = super().get_node(host, port, node_name)
        if node is None and node_name is not None:
            host, _, number = node_name.rpartition(":")
            node = ClusterNode(host, int(number), PRIMARY, **self.connection_kwargs)
            self.nodes_manager.nodes_cache[node.name] = node
        return node

    async def execute_together(self, commands: Sequence[Sequence[Any]], key: str) -> list[Any]:
        """The replies of commands on the slot of `key`, all sent on one connection, in order.

        After a redirect (MOVED, ASK) only the commands without a reply are sent again: Redis redirects a command
        instead of running it. Raises redis-py's errors.
        """
        await self.initialize()
        node, asking, replies = self.get_node_from_key(key), False, list[Any]()
        for _ in range(MAX_REDIRECTS):
            try:
                await self._send_in_order(node, commands, asking, replies)
                return replies
            except rx.MovedError as moved:
                await self.nodes_manager.move_slot(moved)
                node, asking = self.get_node_from_key(key), False
            except rx.AskError as ask:
                node, asking = self.get_node(node_name=get_node_name(ask.host, ask.port)), True
            except (rx.ConnectionError, rx.TimeoutError):
                # As redis-py does it.
                self.look_again()
                raise
        raise rx.ClusterError(f"redirected {MAX_REDIRECTS} times")

    async def execute_on(self, node: Any, commands: Sequence[Sequence[Any]]) -> list[Any]:
        """The replies of commands on one node, sent together on one connection. Raises redis-py's errors. After one, it
        is not known which commands were run."""
        connection = node.acquire_connection()
        try:
            await node.disconnect_if_needed(connection)
            await connection.send_packed_command(connection.pack_commands(commands))
            replies, failed = list[Any](), None
            for command in commands:
                try:
                    replies.append(await node.parse_response(connection, command[0]))
                except rx.ResponseError as error:
                    failed = failed or error
            if failed is not None:
                raise failed
            return replies
        except rx.ResponseError:
            raise
        except BaseException:
            await connection.disconnect(nowait=True)
            self.look_again()
            raise
        finally:
            node.release(connection)

    def look_again(self) -> None:
        """The next call asks the cluster for its slot map, which may name a new primary."""
        self._initialize = True

    async def _send_in_order(
        self, node: Any, commands: Sequence[Sequence[Any]], asking: bool, replies: list[Any]
    ) -> None:
        connection = node.acquire_connection()
        try:
            await node.disconnect_if_needed(connection)
            for command in commands[len(replies) :]:
                if asking:
                    await connection.send_command("ASKING")
                    await connection.read_response()
                await connection.send_command(*command)
                replies.append(await node.parse_response(connection, command[0]))
        except rx.ResponseError:
            raise  # an error reply: the next reply on this connection belongs to the next command
        except BaseException:
            await connection.disconnect(nowait=True)
            raise
        finally:
            node.release(connection)
