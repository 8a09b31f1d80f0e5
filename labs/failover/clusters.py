"""Both sides' clusters by their names."""

from __future__ import annotations

from collections.abc import Mapping

from labs.failover.sides import container, vm
from labs.failover.sides.cluster import Cluster

OF: Mapping[str, Cluster] = {"vm": vm.CLUSTER, "container": container.CLUSTER}
