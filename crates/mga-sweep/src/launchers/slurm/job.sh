#!/bin/bash
{%- for option in options %}
#SBATCH {{ option|safe }}
{%- endfor %}

export HF_HUB_OFFLINE=1
export RAYON_NUM_THREADS="${SLURM_CPUS_PER_TASK:-${SLURM_CPUS_ON_NODE:-1}}"
cd {{ started_in }} || exit 1
{%- for line in setup %}
{{ line|safe }}
{%- endfor %}
program={{ program }}
folder={{ folder }}
keys={{ keys }}
key=$(sed -n "$((SLURM_ARRAY_TASK_ID + 1))p" "$keys")
[ -n "$key" ] || { echo "no run in line $((SLURM_ARRAY_TASK_ID + 1)) of $keys" >&2; exit 1; }
echo "task ${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID on ${SLURMD_NODENAME:-?}, start $((${SLURM_RESTART_COUNT:-0} + 1)): $key"

at_limit=no
asked=no
run=
end() { asked=yes; [ -z "$run" ] || kill -TERM "$run"; }
trap 'at_limit=yes; end' USR1
trap end TERM
"$program" sweep-task "$folder" "$key" &
run=$!
[ $asked = no ] || end
# A signal ends `wait` before the run has ended.
while kill -0 "$run" 2>/dev/null; do wait "$run"; done
wait "$run"
status=$?
# 130: saved. 143: asked to end before it listened.
if [ $at_limit = yes ] && { [ $status -eq 130 ] || [ $status -eq 143 ]; }; then
    if [ "${SLURM_RESTART_COUNT:-0}" -lt {{ requeues|safe }} ]; then
        echo "at its time limit; saved, and back into the queue"
        scontrol requeue "${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID"
        exit
    fi
    echo "at its time limit for the last of {{ starts|safe }} times; saved" >&2
fi
exit $status
