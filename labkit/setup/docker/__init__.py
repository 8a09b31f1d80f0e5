"""The Docker Engine of this machine: the one that answers, or a private one of ours."""
