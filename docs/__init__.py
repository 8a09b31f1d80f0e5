"""The pages of this project, for Sphinx."""
