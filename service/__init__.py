"""The one sample service, the same files on both sides. `python3 -m service` runs it; README.md has its API."""
