#!/bin/sh
# Stands between the node and one container process, so that the process and its exit code outlive the node.
#
# H1  The command starts at most once: whoever creates `claim` first, this shim or a node that came back, decides.
# H2  `shim` and `main` hold the identity of this process and of the command before the command runs.
# H3  `exit` holds the exit code as soon as the command has ended, however it ended.
# H4  What the command left behind in its process group ends with it.
#
# $1 is the instance's directory, the rest is the command. Shell built-ins only: the container's PATH may hold nothing.
dir=$1
shift
(set -C; : >"$dir/claim") 2>/dev/null || exit 0

identify='if [ -r /proc/$$/stat ]; then read -r line </proc/$$/stat; else line="$$ $(LC_ALL=C ps -o lstart= -p $$)"; fi'
eval "$identify"
printf '%s\n' "$line" >"$dir/shim"

# With a handler, not ignored: the command inherits the default action. The shell itself goes on waiting.
trap : TERM INT HUP
/bin/sh -c "$identify"'; printf "%s\n" "$line" >"$1/main"; shift; exec "$@"' sh "$dir" "$@"
code=$?
printf '%s\n' "$code" >"$dir/exit"
kill -KILL 0
