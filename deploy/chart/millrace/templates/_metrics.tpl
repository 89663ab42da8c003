{{/* Where Prometheus finds metrics. */}}

{{/* As YAML: `targets`, each with `component` and the name and number of the port of its pods. */}}
{{- define "millrace.metricsTargets" -}}
targets:
  - {component: controller, port: http, number: 8081}
  - {component: lifecycle, port: http, number: 8081}
  {{- if .Values.api.enabled }}
  - {component: api, port: metrics, number: 8081}
  {{- end }}
  {{- if eq (include "millrace.hasNatsExporter" .) "true" }}
  - {component: nats, port: metrics, number: 7777}
  {{- end }}
{{- end -}}

{{/* Of (root, kind): whether it is asked for and the API server has it. Rendered without a cluster: with `--api-versions`. */}}
{{- define "millrace.hasMonitor" -}}
{{- $root := index . 0 -}}
{{- $asked := get $root.Values.metrics (untitle (index . 1)) -}}
{{- and $asked.enabled ($root.Capabilities.APIVersions.Has (printf "monitoring.coreos.com/v1/%s" (index . 1))) -}}
{{- end -}}

{{/* Of (a monitor's values, port): an endpoint. */}}
{{- define "millrace.metricsEndpoint" -}}
{{- $monitor := index . 0 -}}
- port: {{ index . 1 }}
  path: /metrics
  {{- with $monitor.interval }}
  interval: {{ . }}
  {{- end }}
  {{- with $monitor.scrapeTimeout }}
  scrapeTimeout: {{ . }}
  {{- end }}
{{- end -}}

{{/* Of (root, component, component's values): annotations of its pods, with those that say where metrics are. */}}
{{- define "millrace.podAnnotations" -}}
{{- $root := index . 0 -}}
{{- $component := index . 1 -}}
{{- $annotations := deepCopy (index . 2).podAnnotations -}}
{{- if $root.Values.metrics.annotations -}}
{{- range (include "millrace.metricsTargets" $root | fromYaml).targets -}}
{{- if eq .component $component -}}
{{- $said := dict "prometheus.io/scrape" "true" "prometheus.io/path" "/metrics" "prometheus.io/port" (toString .number) -}}
{{- $annotations = merge $annotations $said -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- with $annotations -}}
{{- toYaml . -}}
{{- end -}}
{{- end -}}
