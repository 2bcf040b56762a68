#!/bin/bash
# Runs a command again for as long as it leaves with status 42: "interrupted, everything is saved".
#
#   deploy/again.sh python launch.py --experiment=NAME
#
# SIGTERM and Ctrl-C end the command, and this with it; the status is the command's.
set -u

asked='' told='' command=''
tell() { # Once, and only whom there is to tell.
    [[ -z $command || -n $told ]] || { told=yes; kill -TERM "$command"; }
}
trap 'asked=yes; tell' INT TERM

while true; do
    command=''
    # In the background, because bash looks at signals only between commands, or while it waits.
    "$@" &
    command=$!
    [[ -z $asked ]] || tell # The signal came before it was known whom to tell.
    wait "$command"
    status=$?
    if [[ -n $asked ]]; then
        # The signal may have ended the wait, not the command; 127: there is nothing to wait for.
        wait "$command" 2> /dev/null
        again=$?
        [[ $again -eq 127 ]] || status=$again
        exit "$status"
    fi
    [[ $status -eq 42 ]] || exit "$status"
    echo 'again.sh: interrupted with everything saved; running it again' >&2
done
