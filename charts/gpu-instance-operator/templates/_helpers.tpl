{{/* Names, labels and the parts that several templates share. */}}

{{- define "operator.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 52 | trimSuffix "-" -}}
{{- end -}}

{{/* What all objects are called; short enough for `-simulator` and the like behind it. */}}
{{- define "operator.fullname" -}}
{{- $name := include "operator.name" . -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "operator.serviceAccountName" -}}
{{- .Values.serviceAccount.name | default (ternary (include "operator.fullname" .) "default" .Values.serviceAccount.create) -}}
{{- end -}}

{{- define "operator.selector" -}}
app.kubernetes.io/name: {{ include "operator.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{- define "operator.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "operator.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Of a pod: what a new version of the chart alone does not change, so that it restarts nothing. */}}
{{- define "operator.podLabels" -}}
{{ include "operator.selector" . }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* What the objects of one shard are called, of (list $ index): with one shard as the release's own. */}}
{{- define "operator.shardName" -}}
{{- $name := include "operator.fullname" (first .) -}}
{{- if gt (int (first .).Values.shards) 1 -}}
{{- printf "%s-shard-%d" $name (last . | int) -}}
{{- else -}}
{{- $name -}}
{{- end -}}
{{- end -}}

{{/* By what the pods of one shard are selected, of (list $ index). */}}
{{- define "operator.shardSelector" -}}
{{ include "operator.selector" (first .) }}
app.kubernetes.io/component: operator
{{- if gt (int (first .).Values.shards) 1 }}
gpuinstance.dev/shard: {{ last . | toString | quote }}
{{- end }}
{{- end -}}

{{- define "operator.image" -}}
{{- $image := .Values.image -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $image.repository $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $image.repository (default .Chart.AppVersion $image.tag) -}}
{{- end -}}
{{- end -}}

{{- define "operator.simulatorUrl" -}}
{{- printf "http://%s-simulator" (include "operator.fullname" .) -}}
{{- end -}}

{{/*
The settings of the program: those of the values, and what follows from other values. A list becomes JSON, as
the program reads it; JSON also spells numbers so that a whole one stays whole.
*/}}
{{- define "operator.environment" -}}
{{- $settings := deepCopy .Values.settings -}}
{{- if .Values.simulator.enabled -}}
{{- $url := include "operator.simulatorUrl" . -}}
{{- $_ := set $settings "novitaBaseUrl" (printf "%s:8081/gpu-instance/openapi/v1" $url) -}}
{{- $_ := set $settings "hostwindsBaseUrl" (printf "%s:8082/cloud/api.php" $url) -}}
{{- $networks := concat (default list $settings.probeAllowedNetworks) .Values.simulator.podNetworks | uniq -}}
{{- $_ := set $settings "probeAllowedNetworks" $networks -}}
{{- end -}}
- name: GPUINSTANCE_LEASE_NAME
  value: {{ include "operator.fullname" . | quote }}
- name: GPUINSTANCE_HTTP_LISTEN
  value: {{ printf ":%v" .Values.ports.http | quote }}
{{- with .Values.watchNamespaces }}
- name: GPUINSTANCE_NAMESPACES
  value: {{ toJson . | quote }}
{{- end }}
{{- range $name, $value := $settings }}
{{- if not (or (kindIs "invalid" $value) (eq (toString $value) "")) }}
- name: {{ printf "GPUINSTANCE_%s" (snakecase $name | upper) }}
  value: {{ ternary $value (toJson $value) (kindIs "string" $value) | quote }}
{{- end }}
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* On which nodes a pod may run. */}}
{{- define "operator.placement" -}}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}
