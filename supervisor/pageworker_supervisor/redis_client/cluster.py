"""redis-py's cluster client, with a flaw mended: sent by an ASK to a node that it does not know, it broke.

It knows the nodes that have slots. One that is being added has none until its first is wholly there; until then nothing
but an ASK speaks of it. A node that our view of the cluster lags behind is met in the same way.
"""

from redis.asyncio import RedisCluster
from redis.asyncio.cluster import ClusterNode
from redis.cluster import PRIMARY


class ClusterClient(RedisCluster):
    """Follows an ASK wherever it leads."""

    def get_node(
        self, host: str | None = None, port: int | None = None, node_name: str | None = None
    ) -> ClusterNode | None:
        """As redis-py's, but an unknown one that is named is made. It goes with the next look at the slots."""
        node = super().get_node(host, port, node_name)
        if node is None and node_name is not None:
            host, _, number = node_name.rpartition(":")
            node = ClusterNode(host, int(number), PRIMARY, **self.connection_kwargs)
            self.nodes_manager.nodes_cache[node.name] = node
        return node
