"""From a lab that is up to a run.

labs                   all that is a lab's own; the one place that reaches into labs/
testing                a lab without engines, on which each experiment's restore is tested
experiment             the shape of an experiment: place, turn, what was seen
faults                 what one breaks in a lab, born with its undo
clusters, edge         how clusters stand and what has happened; what the edge in front of them noted
session                from a lab's name to a run; _conduct runs the turns
growth, neighbours     further replicas; who has which MAC while a replica is off
clocks, stages         one clock for several kernels; a time in parts
first_answers          when a URL first answered
footprint              memory, CPU, disk of a replica
machine_box            what a number must be read with
capturing, pcap        what shows packets until it is told to end; files of packets
switch                 one address behind which the target may change
prober                 timed requests, a process of its own
"""
