{{/*
The values as they apply: what is null is taken from the profile (files/profiles.yaml, docs in the chart's README).
Returns YAML. A value that is false, 0 or empty counts: it was asked for.
*/}}
{{- define "millrace.values" -}}
{{- $profiles := .Files.Get "files/profiles.yaml" | fromYaml -}}
{{- $values := include "millrace.withDefaults" (list .Values (get $profiles .Values.profile)) | fromYaml -}}
{{- $nats := $values.nats -}}
{{- if eq $nats.mode "bundled" -}}
{{- $servers := int $nats.replicas -}}
{{- if kindIs "invalid" .Values.nats.streamReplicas -}}
{{- $_ := set $nats "streamReplicas" (min $servers 3) -}}
{{- else if gt (int $nats.streamReplicas) $servers -}}
{{- fail (printf "nats.streamReplicas is %d, and there are %d servers (nats.replicas): a stream cannot have more copies than there are servers" (int $nats.streamReplicas) $servers) -}}
{{- end -}}
{{- else if not $nats.address -}}
{{- fail "nats.address must say where NATS is when nats.mode is external, as in `--set nats.address=nats://nats.messaging:4222`" -}}
{{- end -}}
{{- if and (eq $values.uninstall.policy "Orphan") $values.crds.enabled (not $values.crds.keep) -}}
{{- fail "uninstall.policy is Orphan and crds.keep is false: pipelines would be deleted with their kind, and nobody would take them down" -}}
{{- end -}}
{{- if and (not $values.temporal.devServer.enabled) (not $values.temporal.address) -}}
{{- fail "temporal.address must say where Temporal is, as in `--set temporal.address=temporal-frontend.temporal:7233`; or try everything on one node with `--set profile=lab`, which brings a Temporal of its own" -}}
{{- end -}}
{{- toYaml $values -}}
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

{{/* Of (root, values as they apply). */}}
{{- define "millrace.natsUrl" -}}
{{- $root := index . 0 -}}
{{- $nats := (index . 1).nats -}}
{{- if eq $nats.mode "external" -}}
{{- $nats.address -}}
{{- else -}}
nats://{{ include "millrace.natsName" $root }}.{{ $root.Release.Namespace }}.svc:4222
{{- end -}}
{{- end -}}

{{/* Of (root, values as they apply). */}}
{{- define "millrace.temporalAddress" -}}
{{- $root := index . 0 -}}
{{- $temporal := (index . 1).temporal -}}
{{- if $temporal.address -}}
{{- $temporal.address -}}
{{- else -}}
{{ include "millrace.temporalName" $root }}.{{ $root.Release.Namespace }}.svc:7233
{{- end -}}
{{- end -}}

{{/* Of (root, values as they apply): how every process finds Temporal. */}}
{{- define "millrace.temporalEnv" -}}
{{- $temporal := (index . 1).temporal -}}
- name: MILLRACE_TEMPORAL_ADDRESS
  value: {{ include "millrace.temporalAddress" . }}
- name: MILLRACE_TEMPORAL_NAMESPACE
  value: {{ $temporal.namespace | quote }}
{{- with $temporal.uiUrl }}
- name: MILLRACE_TEMPORAL_UI_URL
  value: {{ . | quote }}
{{- end }}
{{- end -}}
