{{/* Where Millrace looks after pipelines. */}}

{{- define "millrace.watchEnv" -}}
{{- with .Values.watchNamespaces }}
- name: MILLRACE_WATCH_NAMESPACES
  value: {{ uniq . | join "," | quote }}
{{- end }}
{{- end -}}

{{/*
Of (root, process, rights): its roles, as a list `roles` in YAML. Each with `kind`, `name`, `namespace` if it has one, and `rules`.
A role for pipelines has a name of its own: a watched namespace may be that of Millrace.
*/}}
{{- define "millrace.roles" -}}
{{- $root := index . 0 -}}
{{- $rights := index . 2 -}}
{{- $name := printf "%s-%s" (include "millrace.fullname" $root) (index . 1) -}}
{{- $clusterWide := printf "%s:%s" $root.Release.Namespace $name -}}
{{- $roles := list (dict "kind" "Role" "name" $name "namespace" $root.Release.Namespace "rules" $rights.own) -}}
{{- if $root.Values.watchNamespaces -}}
{{- $roles = append $roles (dict "kind" "ClusterRole" "name" $clusterWide "rules" $rights.confined) -}}
{{- range uniq $root.Values.watchNamespaces -}}
{{- $roles = append $roles (dict "kind" "Role" "name" (printf "%s-pipelines" $name) "namespace" . "rules" $rights.watched) -}}
{{- end -}}
{{- else -}}
{{- $roles = append $roles (dict "kind" "ClusterRole" "name" $clusterWide "rules" $rights.cluster) -}}
{{- end -}}
{{- toYaml (dict "roles" $roles) -}}
{{- end -}}
