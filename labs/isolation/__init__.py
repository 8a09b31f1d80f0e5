"""The lab isolation."""
