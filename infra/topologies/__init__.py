"""The topologies by their names: one module each. Adding one is a module and its place here. Pure but for `build`."""

from __future__ import annotations

from collections.abc import Mapping

from infra.topologies import cluster, single
from infra.topology import Topology

TOPOLOGIES: Mapping[str, Topology] = {one.name: one for one in (single.TOPOLOGY, cluster.TOPOLOGY)}
