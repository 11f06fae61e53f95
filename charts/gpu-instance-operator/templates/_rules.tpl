{{/*
What the operator may do: the rules of deploy/rbac.yaml in the project's repository, in its order. A test compares
both, and another asks a real API server.
*/}}
{{- define "operator.rules" -}}
# To watch the instances, and to hold and release the finalizer. Specs are never written. One is deleted only
# where its own spec.expiry.action says Delete.
- apiGroups: [gpuinstance.dev]
  resources: [gpuinstances]
  verbs: [get, list, watch, patch{{ if .Values.rbac.expiry }}, delete{{ end }}]
# The same for upgrades, and to remove a finished one after its ttlAfterFinished.
- apiGroups: [gpuinstance.dev]
  resources: [instanceupgrades]
  verbs: [get, list, watch, patch, delete]
# The status is the operator's only store.
- apiGroups: [gpuinstance.dev]
  resources: [gpuinstances/status, instanceupgrades/status]
  verbs: [patch]
# What an instance names: its credentials, and the sources of its environment. Never listed, never watched.
- apiGroups: [""]
  resources: [secrets, configmaps]
  verbs: [get]
# The annotation that limits what a namespace may cost. Never listed, never watched.
- apiGroups: [""]
  resources: [namespaces]
  verbs: [get]
{{- if .Values.rbac.connection }}
# What spec.connection publishes; the operator touches nothing that is not owned by the instance.
- apiGroups: [""]
  resources: [secrets, services]
  verbs: [get, create, patch, delete]
# The slices of one Service have made-up names, so that they have to be listed.
- apiGroups: [discovery.k8s.io]
  resources: [endpointslices]
  verbs: [list, create, patch, delete]
{{- end }}
# To tell what happened.
- apiGroups: [""]
  resources: [events]
  verbs: [create]
{{- end -}}

{{- define "operator.subjects" -}}
- kind: ServiceAccount
  name: {{ include "operator.serviceAccountName" . | quote }}
  namespace: {{ .Release.Namespace | quote }}
{{- end -}}
