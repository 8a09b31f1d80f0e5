"""Set-up from one file. `launcher` runs before there is a .venv, with the standard library alone."""
