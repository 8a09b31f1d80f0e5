"""Runs one Pulumi program in this process, told by flags where the engine is. Started by language_host.py."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import runpy
import sys
import traceback
from pathlib import Path

# In place of this folder, so that none of its names hides an installed module.
if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

try:
    import pulumi
    from pulumi import runtime
except ImportError as missing:
    sys.exit(f"The Python package {missing.name} is not installed for {sys.executable}. Run: pulumi install")

from toolchain import lifeline

SHOWED_THE_ERROR = 32
"""Exit status that tells the language host: the person has seen what is wrong."""


def main() -> int:
    """Run the program to its end, and its resources; the exit status."""
    flags = _flags()
    lifeline.hold(lambda: None)
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # a failed resource leaves futures that nobody reads
    runtime.set_all_config(runtime.get_config_env(), runtime.get_config_secret_keys_env())
    runtime.configure(
        runtime.Settings(
            monitor=flags.monitor,
            engine=flags.engine,
            project=flags.project,
            stack=flags.stack,
            parallel=flags.parallel,
            dry_run=flags.dry_run == "true",
            organization=flags.organization,
            root_directory=flags.root_directory,
        )
    )
    # The program imports what lies in its own folder, which runpy puts here, and nothing of ours by accident.
    del sys.path[0]
    os.chdir(flags.pwd)
    sys.argv = [flags.program, *flags.args]
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)

    def program() -> None:
        runpy.run_path(flags.program, run_name="__main__")

    try:
        loop.run_until_complete(runtime.run_in_stack(program))
    except pulumi.RunError as error:
        pulumi.log.error(str(error))
        return 1  # as the official one: only 32 says that nothing need be added
    except Exception:  # noqa: BLE001 - whatever a program raises is shown, and is its failure
        pulumi.log.error(f"The program failed:\n{traceback.format_exc()}")
        return SHOWED_THE_ERROR
    finally:
        loop.close()
        sys.stdout.flush()
        sys.stderr.flush()
    return 0


def _flags() -> argparse.Namespace:
    parser = argparse.ArgumentParser(allow_abbrev=False)
    for flag in ("monitor", "engine", "project", "stack", "pwd", "dry_run", "organization", "root_directory"):
        parser.add_argument(f"--{flag}", required=True)
    parser.add_argument("--parallel", type=int, required=True)
    parser.add_argument("program")
    parser.add_argument("args", nargs="*")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
