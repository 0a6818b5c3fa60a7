{{/* A release that is called verdictd is called so once. */}}
{{- define "verdictd.name" -}}
{{- if contains "verdictd" .Release.Name }}{{ .Release.Name }}{{ else }}{{ .Release.Name }}-verdictd{{ end }}
{{- end }}

{{- define "verdictd.selector" -}}
app.kubernetes.io/name: verdictd
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "verdictd.labels" -}}
{{ include "verdictd.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "verdictd.image" -}}
{{- if .Values.image.digest }}{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else }}{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}{{ end }}
{{- end }}

{{- define "verdictd.port" -}}
{{ regexFind "[0-9]+$" .Values.listen }}
{{- end }}

{{- define "verdictd.listenHost" -}}
{{ regexReplaceAll ":[0-9]+$" .Values.listen "" | trimAll "[]" | lower }}
{{- end }}

{{/* Where the node itself reaches the pages. */}}
{{- define "verdictd.host" -}}
{{- $host := include "verdictd.listenHost" . }}
{{- if eq $host "0.0.0.0" }}127.0.0.1{{ else if eq $host "::" }}::1{{ else }}{{ $host }}{{ end }}
{{- end }}

{{/* Of the agent, and of what removes what it left. */}}
{{- define "verdictd.securityContext" -}}
# CAP_NET_ADMIN comes with the capabilities of the image's own files, as nothing else gives it to a process
# that isn't root. Where the agent has none ("no CAP_NET_ADMIN"), the runtime wants true here.
allowPrivilegeEscalation: {{ .Values.allowPrivilegeEscalation }}
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
  add: [NET_ADMIN]
{{- end }}
