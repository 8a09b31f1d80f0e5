"""One module a command of ./lab; these print, what they call does not. `./lab new` makes a lab of `skeleton/`."""
