#!/usr/bin/env bash
# Runs a command with a SLURM cluster of two nodes on this machine, and takes the cluster down again, however the command
# ends.
#
#   scripts/slurm/with_cluster.sh COMMAND [ARGUMENT…]
#
# Installs slurm-wlm and munge (Debian, as root) where they are missing. Everything else lies in one temporary folder:
# configuration, key, spool, logs. Nothing of the system's own munge or SLURM is touched or started. The cluster's user is
# the one who runs this. The command finds the cluster by SLURM_CONF. KEEP=1 keeps the folder, for its logs.
#
# What is unlike a cluster at work, to be quick: a requeued job starts again after 5 seconds in place of 120 (cred_expire).
set -euo pipefail

[ $# -ge 1 ] || { echo "usage: $0 COMMAND [ARGUMENT...]" >&2; exit 2; }

if ! command -v slurmctld >/dev/null || ! command -v slurmd >/dev/null || ! command -v munged >/dev/null; then
    [ "$(id -u)" = 0 ] || { echo "slurm-wlm and munge are missing; as root this script installs them" >&2; exit 2; }
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends slurm-wlm munge >/dev/null
fi
export PATH=$PATH:/usr/sbin
command=

cluster=$(mktemp -d "${TMPDIR:-/tmp}/mga-slurm.XXXXXX")
# munge wants the folders of its socket open to all, and those of its key closed to others.
chmod 755 "$cluster"

# Ends a daemon by its pid file, and waits until it is gone.
end() {
    local file=$cluster/$1.pid pid
    pid=$(cat "$file" 2>/dev/null) || return 0
    kill "$pid" 2>/dev/null || return 0
    for _ in $(seq 100); do
        kill -0 "$pid" 2>/dev/null || return 0
        sleep 0.1
    done
    echo "$1 ($pid) does not end; killed" >&2
    kill -KILL "$pid" 2>/dev/null || true
}

down() {
    local status=$?
    trap - EXIT INT TERM
    set +e
    [ -z "$command" ] || kill -- "-$command" 2>/dev/null
    if [ -e "$cluster/slurmctld.pid" ]; then
        # Jobs first: a slurmd that ends leaves them running.
        timeout 20 scancel --user="$(id -un)" >/dev/null 2>&1
        for _ in $(seq 20); do
            [ -n "$(timeout 5 squeue --noheader 2>/dev/null)" ] || break
            sleep 1
        done
    fi
    for daemon in slurmd-n1 slurmd-n2 slurmctld munged; do end "$daemon"; done
    if [ "${KEEP:-}" = 1 ]; then echo "kept: $cluster" >&2; else rm -rf "$cluster"; fi
    exit "$status"
}
trap down EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

host=$(hostname -s)
user=$(id -un)
cores=$(nproc)
mkdir -m 700 "$cluster/munge"
mkdir "$cluster/state"
dd if=/dev/urandom of="$cluster/munge/key" bs=1024 count=1 status=none
chmod 600 "$cluster/munge/key"

# A free port, so that two of these may run at a time.
port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

cat >"$cluster/slurm.conf" <<CONF
ClusterName=mga
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$(port)
SlurmUser=$user
SlurmdUser=$user
AuthType=auth/munge
AuthInfo=socket=$cluster/munge.socket,cred_expire=5
CryptoType=crypto/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
MpiDefault=none
JobAcctGatherType=jobacct_gather/none
ReturnToService=2
StateSaveLocation=$cluster/state
SlurmdSpoolDir=$cluster/spool-%n
SlurmctldPidFile=$cluster/slurmctld.pid
SlurmdPidFile=$cluster/slurmd-%n.pid
SlurmctldLogFile=$cluster/slurmctld.log
SlurmdLogFile=$cluster/slurmd-%n.log
SwitchType=switch/none
KillWait=30
OverTimeLimit=0
MinJobAge=300
SchedulerParameters=batch_sched_delay=0,sched_interval=2,bf_interval=2
SlurmdParameters=config_overrides
NodeName=n1 NodeHostname=$host NodeAddr=127.0.0.1 Port=$(port) CPUs=$cores RealMemory=4000
NodeName=n2 NodeHostname=$host NodeAddr=127.0.0.1 Port=$(port) CPUs=$cores RealMemory=4000
PartitionName=main Nodes=n1,n2 Default=YES MaxTime=INFINITE State=UP
CONF
export SLURM_CONF=$cluster/slurm.conf

munged --key-file="$cluster/munge/key" --socket="$cluster/munge.socket" --pid-file="$cluster/munged.pid" \
    --log-file="$cluster/munge/log" --seed-file="$cluster/munge/seed"
slurmctld
slurmd -N n1
slurmd -N n2
for _ in $(seq 60); do
    [ "$(sinfo --noheader --format=%D --states=idle 2>/dev/null)" != 2 ] || break
    sleep 0.5
done
if [ "$(sinfo --noheader --format=%D --states=idle)" != 2 ]; then
    sinfo >&2 || true
    tail -n 20 "$cluster"/*.log >&2
    echo "the nodes did not come up" >&2
    exit 1
fi
# Beside this script, which would hear of no signal otherwise before the command has ended; a group of its own, so that all of
# it can be ended.
setsid "$@" &
command=$!
wait "$command"
