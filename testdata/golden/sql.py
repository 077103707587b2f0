#!/usr/bin/env python3
"""Computes sql/NAME.expected with DuckDB, for the cases of sql/cases.txt; those of whole files if their directory is named."""
import csv, json, sys
from pathlib import Path

import duckdb

HERE = Path(__file__).parent / "sql"
data = Path(sys.argv[1]) if len(sys.argv) > 1 else None


def table(path):
    """What DuckDB reads the file with, told everything so that nothing is guessed."""
    name = path.name.removesuffix(".gz")
    if name.endswith(".ndjson"):
        return f"read_json('{path}', format = 'newline_delimited', maximum_object_size = 50000000)"
    if name.endswith(".csv"):
        is_semicolon = not path.suffix == ".gz" and path.open(encoding="utf-8-sig").readline().count(";") > 1
        return f"read_csv('{path}', header = true, all_varchar = true, quote = '\"', delim = '{';' if is_semicolon else ','}')"
    return f"read_csv('{path}', header = false, delim = '\x01', quote = '', escape = '', columns = {{'line': 'VARCHAR'}})"


def text(value):
    return "" if value is None else repr(value) if isinstance(value, float) else str(value)


lines = [line for line in (HERE / "cases.txt").read_text().splitlines() if not line.startswith("#")]
for case in "\n".join(lines).split("\n\n"):
    if not case.strip():
        continue
    name, source, _, query = case.strip().split("\n")
    if source.startswith("data/"):
        if data is None:
            continue
        path = data / source.removeprefix("data/")
    else:
        path = (HERE / source).resolve()
    database = duckdb.connect()
    database.execute("set timezone = 'UTC'")
    database.execute(f"create view input as select * from {table(path)}")
    rows = sorted([text(value) for value in row] for row in database.execute(query).fetchall())
    with (HERE / f"{name}.expected").open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)
    print(name, len(rows), "rows", (HERE / f"{name}.expected").stat().st_size, "bytes")
