"""`python -m labkit`: the tool behind ./lab."""

from labkit.cli import main

main()
