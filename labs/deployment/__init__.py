"""The deployment lab."""
