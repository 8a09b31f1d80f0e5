"""This tool measured, one module a `./lab bench NAME`; the results stand beside the code as JSON.

What is about a lab's own things (its guide, its own benches) stands in labs/LAB/bench/.

common                 figures, the lab's way up and down, the result
up, recover            from nothing to a 200; healing and ending
measure, run           how exact the measuring is, what it costs; parts of a `./lab run`
report, guide          a page of a million samples; a guide's commands
lab                    one lab's up, quick run and down
vegeta                 what the prober is held against
tables                 results for people
"""
