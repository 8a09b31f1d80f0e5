"""One module a command of ./lab. These print; what they call does not. `skeleton/` is what `./lab new` makes a lab of."""
