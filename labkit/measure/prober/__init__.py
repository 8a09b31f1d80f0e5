"""The prober: timed requests that leave on a clock whatever the answers do, and what they say about a service.

    settings    what to probe, checked; all problems at once
    schedule    when each request leaves; pure
    exchange    one request and the check of its answer, without I/O
    sender      sends on the clock, one new connection a request
    sample      one timed request and its line in samples.jsonl
    record      the two files that a prober writes while it runs
    __main__    the prober's own process: python -m labkit.measure.prober SETTINGS
    handle      starts, watches and stops that process from an experiment
    tail        follows the samples while they come
    summary     outage, gaps, latencies, lateness out of samples; pure
    ledger      acknowledged writes against what the service has stored
    reference   a server whose delays and faults are known

The process imports only what it sends with; this module imports nothing.
"""
