#!/bin/bash
# A TPU VM on Google Cloud, from its request to its end:
#
#   deploy/tpu_vm.sh create
#   deploy/tpu_vm.sh install
#   deploy/tpu_vm.sh run --experiment=NAME --model_dir=gs://BUCKET/NAME --data_dir=gs://BUCKET/DATA
#   deploy/tpu_vm.sh run_slice ...the same, for a TPU of several hosts
#   deploy/tpu_vm.sh delete
#
# Run it in Garden's folder. Nothing in here has been run: no TPU was at hand. docs/distribution.md
# says what is known about TensorFlow's support of TPUs.
set -euo pipefail

TPU=${TPU:-garden}
ZONE=${ZONE:-us-west4-a}
TYPE=${TYPE:-v5litepod-8}
IMAGE=${IMAGE:-v2-alpha-tpuv5-lite}
TENSORFLOW=${TENSORFLOW:-2.20.0}
LIBTPU=${LIBTPU:-0.0.14} # The oldest that tensorflow-tpu 2.20.0 takes.

on_workers() {
    gcloud compute tpus tpu-vm ssh "$TPU" --zone="$ZONE" --worker="$1" --command="$2"
}

# Arguments are quoted once more for the shell at the other end. again.sh starts the run anew after a
# status of 42; a spot TPU that is taken away is gone with its disk, hence --model_dir=gs://...
launch_on_first() {
    local variables=$1
    shift
    on_workers 0 "cd garden && $variables deploy/again.sh .venv/bin/python launch.py $(printf '%q ' "$@")"
}

case ${1:-} in
create)
    # A queued request waits for capacity, where a plain one fails.
    gcloud compute tpus queued-resources create "$TPU" --node-id="$TPU" --zone="$ZONE" \
        --accelerator-type="$TYPE" --runtime-version="$IMAGE" --spot
    ;;
install)
    # Every host of a slice needs the same files. tensorflow-tpu takes the place of tensorflow, which
    # tf_keras has asked for: it comes last, and without its dependencies.
    archive=$(mktemp --suffix=.tar)
    git archive --output="$archive" HEAD
    gcloud compute tpus tpu-vm scp "$archive" "$TPU:garden.tar" --zone="$ZONE" --worker=all
    on_workers all "set -e
        sudo apt-get update && sudo apt-get install --yes python3.11-venv
        mkdir -p garden && tar -xf garden.tar -C garden && cd garden
        python3.11 -m venv .venv
        .venv/bin/pip install --constraint constraints.txt .
        .venv/bin/pip install libtpu==$LIBTPU
        .venv/bin/pip install --no-deps --force-reinstall tensorflow-tpu==$TENSORFLOW"
    ;;
run)
    shift
    # shellcheck disable=SC2016 # The path is that of the TPU VM.
    launch_on_first 'NEXT_PLUGGABLE_DEVICE_USE_C_API=true TF_PLUGGABLE_DEVICE_LIBRARY_PATH=$(.venv/bin/python -c "import libtpu; print(libtpu.get_library_path())")' \
        --tpu=local "$@"
    ;;
run_slice)
    shift
    # TensorFlow drives a slice from one process: the launcher runs on the first host only, leaves the
    # TPU library to the servers that the image runs on each host, and reaches them by the TPU's name.
    # So IMAGE must be one of TensorFlow's for slices, and of the version that is installed here.
    launch_on_first 'TPU_LOAD_LIBRARY=0' --tpu="$TPU" "$@"
    ;;
delete)
    gcloud compute tpus queued-resources delete "$TPU" --zone="$ZONE" --force
    ;;
*)
    echo "tpu_vm.sh: create, install, run, run_slice or delete; not '${1:-}'." >&2
    exit 2
    ;;
esac
