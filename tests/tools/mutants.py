"""The score of the last run of mutmut, file by file (`make mutants`).

It is written to build/mutants.txt, too. Fails if a mutant survives that `mutants.toml` does not list as equivalent, and
if one is listed that does not survive.
"""

from __future__ import annotations

import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from difflib import ndiff
from pathlib import Path

from mutmut.mutation.data import SourceFileMutationData
from mutmut.mutation.diff_apply import read_mutant_function, read_mutants_module, read_original_function
from mutmut.stats import status_by_exit_code
from mutmut.utils.file_utils import walk_mutatable_files
from mutmut.utils.format_utils import orig_function_and_class_names_from_key

from reference.commands.files import write_whole

KILLED = ("killed", "timeout")
LISTED = Path(__file__).with_name("mutants.toml")
TABLE = Path("build/mutants.txt")
Change = tuple[str, str, str, str]
"""A file, a function, a line of it, and what a mutant makes of that line."""


def listed() -> dict[Change, str]:
    """The mutants that are known to be equivalent, with the reason."""
    return {
        (file, of["function"], of["line"], becomes): of["reason"]
        for file, equivalent in tomllib.loads(LISTED.read_text("utf-8")).items()
        for of in equivalent
        for becomes in of["becomes"]
    }


def survivors(file: Path, results: dict[str, int | None]) -> Iterator[tuple[str, Change]]:
    """The mutants of a file that no test noticed, and what each of them changes."""
    module = None
    for mutant, code in results.items():
        if status_by_exit_code[code] in KILLED:
            continue
        module = module or read_mutants_module(file)
        name, owner = orig_function_and_class_names_from_key(mutant)
        functions = (read(module, mutant) for read in (read_original_function, read_mutant_function))
        before, after = (module.code_for_node(function).splitlines() for function in functions)
        changed = [line for line in ndiff(before, after) if line[0] in "-+"]
        line, becomes = (" ".join(part[2:].strip() for part in changed if part[0] == sign) for sign in "-+")
        yield mutant, (str(file), f"{owner}.{name}" if owner else name, line, becomes)


def main() -> int:
    equivalent = listed()
    unused = dict.fromkeys(equivalent)
    total: Counter[str] = Counter()
    wrong = []
    table = [f"{'file':30}{'mutants':>9}{'equivalent':>12}{'killed':>8}{'score':>9}"]
    for file in sorted(walk_mutatable_files()):
        data = SourceFileMutationData(path=file)
        data.load()
        found = Counter(mutants=len(data.exit_code_by_key))
        for mutant, change in survivors(file, data.exit_code_by_key):
            unused.pop(change, None)
            found["survive"] += 1
            found["equivalent"] += change in equivalent
            if change not in equivalent:
                status = status_by_exit_code[data.exit_code_by_key[mutant]]
                wrong.append("\n".join((f"{mutant}: {status}", *(f"  {part}" for part in change[1:]))))
        total += found
        table.append(row(str(file), found))
    table.append(row("all", total))
    print(*table, sep="\n")
    write_whole(TABLE, "\n".join(table) + "\n")
    wrong += [
        f"{file}: {function}: listed as equivalent, but no such mutant survives\n  {line}\n  {becomes}"
        for file, function, line, becomes in unused
    ]
    print(*wrong, sep="\n", end="\n" if wrong else "")
    return bool(wrong)


def row(name: str, found: Counter[str]) -> str:
    """How many of a file's mutants that are not equivalent were killed."""
    killed, possible = found["mutants"] - found["survive"], found["mutants"] - found["equivalent"]
    score = f"{killed / possible:9.1%}" if possible else ""
    return f"{name:30}{found['mutants']:9,}{found['equivalent']:12,}{killed:8,}{score}"


if __name__ == "__main__":
    sys.exit(main())
