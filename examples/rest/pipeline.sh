#!/bin/sh
# A pipeline through the REST API, with only curl and jq.
#
#   sh examples/rest/pipeline.sh [file.yaml]
set -eu

api=${MILLRACE_API:-http://127.0.0.1:8088}
file=${1:-"$(dirname "$0")/../first-pipeline.yaml"}
namespace=${NAMESPACE:-default}
name=$(sed -n '/^metadata:/,/^spec:/s/^  name: *//p' "$file")
[ -n "$name" ] || { echo "$file has no line '  name: …' below 'metadata:'" >&2; exit 1; }
pipeline="$api/v1/namespaces/$namespace/pipelines/$name"

# The token of `millrace dev` is beside its kubeconfig.
token_file=${MILLRACE_API_TOKEN_FILE:-"$(dirname "${KUBECONFIG:-.millrace/kubeconfig}")/api-token"}
token=${MILLRACE_API_TOKEN:-$(cat "$token_file" 2>/dev/null || true)}

# A problem (RFC 9457) is printed to stderr and ends the script.
ask() {
  method=$1
  url=$2
  shift 2
  # From standard input, because other users can read the command line of a process.
  answer=$(printf '%s' "${token:+Millrace-Token: $token}" | curl -sS -X "$method" -H @- -w '\n%{http_code}' "$url" "$@")
  status=$(printf '%s' "$answer" | tail -n 1)
  body=$(printf '%s' "$answer" | sed '$d')
  if [ "$status" -ge 400 ]; then
    printf '%s\n' "$body" | jq . >&2
    exit 1
  fi
  printf '%s\n' "$body"
}

# Follows an operation until it has ended.
follow() {
  href=$(jq -r '.operation.href // empty')
  [ -n "$href" ] || { echo 'nothing to do'; return; }
  while :; do
    operation=$(ask GET "$api$href")
    printf '%s\n' "$operation" | jq -r '"\(.kind // "accepted") g\(.generation): \(.state) \(.step // "") \(.message // "")"'
    case $(printf '%s' "$operation" | jq -r .state) in
      Succeeded) return ;;
      Failed | Cancelled) exit 1 ;;
    esac
    sleep 1
  done
}

# Each answer first and what is done with it afterwards: in a pipe the end of `ask` would not end the script.
lint=$(ask POST "$api/v1/lint" -H 'content-type: application/yaml' --data-binary "@$file")
printf '%s\n' "$lint" | jq -c '{valid, issues}'
printf '%s\n' "$lint" | jq -e .valid >/dev/null || exit 1
change() {
  answer=$(ask "$@")
  printf '%s\n' "$answer" | follow
}
change PUT "$pipeline" -H 'content-type: application/yaml' --data-binary "@$file"
resource=$(ask GET "$pipeline")
printf '%s\n' "$resource" |
  jq '{generation: .metadata.generation, phase: .status.phase, conditions: [.status.conditions[]? | {type, status, reason}]}'
change POST "$pipeline/pause"
change POST "$pipeline/resume"
if [ "${KEEP:-no}" = no ]; then change DELETE "$pipeline"; fi
