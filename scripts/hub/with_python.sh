#!/bin/sh
# Python's huggingface_hub and mga on one cache, each reading what the other wrote, against the stand-in hub.
#
#   scripts/hub/with_python.sh            # needs python3 with venv, and PyPI for huggingface_hub and safetensors
#
# Everything goes to a temporary folder outside the repository. No test runs this.
set -eu
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'kill "$server" 2>/dev/null || true; rm -rf "$work"' EXIT
cargo build --release -p mga-cli -p mga-hub -p mga-data --bin mga --example stand_in
mga=$PWD/target/release/mga

python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet huggingface_hub safetensors numpy
python=$work/venv/bin/python

mkdir -p "$work/ours" "$work/theirs"
"$python" - "$work" <<'PY'
import sys, numpy
from safetensors.numpy import save_file
for name, seed in [("ours", 1), ("theirs", 2)]:
    x = numpy.random.default_rng(seed).random((100, 1000), dtype=numpy.float32)
    save_file({"x": x}, f"{sys.argv[1]}/{name}/model.safetensors")
    open(f"{sys.argv[1]}/{name}/config.json", "w").write('{"architecture": "%s"}' % name)
PY
target/release/examples/stand_in 0 "models/me/ours=$work/ours" "models/me/theirs=$work/theirs" >"$work/url" &
server=$!
while ! [ -s "$work/url" ]; do sleep 0.1; done
HF_ENDPOINT=$(cat "$work/url"); HF_HOME=$work/home
export HF_ENDPOINT HF_HOME
unset HF_HUB_OFFLINE HF_TOKEN HF_HUB_CACHE 2>/dev/null || true

echo "mga downloads me/ours, Python reads it offline:"
"$mga" weights pull me/ours
HF_HUB_OFFLINE=1 "$python" - "$work" <<'PY'
import sys, huggingface_hub
from huggingface_hub import hf_hub_download, scan_cache_dir, try_to_load_from_cache
from safetensors.numpy import load_file
for file in ["model.safetensors", "config.json"]:
    path = hf_hub_download("me/ours", file)
    assert path == try_to_load_from_cache("me/ours", file), path
    assert open(path, "rb").read() == open(f"{sys.argv[1]}/ours/{file}", "rb").read()
assert load_file(hf_hub_download("me/ours", "model.safetensors"))["x"].shape == (100, 1000)
report = scan_cache_dir()
assert not report.warnings, report.warnings
(repo,) = report.repos
assert repo.repo_id == "me/ours" and set(repo.refs) == {"main"} and repo.nb_files == 2, repo
print("  huggingface_hub", huggingface_hub.__version__, "finds", repo.repo_id, "at", repo.refs["main"].commit_hash)
PY

echo "Python downloads me/theirs, mga reads it offline:"
"$python" - <<'PY'
from huggingface_hub import snapshot_download
print(" ", snapshot_download("me/theirs"))
PY
"$mga" weights pull me/theirs --offline
"$mga" weights inspect me/theirs --offline
"$mga" weights list | tail -3

echo "a part of a file, as Python leaves one when it is cut short; mga goes on from there:"
blob=$(sha256sum "$work/theirs/model.safetensors" | cut -d' ' -f1)
blobs=$HF_HOME/hub/models--me--theirs/blobs
rm -r "$HF_HOME/hub/models--me--theirs/snapshots"
head -c 100000 "$blobs/$blob" >"$blobs/$blob.incomplete"
rm "$blobs/$blob"
"$mga" weights pull me/theirs
cmp "$blobs/$blob" "$work/theirs/model.safetensors"
echo "all is well"
