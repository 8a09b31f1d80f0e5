"""./lab itself, in a copy with tiny requirements."""
