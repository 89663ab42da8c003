{{/* What lets Millrace in at NATS and Temporal, and what lets nobody in: Secrets, and the folders as which processes find them. */}}

{{/* Of (root, values as they were given): settles which Secrets count, and refuses what cannot work. */}}
{{- define "millrace.checkAccess" -}}
{{- $root := index . 0 -}}
{{- $nats := $root.Values.nats -}}
{{- /* `off` without quotation marks. */ -}}
{{- if kindIs "bool" $nats.tls.mode -}}{{- $_ := set $nats.tls "mode" "off" -}}{{- end -}}
{{- if eq $nats.mode "external" -}}
{{- include "millrace.checkExternalNats" (list $nats (default dict (index . 1).nats)) -}}
{{- else -}}
{{- include "millrace.checkBundledNats" $root -}}
{{- end -}}
{{- with $root.Values.temporal -}}
{{- if and .devServer.enabled (not .address) (or .accessSecret .tls.enabled .tls.serverName) -}}
{{- fail "temporal.accessSecret and temporal.tls are for a Temporal at temporal.address: the development server (temporal.devServer.enabled) speaks without TLS and asks nobody" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Of (nats, nats as it was given). */}}
{{- define "millrace.checkExternalNats" -}}
{{- $nats := index . 0 -}}
{{- $given := index . 1 -}}
{{- if or ($given.auth).enabled $nats.auth.serverSecret -}}
{{- fail "nats.auth is about the bundled NATS, and nats.mode is external: name nats.accessSecret, and nats.accountSecret or nats.podAccessSecret; `millrace nats-identity` makes the files for a NATS of yours" -}}
{{- end -}}
{{- if or $nats.tls.secret (has ($given.tls).mode (list "generated" "secret")) -}}
{{- fail "nats.tls is about the bundled NATS, and nats.mode is external: put ca.crt into nats.accessSecret and nats.podAccessSecret, and TLS is asked for" -}}
{{- end -}}
{{- $_ := set $nats.auth "enabled" false -}}
{{- $_ := set $nats.tls "mode" "off" -}}
{{- $ofPods := or $nats.podAccessSecret $nats.accountSecret -}}
{{- if and $nats.accessSecret (not $ofPods) -}}
{{- fail "nats.accessSecret lets Millrace in, and the pods of pipelines need something as well: nats.accountSecret, or nats.podAccessSecret, which may be the same Secret when everybody may do everything" -}}
{{- end -}}
{{- if and $ofPods (not $nats.accessSecret) -}}
{{- fail "nats.podAccessSecret and nats.accountSecret let the pods of pipelines in, and Millrace needs something as well: nats.accessSecret" -}}
{{- end -}}
{{- end -}}

{{- define "millrace.checkBundledNats" -}}
{{- $nats := .Values.nats -}}
{{- $auth := $nats.auth -}}
{{- $named := compact (list $auth.serverSecret $nats.accessSecret $nats.accountSecret) -}}
{{- if not $auth.enabled -}}
{{- with compact (append $named $nats.podAccessSecret) -}}
{{- fail (printf "nats.auth.enabled is false, and Secrets are named with which the bundled NATS would let somebody in (%s): it asks nobody. Set nats.auth.enabled=true, or name none" (join ", " .)) -}}
{{- end -}}
{{- else -}}
{{- if and $named (lt (len $named) 3) -}}
{{- fail (printf "nats.auth.serverSecret, nats.accessSecret and nats.accountSecret hold keys that belong together, and only %s is named: name all three, or none, and a hook makes them" (join ", " $named)) -}}
{{- end -}}
{{- $prefix := include "millrace.fullname" . -}}
{{- $_ := set $auth "isMadeHere" (empty $named) -}}
{{- $_ := set $auth "serverSecret" (default (printf "%s-nats-server" $prefix) $auth.serverSecret) -}}
{{- $_ := set $nats "accessSecret" (default (printf "%s-nats-access" $prefix) $nats.accessSecret) -}}
{{- $_ := set $nats "accountSecret" (default (printf "%s-nats-account" $prefix) $nats.accountSecret) -}}
{{- end -}}
{{- if and (eq $nats.tls.mode "secret") (not $nats.tls.secret) -}}
{{- fail "nats.tls.secret must name the Secret with the certificate of NATS when nats.tls.mode is secret" -}}
{{- end -}}
{{- if and (ne $nats.tls.mode "secret") $nats.tls.secret -}}
{{- fail (printf "nats.tls.secret is %s, and nats.tls.mode is %s: set nats.tls.mode=secret" $nats.tls.secret $nats.tls.mode) -}}
{{- end -}}
{{- if eq $nats.tls.mode "generated" -}}
{{- $_ := set $nats.tls "secret" (printf "%s-tls" (include "millrace.natsName" .)) -}}
{{- end -}}
{{- end -}}

{{/* Of (root, name of a Secret or none): what the folder for NATS is made of. The authority of the bundled NATS comes last, and counts. */}}
{{- define "millrace.natsSources" -}}
{{- $tls := (index . 0).Values.nats.tls -}}
{{- with index . 1 }}
- secret:
    name: {{ . }}
{{- end }}
{{- if ne $tls.mode "off" }}
- secret:
    name: {{ $tls.secret }}
    items: [{key: ca.crt, path: ca.crt}]
{{- end }}
{{- end -}}

{{- define "millrace.folderMount" -}}
- name: {{ . }}
  mountPath: /etc/millrace/{{ . }}
  readOnly: true
{{- end -}}

{{/* How controller, lifecycle and preflight get in at NATS. */}}
{{- define "millrace.natsEnv" -}}
- name: MILLRACE_NATS_URL
  value: {{ include "millrace.natsUrl" . | quote }}
{{- if include "millrace.natsSources" (list . .Values.nats.accessSecret) | trim }}
- name: MILLRACE_NATS_ACCESS_DIR
  value: /etc/millrace/nats
{{- end }}
{{- end -}}

{{- define "millrace.natsMounts" -}}
{{- if include "millrace.natsSources" (list . .Values.nats.accessSecret) | trim }}
{{ include "millrace.folderMount" "nats" }}
{{- end }}
{{- end -}}

{{- define "millrace.natsVolumes" -}}
{{- with include "millrace.natsSources" (list . .Values.nats.accessSecret) | trim }}
- name: nats
  projected:
    sources:
      {{- . | nindent 6 }}
{{- end }}
{{- end -}}

{{/* What the lifecycle gives to the pods of pipelines. */}}
{{- define "millrace.podAccessEnv" -}}
{{- if include "millrace.natsSources" (list . .Values.nats.podAccessSecret) | trim }}
- name: MILLRACE_POD_NATS_ACCESS_DIR
  value: /etc/millrace/pod-nats
{{- end }}
{{- if .Values.nats.accountSecret }}
- name: MILLRACE_NATS_ACCOUNT_DIR
  value: /etc/millrace/nats-account
{{- end }}
{{- if include "millrace.podPullSecret" . }}
- name: MILLRACE_POD_PULL_CONFIGS
  value: /etc/millrace/pull/config.json
{{- end }}
{{- end -}}

{{- define "millrace.podAccessMounts" -}}
{{- if include "millrace.natsSources" (list . .Values.nats.podAccessSecret) | trim }}
{{ include "millrace.folderMount" "pod-nats" }}
{{- end }}
{{- if .Values.nats.accountSecret }}
{{ include "millrace.folderMount" "nats-account" }}
{{- end }}
{{- if include "millrace.podPullSecret" . }}
{{ include "millrace.folderMount" "pull" }}
{{- end }}
{{- end -}}

{{- define "millrace.podAccessVolumes" -}}
{{- with include "millrace.natsSources" (list . .Values.nats.podAccessSecret) | trim }}
- name: pod-nats
  projected:
    sources:
      {{- . | nindent 6 }}
{{- end }}
{{- with .Values.nats.accountSecret }}
- name: nats-account
  secret:
    secretName: {{ . }}
{{- end }}
{{- with include "millrace.podPullSecret" . }}
- name: pull
  secret:
    secretName: {{ . }}
    items: [{key: .dockerconfigjson, path: config.json}]
    # Without it the lifecycle runs, and each operation says what is missing.
    optional: true
{{- end }}
{{- end -}}

{{- define "millrace.podPullSecret" -}}
{{- if .Values.lifecycle.podPullSecret -}}
{{- .Values.lifecycle.podPullSecret -}}
{{- else -}}
{{- with first .Values.global.imagePullSecrets -}}
{{- .name -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* How every process finds Temporal, and gets in. */}}
{{- define "millrace.temporalEnv" -}}
- name: MILLRACE_TEMPORAL_ADDRESS
  value: {{ include "millrace.temporalAddress" . }}
- name: MILLRACE_TEMPORAL_NAMESPACE
  value: {{ .Values.temporal.namespace | quote }}
{{- if .Values.temporal.tls.enabled }}
- name: MILLRACE_TEMPORAL_TLS
  value: "true"
{{- end }}
{{- with .Values.temporal.tls.serverName }}
- name: MILLRACE_TEMPORAL_TLS_SERVER_NAME
  value: {{ . | quote }}
{{- end }}
{{- if .Values.temporal.accessSecret }}
- name: MILLRACE_TEMPORAL_ACCESS_DIR
  value: /etc/millrace/temporal
{{- end }}
{{- with .Values.temporal.uiUrl }}
- name: MILLRACE_TEMPORAL_UI_URL
  value: {{ . | quote }}
{{- end }}
{{- end -}}

{{- define "millrace.temporalMounts" -}}
{{- if .Values.temporal.accessSecret }}
{{ include "millrace.folderMount" "temporal" }}
{{- end }}
{{- end -}}

{{- define "millrace.temporalVolumes" -}}
{{- with .Values.temporal.accessSecret }}
- name: temporal
  secret:
    secretName: {{ . }}
{{- end }}
{{- end -}}
