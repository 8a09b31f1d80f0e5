"""The Pulumi CLI and its plugins: the person's own, the official release, or built from Go modules."""
