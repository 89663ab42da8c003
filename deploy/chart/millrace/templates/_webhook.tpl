{{/* How controllers are asked before a pipeline is stored, and the certificate that they show. */}}

{{- define "millrace.webhookName" -}}
{{ include "millrace.fullname" . }}-webhook
{{- end -}}

{{/* The Secret with the certificate; of `self`, that in which controllers keep it. */}}
{{- define "millrace.webhookSecret" -}}
{{- if eq .Values.webhook.certificates.mode "secret" -}}
{{- .Values.webhook.certificates.secret -}}
{{- else -}}
{{ include "millrace.webhookName" . }}-certificate
{{- end -}}
{{- end -}}

{{/* The Secret that controllers fill: with the path at which the API server asks and, of `self`, the certificate. */}}
{{- define "millrace.webhookKept" -}}
{{- if eq .Values.webhook.certificates.mode "self" -}}
{{ include "millrace.webhookSecret" . }}
{{- else -}}
{{ include "millrace.webhookName" . }}-path
{{- end -}}
{{- end -}}

{{/* Names by which the API server, and people, reach the Service. */}}
{{- define "millrace.webhookHosts" -}}
{{- $name := include "millrace.webhookName" . -}}
{{- $namespace := .Release.Namespace -}}
{{- list (printf "%s.%s.svc" $name $namespace) (printf "%s.%s.svc.cluster.local" $name $namespace) (printf "%s.%s" $name $namespace) | toJson -}}
{{- end -}}

{{/* Whose pipelines are checked. Where Millrace is, nothing waits for Millrace. */}}
{{- define "millrace.webhookNamespaces" -}}
{{- if .Values.webhook.namespaceSelector -}}
{{- toYaml .Values.webhook.namespaceSelector -}}
{{- else -}}
matchExpressions:
  {{- with .Values.watchNamespaces }}
  - key: kubernetes.io/metadata.name
    operator: In
    values: {{ toJson . }}
  {{- end }}
  - key: kubernetes.io/metadata.name
    operator: NotIn
    values: {{ list .Release.Namespace "kube-system" | uniq | toJson }}
{{- end -}}
{{- end -}}

{{- define "millrace.checkWebhook" -}}
{{- $certificates := .Values.webhook.certificates -}}
{{- $isNamed := or $certificates.secret $certificates.caBundle -}}
{{- if and (eq $certificates.mode "secret") (not (and $certificates.secret $certificates.caBundle)) -}}
{{- fail "webhook.certificates.secret must name the Secret with the certificate, and webhook.certificates.caBundle hold what the API server believes it by, when webhook.certificates.mode is secret" -}}
{{- end -}}
{{- if and (ne $certificates.mode "secret") $isNamed -}}
{{- fail (printf "webhook.certificates.secret and webhook.certificates.caBundle are for a certificate of yours, and webhook.certificates.mode is %s: set webhook.certificates.mode=secret" $certificates.mode) -}}
{{- end -}}
{{- if and (ne $certificates.mode "certManager") $certificates.issuerRef -}}
{{- fail (printf "webhook.certificates.issuerRef is for cert-manager, and webhook.certificates.mode is %s: set webhook.certificates.mode=certManager" $certificates.mode) -}}
{{- end -}}
{{- end -}}

{{- define "millrace.webhookEnv" -}}
{{- if .Values.webhook.enabled }}
- name: MILLRACE_WEBHOOK_LISTEN
  value: 0.0.0.0:8443
- name: MILLRACE_WEBHOOK_CONFIGURATION
  value: {{ include "millrace.webhookName" . }}
{{- if eq .Values.webhook.certificates.mode "self" }}
- name: MILLRACE_WEBHOOK_CERTIFICATE_SECRET
  value: {{ include "millrace.webhookSecret" . }}
- name: MILLRACE_WEBHOOK_HOSTS
  value: {{ include "millrace.webhookHosts" . | fromJsonArray | join "," }}
{{- else }}
- name: MILLRACE_WEBHOOK_CERTIFICATE_DIR
  value: /etc/millrace/webhook
- name: MILLRACE_WEBHOOK_PATH_SECRET
  value: {{ include "millrace.webhookKept" . }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "millrace.webhookMounts" -}}
{{- if and .Values.webhook.enabled (ne .Values.webhook.certificates.mode "self") }}
{{ include "millrace.folderMount" "webhook" }}
{{- end }}
{{- end -}}

{{- define "millrace.webhookVolumes" -}}
{{- if and .Values.webhook.enabled (ne .Values.webhook.certificates.mode "self") }}
- name: webhook
  secret:
    secretName: {{ include "millrace.webhookSecret" . }}
    items: [{key: tls.crt, path: tls.crt}, {key: tls.key, path: tls.key}]
    # Without it the controller runs, says what it waits for, and is not ready.
    optional: true
{{- end }}
{{- end -}}

{{/* The API servers learn a moment later that this pod is not to be asked any more. */}}
{{- define "millrace.webhookPreStop" -}}
{{- if .Values.webhook.enabled -}}
sleep: {seconds: 5}
{{- end -}}
{{- end -}}
