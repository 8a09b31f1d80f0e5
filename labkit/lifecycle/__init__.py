"""A lab's life, from up to gone.

set_up                 a machine on which `pulumi up` works
pulumi, following      the CLI in this checkout; its events as they come
state                  what Pulumi keeps of each lab in files, and who holds its lock
running                a lab that is up, as whoever changes or measures it is given it
servers, places        its local servers; where `./lab exec` can go
serving                what serves clusters from beside them, and whether it does
missing, heal          what a kill or a hand took away: the steps that bring it back; they are done
in_use                 one command at a time on a lab
inside                 what a server holds of what its sides make there
change, strays, steady another setting for a while; what an experiment left; the steady state
leftovers, inventory   what should not be there any more; what was there before
orphans, programs      processes that outlived what they belonged to; how programs are known
clean                  takes a checkout's labs away
doctor, bug_report     can `up` work here; what a bug report needs
suite, suite_processes the place where ./lab test works
"""
