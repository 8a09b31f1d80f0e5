"""Which tests must run one after the other, and which of them begin first."""

from __future__ import annotations

from pathlib import PurePath

from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

_NETWORKING = ("tests/engines/apart/networking/test_guide.py", "tests/engines/apart/networking")
_ON_THE_LAB = ("tests/guides", "tests/engines/test_leftovers.py", "tests/engines")
"""Both in the opposite order. A guide's walk takes its lab down. The test of leftovers does so as well, and the guides
begin with a lab that is down: between them it need not come up."""

_APART = "tests/engines/apart"
_ONE_GUEST = "tests/playbooks"


def lane(test: str) -> tuple[int, str]:
    """Pure: when a test, by its id, begins, and the name that is on all those of its lane.

    Those on this checkout's lab are one lane, those on the lab networking of another checkout a second one, those of
    the playbooks share a guest; every other file is one for itself. The longest lanes come first, so that they are
    begun when the short ones run beside them.
    """
    file = PurePath(test.partition("::")[0])
    if file.is_relative_to(_APART) and not file.is_relative_to(_NETWORKING[-1]):
        return 1, str(file)
    for name, places in (("networking", _NETWORKING), ("lab", _ON_THE_LAB)):
        for place, after in enumerate(places):
            if file.is_relative_to(after):
                return -place, name
    return (1, _ONE_GUEST) if file.is_relative_to(_ONE_GUEST) else (2, str(file))


class Lanes(LoadScopeScheduling):  # type: ignore[misc] # pytest-xdist has no types
    """What pytest-xdist gives to one worker as a whole."""

    def _split_scope(self, nodeid: str) -> str:
        return lane(nodeid)[1]
