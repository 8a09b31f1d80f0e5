"""What everything stands on; knows of no lab.

errors, outcome        what is raised, how an external program ended
shell, root, carry     run a program; as root; one program's output into another's input
endings                an exit status in words
signals, waiting       interruptions that wait; waits with a bound
locks, processes       one at a time; who runs
mounts                 what is mounted below a folder
files, paths           files written whole or not at all; where things lie
stack_files            which labs there are, and what their stack files say
progress               what long work says meanwhile
"""
