"""Which tests must run one after the other, and which of them begin first."""

from __future__ import annotations

from pathlib import Path, PurePath

from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

_ON_THE_LAB = ("tests/guides", "tests/engines/test_leftovers.py", "tests/engines")
"""In the opposite order. A guide's walk takes its lab down. The test of leftovers does so as well, and the guides
begin with a lab that is down: between them it need not come up."""

_APART = "tests/engines/apart"
_WALK = "test_guide.py"
_STACKS = {file.name for file in Path(__file__).parents[1].glob("Pulumi.*.yaml")}
_ONE_GUEST = "tests/playbooks"


def lane(test: str) -> tuple[int, str]:
    """Pure: when a test, by its id, begins, and the name that is on all those of its lane.

    Those on this checkout's lab are one lane, those of each lab in another checkout one more, those of the playbooks
    share a guest; every other file is one for itself. The longest lanes come first, so that they are begun when the
    short ones run beside them.
    """
    file = PurePath(test.partition("::")[0])
    if file.is_relative_to(_APART):
        own = file.parent.relative_to(_APART).name
        if f"Pulumi.{own}.yaml" in _STACKS:
            return (0 if file.name == _WALK else -1), own
        return 1, str(file)
    for place, after in enumerate(_ON_THE_LAB):
        if file.is_relative_to(after):
            return -place, "lab"
    return (1, _ONE_GUEST) if file.is_relative_to(_ONE_GUEST) else (2, str(file))


class Lanes(LoadScopeScheduling):  # type: ignore[misc] # pytest-xdist has no types
    """What pytest-xdist gives to one worker as a whole."""

    def _split_scope(self, nodeid: str) -> str:
        return lane(nodeid)[1]
