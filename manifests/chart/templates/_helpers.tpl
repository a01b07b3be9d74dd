{{- /* Labels of every object. Those that change from one version to the next are not on pods, nor in selectors. */}}
{{- define "lateen.labels" -}}
app.kubernetes.io/name: lateen
app.kubernetes.io/part-of: lateen
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name (replace "+" "_" .Chart.Version) }}
{{- end }}

{{- /* An image by repository and digest, or tag, or the version of the chart. */}}
{{- define "lateen.image" -}}
{{- $image := .image -}}
{{- if $image.digest -}}
{{ printf "%s@%s" $image.repository $image.digest }}
{{- else -}}
{{ printf "%s:%s" $image.repository (default .root.Chart.AppVersion $image.tag) }}
{{- end }}
{{- end }}

{{- /* A setting as it is typed: Helm's numbers are floating, and large ones would be printed with an exponent. */}}
{{- define "lateen.settingValue" -}}
{{- if kindIs "float64" . }}{{ int64 . }}{{ else }}{{ toString . }}{{ end }}
{{- end }}
