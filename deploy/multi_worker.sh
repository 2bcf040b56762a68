#!/bin/bash
# One of several workers that take each step together. The same command on every machine:
#
#   HOSTS='node-1 node-2' deploy/multi_worker.sh --experiment=NAME --model_dir=SHARED_FOLDER
#
# HOSTS  the machines as they know one another, in the same order everywhere; the first is the chief
# INDEX  which of them this is, from 0; the place of `hostname` in HOSTS unless it is set
# PORT   where they listen to one another (2222)
# PYTHON the Python of the environment (python)
#
# --strategy=auto takes several workers because TF_CONFIG, made here, names them. The run folder must
# be one that all of them see. Put deploy/again.sh in front, for a run that goes on by itself.
set -euo pipefail

read -r -a hosts <<<"${HOSTS:?names no machines: HOSTS='node-1 node-2'}"
index=${INDEX:-}
if [[ -z $index ]]; then
    for i in "${!hosts[@]}"; do
        if [[ ${hosts[i]} == "$(hostname)" ]]; then index=$i; fi
    done
fi
if [[ -z $index ]]; then
    echo "multi_worker.sh: $(hostname) is not one of HOSTS ($HOSTS): set INDEX." >&2
    exit 2
fi

printf -v workers '"%s:'"${PORT:-2222}"'", ' "${hosts[@]}"
export TF_CONFIG="{\"cluster\": {\"worker\": [${workers%, }]}, \"task\": {\"type\": \"worker\", \"index\": $index}}"
cd "$(dirname "$0")/.."
exec "${PYTHON:-python}" launch.py "$@"
