#!/bin/sh
# The experiments on real grapevine leaves from end to end: annotations, folds, a segmenter, vein masks, three sweeps, and the
# tests over other backgrounds. What is done already is kept: the script goes on where it was stopped.
#
#   scripts/grapevine/end_to_end.sh        # from anywhere; writes to data/grapevine and runs/grapevine
#
# Needs data/grapevine5, data/efficientnet_lite0.safetensors and data/vgg16_imagenet_features.safetensors, as the headers in
# experiments/grapevine say. PYTHON: a Python with numpy, pillow and scikit-image. MGA: the program (default: cargo run --release).
set -eu
cd "$(dirname "$0")/../.."
mga=${MGA:-cargo run --release --quiet --}
experiments=experiments/grapevine data=data/grapevine runs=runs/grapevine

[ -f "$data/leaves.csv" ] || "${PYTHON:-python3}" scripts/grapevine/annotate_veins.py data/grapevine5 "$data"
[ -f "$data/folds.csv" ] ||
    $mga data split "$data/leaves.csv" --out "$data/folds.csv" --stratify label --folds 5 --repeats 2 --seed 0
if [ ! -f "$runs/segment-veins/summary.json" ]; then
    if [ -f "$runs/segment-veins/experiment.toml" ]; then
        $mga train --resume "$runs/segment-veins"
    else
        $mga train "$experiments/segment-veins.toml" --out "$runs/segment-veins"
    fi
fi
$mga masks "$experiments/lite0.toml" --weights "$runs/segment-veins" --out "$data/vein-masks"

$mga sweep "$experiments/lite0_sweep.toml" --out "$runs/lite0"
$mga sweep "$experiments/lite0_clutter_sweep.toml" --out "$runs/clutter"
$mga sweep "$experiments/vgg16_sweep.toml" --out "$runs/vgg16"
$mga eval "$runs/lite0" --set data.background=clutter --out "$runs/lite0-on-clutter"
$mga eval "$runs/clutter" --set data.background=white --out "$runs/clutter-on-white"
# The methods of the reports name the near duplicates on two sides of a split.
for sweep in lite0 lite0-on-clutter; do
    $mga data check "$experiments/lite0_sweep.toml" --record "$runs/$sweep"
done
for sweep in clutter clutter-on-white; do
    $mga data check "$experiments/lite0_clutter_sweep.toml" --record "$runs/$sweep"
done
$mga data check "$experiments/vgg16_sweep.toml" --record "$runs/vgg16"
for sweep in lite0 clutter vgg16 lite0-on-clutter clutter-on-white; do
    $mga report "$runs/$sweep" --out "$runs/$sweep-report"
done
