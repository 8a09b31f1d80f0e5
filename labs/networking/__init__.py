"""The lab networking."""
