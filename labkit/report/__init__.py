"""A run as something one can show: HTML pages and terminal tables. Reads runs and judged rows, nothing else."""
