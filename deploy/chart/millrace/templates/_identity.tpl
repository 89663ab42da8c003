{{/* Who the callers of the API are, and what it may do for them. */}}

{{/* What the names of the roles begin with that people are given. */}}
{{- define "millrace.rolesPrefix" -}}
{{ .Release.Namespace }}:{{ include "millrace.fullname" . }}
{{- end -}}

{{- define "millrace.impersonation" -}}
{{- $asked := .Values.api.auth.impersonation -}}
{{- if ne $asked "auto" -}}
{{- $asked -}}
{{- else -}}
{{- semverCompare ">=1.36.0-0" .Capabilities.KubeVersion.Version | ternary "constrained" "legacy" -}}
{{- end -}}
{{- end -}}

{{- define "millrace.checkIdentity" -}}
{{- $auth := .Values.api.auth -}}
{{- $oidc := $auth.oidc -}}
{{- if eq $auth.mode "oidc" -}}
{{- if not $oidc.issuer -}}
{{- fail "api.auth.mode is oidc, and api.auth.oidc.issuer must name the issuer, as in the claim `iss` of its tokens" -}}
{{- end -}}
{{- if not (hasPrefix "https://" $oidc.issuer) -}}
{{- fail (printf "api.auth.oidc.issuer is %s, and must begin with https://: whoever is between could sign tokens" $oidc.issuer) -}}
{{- end -}}
{{- if not $auth.audiences -}}
{{- fail "api.auth.mode is oidc, and api.auth.audiences must name at least one: a token for any other program of the issuer would do. Mostly it is the client id" -}}
{{- end -}}
{{- if or (hasPrefix "system:" $oidc.usernamePrefix) (hasPrefix "system:" $oidc.groupsPrefix) -}}
{{- fail "api.auth.oidc.usernamePrefix and groupsPrefix must not begin with system:, which Kubernetes keeps to itself" -}}
{{- end -}}
{{- else if $oidc.issuer -}}
{{- fail (printf "api.auth.oidc.issuer is %s, and api.auth.mode is %s: set api.auth.mode=oidc, or name no issuer" $oidc.issuer $auth.mode) -}}
{{- end -}}
{{- if eq $auth.mode "token" -}}
{{- if $auth.bindings -}}
{{- fail "api.auth.bindings gives roles to callers, and with api.auth.mode=token nobody knows who they are: set it to kubernetes or oidc" -}}
{{- end -}}
{{- else if $auth.tokenSecret -}}
{{- fail (printf "api.auth.tokenSecret is %s, and api.auth.mode is %s: there is no such token then" $auth.tokenSecret $auth.mode) -}}
{{- end -}}
{{- end -}}

{{- define "millrace.identityEnv" -}}
{{- $auth := .Values.api.auth -}}
{{- $oidc := $auth.oidc }}
- name: MILLRACE_API_AUTH_MODE
  value: {{ $auth.mode }}
{{- if eq $auth.mode "token" }}
- name: MILLRACE_API_TOKEN_FILE
  value: /etc/millrace/api/token
{{- else }}
- name: MILLRACE_API_RATE
  value: {{ $auth.requestsPerSecond | quote }}
- name: MILLRACE_API_ROLES
  value: {{ include "millrace.rolesPrefix" . }}
{{- with $auth.audiences }}
- name: MILLRACE_API_AUDIENCES
  value: {{ join "," . | quote }}
{{- end }}
{{- with $auth.impersonateExtra }}
- name: MILLRACE_API_IMPERSONATE_EXTRA
  value: {{ join "," . | quote }}
{{- end }}
{{- end }}
{{- if eq $auth.mode "oidc" }}
{{- $values := dict "ISSUER" $oidc.issuer "JWKS_URL" $oidc.jwksUrl "CLOCK_SKEW_SECONDS" (toString $oidc.clockSkewSeconds) "USERNAME_CLAIM" $oidc.usernameClaim "GROUPS_CLAIM" $oidc.groupsClaim "CLI_CLIENT_ID" $oidc.cliClientId "CLI_SCOPES" $oidc.cliScopes }}
{{- range $name, $value := $values }}
{{- with $value }}
- name: MILLRACE_API_OIDC_{{ $name }}
  value: {{ . | quote }}
{{- end }}
{{- end }}
{{- /* An empty prefix is one that was asked for. */}}
- name: MILLRACE_API_OIDC_USERNAME_PREFIX
  value: {{ $oidc.usernamePrefix | quote }}
- name: MILLRACE_API_OIDC_GROUPS_PREFIX
  value: {{ $oidc.groupsPrefix | quote }}
{{- if $oidc.caConfigMap }}
- name: NODE_EXTRA_CA_CERTS
  value: /etc/millrace/issuer/ca.crt
{{- end }}
{{- end }}
{{- end -}}

{{- define "millrace.issuerMount" -}}
{{- if and (eq .Values.api.auth.mode "oidc") .Values.api.auth.oidc.caConfigMap -}}
- name: issuer
  mountPath: /etc/millrace/issuer
  readOnly: true
{{- end -}}
{{- end -}}

{{- define "millrace.issuerVolume" -}}
{{- if and (eq .Values.api.auth.mode "oidc") .Values.api.auth.oidc.caConfigMap -}}
- name: issuer
  configMap:
    name: {{ .Values.api.auth.oidc.caConfigMap }}
{{- end -}}
{{- end -}}

{{/* By files/identity-rights.yaml; further keys of callers need a right each, which Kubernetes has no wildcard for. */}}
{{- define "millrace.identityRights" -}}
{{- $impersonation := include "millrace.impersonation" . -}}
{{- $rights := index (.Files.Get "files/identity-rights.yaml" | fromYaml) .Values.api.auth.mode $impersonation -}}
{{- with .Values.api.auth.impersonateExtra -}}
{{- $resources := list -}}
{{- range . }}{{ $resources = append $resources (printf "userextras/%s" .) }}{{ end -}}
{{- $verb := eq $impersonation "legacy" | ternary "impersonate" "impersonate:user-info" -}}
{{- $rule := dict "apiGroups" (list "authentication.k8s.io") "resources" $resources "verbs" (list $verb) -}}
{{- range list "cluster" "confined" -}}
{{- $_ := set $rights . (append (get $rights .) $rule) -}}
{{- end -}}
{{- end -}}
{{- toYaml $rights -}}
{{- end -}}
