#!/bin/bash
# Several GPU nodes under Slurm, one worker on each with all its GPUs:
#
#   sbatch --nodes=4 deploy/slurm.sh --experiment=NAME --model_dir=SHARED_FOLDER
#
# Submit it from Garden's folder, which all nodes see.
#SBATCH --job-name=garden
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=8
#SBATCH --cpus-per-task=32
#SBATCH --time=24:00:00
# SIGTERM to the workers two minutes before the end: they save and leave with status 42.
#SBATCH --signal=TERM@120
# A job that loses a node or is preempted goes back into the queue by itself.
#SBATCH --requeue
#SBATCH --open-mode=append
set -uo pipefail

HOSTS=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | tr '\n' ' ')
export HOSTS

# The other workers leave by themselves when one is gone; killed, they could not save.
# shellcheck disable=SC2016 # Each task is to expand its own SLURM_PROCID.
srun --kill-on-bad-exit=0 \
    bash -c 'INDEX=$SLURM_PROCID exec deploy/multi_worker.sh "$@"' worker "$@"
status=$? # The highest of all workers.

# The bound is for a worker that fails each time: the others then leave with 42 each time.
if [[ $status -eq 42 && ${SLURM_RESTART_COUNT:-0} -lt 100 ]]; then
    scontrol requeue "$SLURM_JOB_ID"
fi
exit "$status"
