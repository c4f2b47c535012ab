#!/bin/sh
# A folder as one may have it: photographs with the names of a camera, masks beside them, and a table from a spreadsheet
# with cultivar and plant, three photographs of each plant. The photographs are generated leaves.
#
#   scripts/example/photographs.sh [FOLDER]        # FOLDER: photographs, which must not exist
#
# CULTIVARS, LEAVES (of each, a multiple of three) and SIZE (pixels): 10, 12 and 96. MGA: the program (default: cargo run --release).
set -eu
out=${1:-photographs}
mga=${MGA:-cargo run --release --quiet --}
[ ! -e "$out" ] || { echo "$out: is there already" >&2; exit 1; }
made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT
$mga data make --dataset leaves --set "cultivars=${CULTIVARS:-10}" --set "train_per_class=${LEAVES:-12}" \
    --set test_per_class=1 --set "size=${SIZE:-96}" --out "$made/leaves" >/dev/null
mkdir -p "$out/masks"
# Semicolons and the ends of lines of Windows, as a German spreadsheet writes them.
printf 'Nr;Datei;Sorte;Pflanze;Bemerkung\r\n' > "$out/leaves.csv"
number=0
for class in "$made"/leaves/train/*; do
    leaf=0
    for image in "$class"/*.png; do
        name=$(printf 'DSC_%04d' "$number")
        cp "$image" "$out/$name.png"
        cp "$made/leaves/masks/train/$(basename "$class")/$(basename "$image")" "$out/masks/$name.png"
        printf '%d;%s.png;%s;%s %d;\r\n' "$number" "$name" "$(basename "$class")" "$(basename "$class")" "$((leaf / 3 + 1))" \
            >> "$out/leaves.csv"
        number=$((number + 1)) leaf=$((leaf + 1))
    done
done
echo "$out: $number photographs, their masks, and leaves.csv"
