"""Cut arabidopsis_heldout.fa and arabidopsis_heldout.gff3.gz out of chromosome 1: the stretch held out of training.

python make_heldout.py CHROMOSOME.fa ANNOTATION.gff.gz
"""

import gzip
import sys
from pathlib import Path
from urllib.parse import unquote

from pgf_cli.genome import Genome

CONTIG, START, END = "NC_003070.9", 8_000_000, 8_400_000
"""0-based half-open."""
NAME = f"{CONTIG}_{START + 1}_{END}"
COLUMNS = 60
HERE = Path(__file__).parent


def write_sequence(chromosome: Path) -> None:
    """Write the stretch as a record of its own, soft-mask kept."""
    with Genome.open(chromosome) as genome:
        letters = genome.record(CONTIG).text(START, END).decode()
    lines = [letters[at : at + COLUMNS] for at in range(0, len(letters), COLUMNS)]
    (HERE / "arabidopsis_heldout.fa").write_text(f">{NAME}\n" + "\n".join(lines) + "\n")


def write_annotation(annotation: Path) -> None:
    """Write the features that lie wholly in the stretch, in its coordinates, without those of a gene that does not."""
    head, inside = [], []
    with gzip.open(annotation, "rt") as file:
        for line in file:
            if line.startswith("#!"):
                head.append(line)
            columns = line.rstrip("\n").split("\t")
            if columns[0] == CONTIG and int(columns[3]) > START and int(columns[4]) <= END:
                inside.append(columns)
    kept = inside
    while True:
        present = {value for columns in kept for value in of(columns, "ID")}
        complete = [columns for columns in kept if present.issuperset(of(columns, "Parent"))]
        if len(complete) == len(kept):
            break
        kept = complete
    rows = ["\t".join([NAME, *shifted(columns)]) + "\n" for columns in kept]
    text = "".join(["##gff-version 3\n", *head, f"##sequence-region {NAME} 1 {END - START}\n", *rows])
    # No time of writing: the same input gives the same bytes.
    (HERE / "arabidopsis_heldout.gff3.gz").write_bytes(gzip.compress(text.encode(), mtime=0))


def of(columns: list[str], key: str) -> list[str]:
    """Return the values of an attribute of a feature."""
    for attribute in columns[8].split(";"):
        name, _, values = attribute.partition("=")
        if name == key:
            return [unquote(value) for value in values.split(",")]
    return []


def shifted(columns: list[str]) -> list[str]:
    """Return a feature's columns from the second on, in the stretch's coordinates."""
    return [*columns[1:3], str(int(columns[3]) - START), str(int(columns[4]) - START), *columns[5:]]


if __name__ == "__main__":
    write_sequence(Path(sys.argv[1]))
    write_annotation(Path(sys.argv[2]))
