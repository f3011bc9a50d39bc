{{- define "holdfast.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{/* The release's name, without saying "holdfast" twice. */}}
{{- define "holdfast.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains (include "holdfast.name" .) .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "holdfast.name" .) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "holdfast.operator" -}}
{{ include "holdfast.fullname" . }}-operator
{{- end -}}

{{- define "holdfast.agent" -}}
{{ include "holdfast.fullname" . }}-agent
{{- end -}}

{{- define "holdfast.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
app.kubernetes.io/part-of: holdfast
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{ include "holdfast.selector" . }}
{{- end -}}

{{/* Call with (dict "root" $ "component" "agent"). */}}
{{- define "holdfast.componentLabels" -}}
{{ include "holdfast.labels" .root }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "holdfast.selector" -}}
app.kubernetes.io/name: {{ include "holdfast.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "holdfast.componentSelector" -}}
{{ include "holdfast.selector" .root }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{/* Call with (dict "root" $ "program" "holdfast-agent"). */}}
{{- define "holdfast.image" -}}
{{- $image := .root.Values.image -}}
{{ $image.registry }}/{{ .program }}:{{ $image.tag | default .root.Chart.AppVersion }}
{{- end -}}

{{/* The user name of a ServiceAccount, as the API server sees it. Call with (dict "root" $ "account" NAME). */}}
{{- define "holdfast.user" -}}
system:serviceaccount:{{ .root.Release.Namespace }}:{{ .account }}
{{- end -}}

{{/* Where the kubelet finds the agent's endpoints: an address for everybody is reached by the local one. */}}
{{- define "holdfast.probeHost" -}}
{{- $address := .Values.agent.http.address -}}
{{- if eq $address "0.0.0.0" -}}
127.0.0.1
{{- else if eq $address "::" -}}
"::1"
{{- else -}}
{{ $address | quote }}
{{- end -}}
{{- end -}}

{{/* Something if only the node itself reaches the agent's endpoints, else nothing. */}}
{{- define "holdfast.isLocal" -}}
{{- $address := .Values.agent.http.address -}}
{{- if or (hasPrefix "127." $address) (eq $address "::1") -}}
local
{{- end -}}
{{- end -}}
