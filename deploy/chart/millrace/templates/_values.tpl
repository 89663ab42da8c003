{{/*
Puts the values as they apply in the place of those that were given; every template begins with it. What is null, or was taken
away by null, is that of the profile (files/profiles.yaml) or else the default (files/defaults.yaml): null never switches
anything off. A value that is false, 0 or empty counts: it was asked for.
*/}}
{{- define "millrace.resolve" -}}
{{- if not (index .Values "isResolved") -}}
{{- $defaults := .Files.Get "files/defaults.yaml" | fromYaml -}}
{{- $profiles := .Files.Get "files/profiles.yaml" | fromYaml -}}
{{- $given := .Values -}}
{{- $profile := default $defaults.profile (index $given "profile") -}}
{{- $values := include "millrace.withDefaults" (list $given (get $profiles $profile)) | fromYaml -}}
{{- $values = include "millrace.withDefaults" (list $values $defaults) | fromYaml -}}
{{- $isCopiesGiven := not (kindIs "invalid" ($given.nats).streamReplicas) -}}
{{- $_ := set . "Values" (set $values "isResolved" true) -}}
{{- include "millrace.checkNats" (list . $isCopiesGiven) -}}
{{- include "millrace.checkAccess" (list . $given) -}}
{{- if and (eq $values.uninstall.policy "Orphan") $values.crds.enabled (not $values.crds.keep) -}}
{{- fail "uninstall.policy is Orphan and crds.keep is false: pipelines would be deleted with their kind, and nobody would take them down" -}}
{{- end -}}
{{- if and (not $values.temporal.devServer.enabled) (not $values.temporal.address) -}}
{{- fail "temporal.address must say where Temporal is, as in `--set temporal.address=temporal-frontend.temporal:7233`; or try everything on one node with `--set profile=lab`, which brings a Temporal of its own" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Of (root, whether copies were asked for): refuses what would lose streams, or never start. */}}
{{- define "millrace.checkNats" -}}
{{- $root := index . 0 -}}
{{- $nats := $root.Values.nats -}}
{{- if eq $nats.mode "external" -}}
{{- if not $nats.address -}}
{{- fail "nats.address must say where NATS is when nats.mode is external, as in `--set nats.address=nats://nats.messaging:4222`" -}}
{{- end -}}
{{- else -}}
{{- $servers := int $nats.replicas -}}
{{- if not (index . 1) -}}
{{- $_ := set $nats "streamReplicas" (min $servers 3) -}}
{{- else if gt (int $nats.streamReplicas) $servers -}}
{{- fail (printf "nats.streamReplicas is %d, and there are %d servers (nats.replicas): a stream cannot have more copies than there are servers" (int $nats.streamReplicas) $servers) -}}
{{- end -}}
{{- $store := include "millrace.bytes" $nats.jetStream.maxFileStore | int64 -}}
{{- $volume := include "millrace.bytes" $nats.storage.size | int64 -}}
{{- if and $nats.storage.enabled (gt (mul $store 100) (mul $volume 95)) -}}
{{- fail (printf "nats.jetStream.maxFileStore is %s, and a volume has %s (nats.storage.size): leave at least 5%% free, because a volume that is full stops JetStream" (toString $nats.jetStream.maxFileStore) (toString $nats.storage.size)) -}}
{{- end -}}
{{- $live := lookup "apps/v1" "StatefulSet" $root.Release.Namespace (include "millrace.natsName" $root) -}}
{{- if $live -}}
{{- $now := int $live.spec.replicas -}}
{{- if or (lt $servers $now) (and (eq $now 1) (gt $servers 1)) -}}
{{- fail (printf "nats.replicas is %d, and there are %d servers now: from one server to several, or to fewer, streams are not taken along. Keep `--set nats.replicas=%d`; or drain and delete all pipelines, uninstall, delete the claims of NATS, and install anew" $servers $now $now) -}}
{{- end -}}
{{- $asks := dig "metadata" "annotations" "millrace.io/asks-for-users" "false" $live -}}
{{- if ne $asks (toString $nats.auth.enabled) -}}
{{- fail (printf "nats.auth.enabled is %t, and for the NATS that runs it is %s: streams belong to an account, and are not taken along into another. Keep `--set nats.auth.enabled=%s`; or drain and delete all pipelines, uninstall, delete the claims of NATS, and install anew" $nats.auth.enabled $asks $asks) -}}
{{- end -}}
{{- range $claim := (default list $live.spec.volumeClaimTemplates) -}}
{{- if ne $claim.spec.resources.requests.storage (toString $nats.storage.size) -}}
{{- fail (printf "nats.storage.size is %s, and the volumes of NATS have %s: Kubernetes does not change them through a StatefulSet. Keep `--set nats.storage.size=%s`; or enlarge the claims, delete the StatefulSet with `--cascade=orphan`, and upgrade then" (toString $nats.storage.size) $claim.spec.resources.requests.storage $claim.spec.resources.requests.storage) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* `5Gi` → 5368709120. */}}
{{- define "millrace.bytes" -}}
{{- $units := dict "" 1 "k" 1000 "K" 1000 "M" 1000000 "G" 1000000000 "T" 1000000000000 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 -}}
{{- $count := regexFind "^[0-9]+" (toString .) | int64 -}}
{{- mul $count (get $units (regexFind "[A-Za-z]*$" (toString .)) | int64) -}}
{{- end -}}

{{/* Of (values, defaults): the values, with defaults for what is null. */}}
{{- define "millrace.withDefaults" -}}
{{- $values := deepCopy (index . 0) -}}
{{- range $name, $default := index . 1 -}}
{{- $value := index $values $name -}}
{{- if kindIs "map" $default -}}
{{- $_ := set $values $name (include "millrace.withDefaults" (list (default dict $value) $default) | fromYaml) -}}
{{- else if kindIs "invalid" $value -}}
{{- $_ := set $values $name $default -}}
{{- end -}}
{{- end -}}
{{- toYaml $values -}}
{{- end -}}

{{- define "millrace.natsUrl" -}}
{{- if eq .Values.nats.mode "external" -}}
{{- .Values.nats.address -}}
{{- else -}}
nats://{{ include "millrace.natsName" . }}.{{ .Release.Namespace }}.svc:4222
{{- end -}}
{{- end -}}

{{- define "millrace.temporalAddress" -}}
{{- if .Values.temporal.address -}}
{{- .Values.temporal.address -}}
{{- else -}}
{{ include "millrace.temporalName" . }}.{{ .Release.Namespace }}.svc:7233
{{- end -}}
{{- end -}}
