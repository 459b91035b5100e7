"""The smallest cut of a network with capacities, by Dinic's algorithm: shortest augmenting paths, phase by phase.

Written out here because importing networkx takes a quarter of a second, ten times what a typical first backward takes to compile; tests compare the two.
"""

from __future__ import annotations

from math import inf


class Network:
    """Edges with capacities between vertices 0, 1, ...; vertex 0 is the source and vertex 1 the sink."""

    def __init__(self) -> None:
        self.heads: list[int] = []  # edge 2k and its reverse 2k + 1
        self.room: list[float] = []
        self.edges: list[list[int]] = [[], []]

    def vertex(self) -> int:
        """A new vertex."""
        self.edges.append([])
        return len(self.edges) - 1

    def connect(self, tail: int, head: int, capacity: float = inf) -> None:
        """An edge."""
        for end, other, room in ((tail, head, capacity), (head, tail, 0.0)):
            self.edges[end].append(len(self.heads))
            self.heads.append(other)
            self.room.append(room)

    def sink_side(self) -> set[int]:
        """The vertices behind the smallest cut that lies nearest to the sink.  Every path from source to sink must have an edge that is finite."""
        while True:
            level = self._levels()
            if level[1] < 0:
                break
            unused = [0] * len(self.edges)
            while self._augment(level, unused):
                pass
        behind, stack = {1}, [1]
        while stack:
            vertex = stack.pop()
            for edge in self.edges[vertex]:
                before = self.heads[edge]
                if before not in behind and self.room[edge ^ 1] > 0:
                    behind.add(before)
                    stack.append(before)
        return behind

    def _levels(self) -> list[int]:
        """The distance of each vertex from the source along edges with room; -1 where there is no path."""
        level = [-1] * len(self.edges)
        level[0], front = 0, [0]
        while front:
            reached = []
            for vertex in front:
                for edge in self.edges[vertex]:
                    head = self.heads[edge]
                    if level[head] < 0 and self.room[edge] > 0:
                        level[head] = level[vertex] + 1
                        reached.append(head)
            front = reached
        return level

    def _augment(self, level: list[int], unused: list[int]) -> bool:
        """Send as much as fits along one path of the levels; unused[v] is the first edge of v that may still lead on."""
        path: list[int] = []
        vertex = 0
        while vertex != 1:
            edges = self.edges[vertex]
            while unused[vertex] < len(edges):
                edge = edges[unused[vertex]]
                if self.room[edge] > 0 and level[self.heads[edge]] == level[vertex] + 1:
                    break
                unused[vertex] += 1
            else:
                if not path:
                    return False
                vertex = self.heads[path.pop() ^ 1]
                unused[vertex] += 1
                continue
            path.append(edge)
            vertex = self.heads[edge]
        flow = min(self.room[edge] for edge in path)
        for edge in path:
            self.room[edge] -= flow
            self.room[edge ^ 1] += flow
        return True


__all__ = ["Network"]
