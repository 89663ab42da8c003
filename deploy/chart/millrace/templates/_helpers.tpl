{{/* Names, labels, images: what every template has in common. */}}

{{- define "millrace.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "millrace.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains (include "millrace.name" .) .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "millrace.name" .) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Of (root, component): what a selector needs. */}}
{{- define "millrace.selectorLabels" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ include "millrace.name" $root }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{/* Of (root, component). Never `app.kubernetes.io/managed-by: millrace`: that marks what belongs to a pipeline. */}}
{{- define "millrace.labels" -}}
{{- $root := index . 0 -}}
{{ include "millrace.selectorLabels" . }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
app.kubernetes.io/part-of: {{ include "millrace.name" $root }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- with $root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Of (root, component): of pods. No version: a new one of the chart must not start NATS again. */}}
{{- define "millrace.podLabels" -}}
{{ include "millrace.selectorLabels" . }}
app.kubernetes.io/part-of: {{ include "millrace.name" (index . 0) }}
{{- end -}}

{{/* Of (root, component, component's values): the name of its account. */}}
{{- define "millrace.serviceAccount" -}}
{{- $values := index . 2 -}}
{{- if $values.serviceAccount.name -}}
{{- $values.serviceAccount.name -}}
{{- else if $values.serviceAccount.create -}}
{{- include "millrace.fullname" (index . 0) }}-{{ index . 1 -}}
{{- else -}}
default
{{- end -}}
{{- end -}}

{{/* Of (root, image): the whole reference. */}}
{{- define "millrace.image" -}}
{{- $root := index . 0 -}}
{{- $image := index . 1 -}}
{{- $registry := default $root.Values.global.imageRegistry $image.registry -}}
{{- with $registry }}{{ trimSuffix "/" . }}/{{ end -}}
{{- $image.repository -}}
{{- if $image.digest -}}
@{{ $image.digest }}
{{- else -}}
:{{ required "image.tag must not be empty but for Millrace itself" (default (eq $image.repository $root.Values.image.repository | ternary $root.Chart.AppVersion "") $image.tag) }}
{{- end -}}
{{- end -}}

{{- define "millrace.natsName" -}}
{{ include "millrace.fullname" . }}-nats
{{- end -}}

{{- define "millrace.temporalName" -}}
{{ include "millrace.fullname" . }}-temporal
{{- end -}}

{{/* Pod Security `restricted`. */}}
{{- define "millrace.podSecurityContext" -}}
runAsNonRoot: true
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "millrace.containerSecurityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{/* Of (root, component, values): where pods run. Servers of NATS are never on one node: it would take the majority with it. */}}
{{- define "millrace.placement" -}}
{{- $values := index . 2 -}}
{{- with (index . 0).Values.global.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
topologySpreadConstraints:
{{- if $values.topologySpreadConstraints }}
  {{- toYaml $values.topologySpreadConstraints | nindent 2 }}
{{- else }}
{{- $selector := include "millrace.selectorLabels" (list (index . 0) (index . 1)) }}
{{- $isApart := and (eq (index . 1) "nats") (eq (index . 0).Values.profile "production") }}
{{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
  - maxSkew: 1
    topologyKey: {{ . }}
    whenUnsatisfiable: {{ and $isApart (hasSuffix "hostname" .) | ternary "DoNotSchedule" "ScheduleAnyway" }}
    labelSelector:
      matchLabels:
        {{- $selector | nindent 8 }}
{{- end }}
{{- end }}
{{- end -}}

{{/* Of storage, as in the values: the volume `data` of a pod that claims none. */}}
{{- define "millrace.dataVolume" -}}
{{- if not .enabled }}
- name: data
  emptyDir: {}
{{- end }}
{{- end -}}

{{/* Of storage: the claim `data` of a StatefulSet. */}}
{{- define "millrace.dataClaim" -}}
{{- if .enabled }}
volumeClaimTemplates:
  - metadata:
      name: data
    spec:
      accessModes: [ReadWriteOnce]
      {{- with .storageClass }}
      storageClassName: {{ . }}
      {{- end }}
      resources:
        requests:
          storage: {{ .size }}
{{- end }}
{{- end -}}
