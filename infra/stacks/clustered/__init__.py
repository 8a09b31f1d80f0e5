"""What a side declares where its servers are a cluster, which alone says where a replica runs: one module a side."""
