"""python -m tracelite.langfuse run [-m] SCRIPT [ARGUMENT..]

Runs a script, or a module with -m, in which `langfuse` is this package. The file is the one that
TRACELITE_PATH names, else tracelite.tl in the working folder.
"""

import os
import runpy
import sys
from typing import List

from ._alias import install, install_for_children


def main(arguments: List[str]) -> int:
    if arguments[:1] in (["-h"], ["--help"]):
        print(__doc__)
        return 0
    given = arguments[1:]
    is_module = given[:1] == ["-m"]
    given = given[1:] if is_module else given
    if arguments[:1] != ["run"] or not given:
        print(__doc__, file=sys.stderr)
        return 2
    install()
    install_for_children()
    sys.argv = list(given)
    if is_module:
        sys.path[0] = os.getcwd()
        runpy.run_module(given[0], run_name="__main__", alter_sys=True)
    else:
        sys.path[0] = os.path.dirname(os.path.abspath(given[0]))
        runpy.run_path(given[0], run_name="__main__")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
