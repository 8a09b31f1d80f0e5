"""What only this lab needs of a side: how its cluster is broken, mended and timed, and what it wrote meanwhile."""
