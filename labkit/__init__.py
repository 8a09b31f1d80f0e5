"""The tool behind ./lab. Rooms by floor; imports point down only (import-linter holds it, see pyproject.toml):

    cli, commands  the door: one file a command
    guide          a lab's page: read it, walk through it, run its fences, fill its blocks
    report         a run as terminal tables, JSON and pages; the live view
    measure        experiments, the conductor, instruments, the prober
    lifecycle      a lab from up to gone: Pulumi, healing, change, steady state, leftovers
    judge          runs -> verdicts; pure
    setup          a machine made ready: engine, images, toolchain, packages, the class file
    sides          what differs between the sides
    runs           a run as data and as a folder
    system         run a program, wait, lock, processes, files written whole, paths, progress, errors

`bench/` (this tool measured) stands below the door, `labs/` beside report; `infra/` is what `pulumi up` runs and knows
nothing of this. A module named `_x` is its package's own; all others are its face. Nothing is imported here: the
launcher comes by before there is a .venv.
"""
