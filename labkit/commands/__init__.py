"""One module a command of ./lab. These print; what they call does not."""
