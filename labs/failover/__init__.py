"""The lab failover."""
