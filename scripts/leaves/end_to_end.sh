#!/bin/sh
# The paper's way on the embedded leaves, end to end, and what the masks are worth: 30 annotated leaves, a segmenter trained
# on them, a mask for every leaf, and classifiers guided by true, predicted and Otsu's masks, and without masks, with
# several seeds each. Ends with the table.
#
#   scripts/leaves/end_to_end.sh [FOLDER]        # FOLDER: runs/leaves, where the experiments expect the masks
#
# SEEDS: those of the classifiers (default: "1 2 3 4 5"). MGA: the program (default: cargo run --release). What is done
# already is kept: the script goes on where it was stopped.
set -eu
cd "$(dirname "$0")/../.."
out=${1:-runs/leaves}
seeds=${SEEDS:-1 2 3 4 5}
mga=${MGA:-cargo run --release --quiet --}

# Trains EXPERIMENT into FOLDER with what else is said, or finishes it.
train() {
    experiment=$1 folder=$2
    shift 2
    if [ -f "$folder/summary.json" ]; then return; fi
    if [ -f "$folder/experiment.toml" ]; then
        $mga train --resume "$folder" --quiet
    else
        $mga train "experiments/leaves/$experiment.toml" --out "$folder" --quiet "$@"
    fi
}

train segment-veins "$out/segment-veins"
$mga masks experiments/leaves/mga-true-masks.toml --weights "$out/segment-veins" --out "$out/vein-masks"

for seed in $seeds; do
    train mga-true-masks "$out/true-$seed" --set seed="$seed"
    train mga-predicted-masks "$out/predicted-$seed" --set seed="$seed" --set data.masks.folder="$out/vein-masks"
    train mga-otsu-masks "$out/otsu-$seed" --set seed="$seed"
    train without-masks "$out/without-$seed" --set seed="$seed"
done

# Whatever masks guided it, how well does the attention agree with the true veins?
for arm in true predicted otsu; do
    for seed in $seeds; do
        [ -f "$out/$arm-$seed/veins/evaluation.json" ] || $mga eval experiments/leaves/mga-true-masks.toml \
            --weights "$out/$arm-$seed/checkpoints/last.safetensors" --out "$out/$arm-$seed/veins" >/dev/null
    done
done

echo
echo "top-1 on the test leaves, %, a column a seed ($seeds); mean and sample standard deviation; correlation of the"
echo "attention with the true veins"
for arm in true predicted otsu without; do
    for seed in $seeds; do
        # That of the last epoch, in its block of the summary.
        top1=$(awk '/"last": \{/ { inside = 1 } inside && $1 == "\"top1\":" { gsub(",", "", $2); print $2; exit }' \
            "$out/$arm-$seed/summary.json")
        veins=$out/$arm-$seed/veins/evaluation.json
        agreement=-
        [ -f "$veins" ] && agreement=$(awk '$1 == "\"mask_correlation\":" { gsub(",", "", $2); print $2 }' "$veins")
        echo "$arm $top1 $agreement"
    done
done | awk '
    { arms[$1] = arms[$1] sprintf(" %5.1f", 100 * $2); n[$1]++; s[$1] += 100 * $2; q[$1] += 1e4 * $2 * $2
      if ($3 != "-") { c[$1] += $3; k[$1]++ }
      if (!($1 in place)) { place[$1] = ++count; order[count] = $1 } }
    END {
        for (i = 1; i <= count; i++) {
            a = order[i]; m = s[a] / n[a]
            sd = n[a] > 1 ? sqrt((q[a] - n[a] * m * m) / (n[a] - 1)) : 0
            printf "  %-10s %s   %5.1f ± %.1f   %s\n", a, arms[a], m, sd, k[a] ? sprintf("%.3f", c[a] / k[a]) : "-"
        }
    }'
