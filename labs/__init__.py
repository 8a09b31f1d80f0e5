"""The labs: one folder a question."""
