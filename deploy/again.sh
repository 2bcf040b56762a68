#!/bin/bash
# Runs a command again for as long as it leaves with status 42: "interrupted, everything is saved".
#
#   deploy/again.sh python launch.py --experiment=NAME
#
# SIGTERM and Ctrl-C end the command, and this with it; the status is the command's.
set -u

asked=''
trap 'asked=yes; kill -TERM "$command"' INT TERM

while true; do
    # In the background, because bash looks at signals only between commands, or while it waits.
    "$@" &
    command=$!
    wait "$command"
    status=$?
    if [[ -n $asked ]]; then
        wait "$command" # The signal ended the first wait, not the command.
        exit $?
    fi
    [[ $status -eq 42 ]] || exit "$status"
    echo 'again.sh: interrupted with everything saved; running it again' >&2
done
