#!/usr/bin/env bash
# pandas and polars open what `mga results export` and `index` write, and find in it what the run folders say. Fails where
# a value or a type differs.
#
#   scripts/results/pandas.sh [FOLDER]
#
# FOLDER is a sweep's or one with runs in it. Without it four small runs are made: two finished, one without its summary, as
# if it had been killed at the end, one that fails. PYTHON: a Python that has pandas, polars and pyarrow (default: one made in a temporary folder from PyPI). MGA:
# the program (default: cargo run --release).
set -euo pipefail

repository=$(cd "$(dirname "$0")/../.." && pwd)
mga=${MGA:-cargo run --release --quiet --manifest-path $repository/Cargo.toml --}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if [ -z "${PYTHON:-}" ]; then
    python3 -m venv "$work/venv"
    PYTHON=$work/venv/bin/python
    "$PYTHON" -m pip install --quiet pandas polars pyarrow
fi

folder=${1:-$work/runs}
if [ $# -eq 0 ]; then
    cat >"$work/small.toml" <<'TOML'
task = "classification"
seed = 1
device = "cpu"
[data]
dataset = "leaves"
train_per_class = 3
test_per_class = 2
size = 32
batch_size = 5
validation = { per_class = 1 }
[model]
backbone = "conv4"
attention = "residual"
[optimiser]
name = "adamw"
learning_rate = 1e-3
[schedule]
epochs = 2
[train]
checkpoint_every = 1
TOML
    $mga train "$work/small.toml" --quiet --out "$folder/mga-1" >/dev/null
    $mga train "$work/small.toml" --quiet --set model.attention=none --set model.mask_guidance=false \
        --out "$folder/plain, \"quoted\"" >/dev/null
    cp -r "$folder/mga-1" "$folder/killed"
    rm "$folder/killed/summary.json"
    $mga train "$work/small.toml" --quiet --set optimiser.learning_rate=1e30 --set seed=2 --out "$folder/failed" \
        >/dev/null 2>&1 || true
    [ -e "$folder/failed/experiment.toml" ] && [ ! -e "$folder/failed/summary.json" ]
fi

$mga results export "$folder" --csv "$work/runs.csv" --parquet "$work/runs.parquet"
$mga results index "$folder"
[ $# -ne 0 ] || $mga results list "$folder"

"$PYTHON" - "$folder" "$work" <<'PYTHON'
import json, math, pathlib, sqlite3, sys, tomllib

import pandas as pd
import polars as pl

folder, work = map(pathlib.Path, sys.argv[1:])
runs = folder / "runs" if (folder / "runs").is_dir() else folder
frames = {
    "pandas, CSV": pd.read_csv(work / "runs.csv", dtype={"key": str}),
    "pandas, Parquet": pd.read_parquet(work / "runs.parquet"),
    "pandas, SQLite": pd.read_sql("SELECT * FROM runs", sqlite3.connect(folder / "index.sqlite")),
    "polars, CSV": pl.read_csv(work / "runs.csv", infer_schema_length=None).to_pandas(),
    "polars, Parquet": pl.read_parquet(work / "runs.parquet").to_pandas(),
}


def leaves(table, prefix=""):
    for key, value in table.items():
        # A table without entries has no column.
        if isinstance(value, dict):
            yield from leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def same(found, expected):
    if expected is None or expected == "":
        return found is None or found == "" or (isinstance(found, float) and math.isnan(found)) or found is pd.NA
    if isinstance(expected, (list, dict)):
        return json.loads(found) == expected
    if isinstance(expected, str):
        return str(found) == expected
    if isinstance(found, str):
        return False
    # Readers of decimal numbers, serde_json's (without its feature float_roundtrip) and pandas' of CSV, are off by the last
    # bit now and then.
    return math.isclose(found, expected, rel_tol=1e-15)


checked = 0
for how, frame in frames.items():
    frame = frame.set_index("key")
    assert frame.index.is_unique, how
    for run in sorted(path for path in runs.iterdir() if (path / "experiment.toml").is_file()):
        row = frame.loc[run.name]
        expected = dict(leaves(tomllib.loads((run / "experiment.toml").read_text())))
        summary = run / "summary.json"
        if summary.is_file():
            summary = json.loads(summary.read_text())
            for which in ("selected", "last"):
                values = summary[which] or {}
                expected |= {f"{which}.{key}": value for key, value in values.items() if key != "kind"}
            reported = summary["selected"] or summary["last"]
            expected |= {"top1": reported["top1"], "cross_entropy": reported["cross_entropy"], "state": "finished"}
        else:
            assert row["state"] != "finished", (how, run)
            expected |= {"top1": None, "last.top1": None}
        identity = run / "identity.json"
        if identity.is_file():
            expected |= {f"identity.{key}": value for key, value in json.loads(identity.read_text()).items()}
        for key, value in expected.items():
            assert same(row[key], value), (how, run.name, key, row[key], value)
            checked += 1
    assert frame["top1"].dtype == "float64", (how, frame["top1"].dtype)
    print(f"{how:<16} {len(frame)} runs, {len(frame.columns)} columns, mean top1 {frame['top1'].mean():.4f}")
parquet = pl.read_parquet(work / "runs.parquet")
types = {"top1": pl.Float64, "order": pl.Int64, "baseline": pl.Boolean, "state": pl.String}
assert all(parquet.schema[name] == kind for name, kind in types.items()), parquet.schema
print(f"{checked} values agree with the run folders")
PYTHON
