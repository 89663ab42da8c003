{{/* What makes metrics for Prometheus of what a nats-server tells by its monitoring. */}}

{{- define "millrace.hasNatsExporter" -}}
{{- and (eq .Values.nats.mode "bundled") .Values.nats.exporter.enabled -}}
{{- end -}}

{{/* A container beside each server. It has no probe: a server without metrics is not one without records. */}}
{{- define "millrace.natsExporter" -}}
{{- with .Values.nats.exporter -}}
- name: exporter
  image: {{ include "millrace.image" (list $ .image) }}
  imagePullPolicy: {{ .image.pullPolicy }}
  args: [-port=7777, -prefix=nats, -use_internal_server_name, -varz, -connz, -routez, -healthz, -jsz=all, "http://127.0.0.1:8222"]
  ports:
    - {name: metrics, containerPort: 7777}
  resources:
    {{- toYaml .resources | nindent 4 }}
  securityContext:
    {{- include "millrace.containerSecurityContext" $ | nindent 4 }}
{{- end -}}
{{- end -}}
