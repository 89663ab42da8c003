{{/*
A process of Millrace. `root`; `component`; `port`; `alive`, `ready`: paths of its probes; and, as YAML, further `env`, `mounts` and
`volumes`, `preStop`, and `metricsPort`, where that is another one.
*/}}
{{- define "millrace.process" -}}
{{- $root := .root -}}
{{- $all := .root.Values -}}
{{- $component := .component -}}
{{- $own := get $all $component -}}
{{- $name := printf "%s-%s" (include "millrace.fullname" $root) $component -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ $name }}
  namespace: {{ $root.Release.Namespace }}
  labels:
    {{- include "millrace.labels" (list $root $component) | nindent 4 }}
spec:
  replicas: {{ $own.replicas }}
  revisionHistoryLimit: 3
  strategy:
    rollingUpdate:
      maxSurge: 1
      maxUnavailable: 0
  selector:
    matchLabels:
      {{- include "millrace.selectorLabels" (list $root $component) | nindent 6 }}
  template:
    metadata:
      labels:
        {{- include "millrace.podLabels" (list $root $component) | nindent 8 }}
        {{- with $own.podLabels }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      {{- with include "millrace.podAnnotations" (list $root $component $own) }}
      annotations:
        {{- . | nindent 8 }}
      {{- end }}
    spec:
      serviceAccountName: {{ include "millrace.serviceAccount" (list $root $component $own) }}
      enableServiceLinks: false
      terminationGracePeriodSeconds: 60
      securityContext:
        {{- include "millrace.podSecurityContext" $root | nindent 8 }}
      {{- include "millrace.placement" (list $root $component $own) | trim | nindent 6 }}
      containers:
        - name: {{ $component }}
          image: {{ include "millrace.image" (list $root $all.image) }}
          imagePullPolicy: {{ $all.image.pullPolicy }}
          command: [millrace, {{ $component }}]
          env:
            - name: MILLRACE_POD_NAME
              valueFrom:
                fieldRef:
                  fieldPath: metadata.name
            - name: MILLRACE_LOG_LEVEL
              value: {{ $all.logLevel }}
            {{- include "millrace.temporalEnv" $root | nindent 12 }}
            {{- with include "millrace.watchEnv" $root }}
            {{- trim . | nindent 12 }}
            {{- end }}
            {{- .env | nindent 12 }}
            {{- with $own.extraEnv }}
            {{- toYaml . | nindent 12 }}
            {{- end }}
          {{- with .preStop }}
          lifecycle:
            preStop:
              {{- . | nindent 14 }}
          {{- end }}
          ports:
            - name: http
              containerPort: {{ .port }}
            {{- with .metricsPort }}
            - name: metrics
              containerPort: {{ . }}
            {{- end }}
          resources:
            {{- toYaml $own.resources | nindent 12 }}
          securityContext:
            {{- include "millrace.containerSecurityContext" $root | nindent 12 }}
          # A process that starts on a busy node is slow, not broken, and one that is broken exits.
          startupProbe:
            httpGet:
              path: {{ .alive }}
              port: http
            periodSeconds: 2
            timeoutSeconds: 10
            failureThreshold: 300
          livenessProbe:
            httpGet:
              path: {{ .alive }}
              port: http
            periodSeconds: 10
            timeoutSeconds: 10
            failureThreshold: 3
          readinessProbe:
            httpGet:
              path: {{ .ready }}
              port: http
            periodSeconds: 5
            timeoutSeconds: 10
            failureThreshold: 2
          volumeMounts:
            - name: tmp
              mountPath: /tmp
            {{- with include "millrace.temporalMounts" $root }}
            {{- trim . | nindent 12 }}
            {{- end }}
            {{- with .mounts }}
            {{- trim . | nindent 12 }}
            {{- end }}
      volumes:
        - name: tmp
          emptyDir: {}
        {{- with include "millrace.temporalVolumes" $root }}
        {{- trim . | nindent 8 }}
        {{- end }}
        {{- with .volumes }}
        {{- trim . | nindent 8 }}
        {{- end }}
{{- end -}}
