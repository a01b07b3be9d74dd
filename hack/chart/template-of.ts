/** One place of a manifest that values have a say in. */
interface Edit {
	/** Whole lines of the manifest, there exactly once. */
	readonly lines: string;
	/** What is there instead; `$&` are the lines themselves. */
	readonly become: string;
}

/** What every file has besides the places below: a condition around all of it. */
const CONDITIONS: Readonly<Record<string, string>> = {
	"namespace.yaml": ".Values.createNamespace",
	"network-policy.yaml": ".Values.networkPolicy",
	"pod-monitor.yaml": ".Values.monitoring",
	"priority-class.yaml": ".Values.priorityClass.create",
	"prometheus-rule.yaml": ".Values.monitoring",
};

/** Places by file. The namespace, and labels of every object, are found without being listed. */
const EDITS: Readonly<Record<string, readonly Edit[]>> = {
	"priority-class.yaml": [
		{
			lines: "  name: lateen",
			become: "  name: {{ .Values.priorityClass.name }}",
		},
	],
	"deployment.yaml": [
		{
			lines: "  replicas: 2",
			become: "  replicas: {{ .Values.replicas }}",
		},
		{
			lines: "      labels:\n        app: lateen",
			become: `$&
        app.kubernetes.io/name: lateen
        app.kubernetes.io/part-of: lateen
        {{- with .Values.podLabels }}
        {{- toYaml . | nindent 8 }}
        {{- end }}`,
		},
		{
			lines: "        prometheus.io/path: /metrics",
			become: `$&
        {{- with .Values.podAnnotations }}
        {{- toYaml . | nindent 8 }}
        {{- end }}`,
		},
		{
			lines: "      serviceAccountName: lateen",
			become: `$&
      {{- with .Values.imagePullSecrets }}
      imagePullSecrets:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .Values.priorityClass.name }}
      priorityClassName: {{ . }}
      {{- end }}
      {{- with .Values.nodeSelector }}
      nodeSelector:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .Values.tolerations }}
      tolerations:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .Values.affinity }}
      affinity:
        {{- toYaml . | nindent 8 }}
      {{- end }}`,
		},
		{
			lines: `      topologySpreadConstraints:
        - maxSkew: 1
          topologyKey: kubernetes.io/hostname
          whenUnsatisfiable: ScheduleAnyway
          labelSelector:
            matchLabels:
              app: lateen
        - maxSkew: 1
          topologyKey: topology.kubernetes.io/zone
          whenUnsatisfiable: ScheduleAnyway
          labelSelector:
            matchLabels:
              app: lateen`,
			become: `      {{- with .Values.topologySpreadConstraints }}
      topologySpreadConstraints:
        {{- toYaml . | nindent 8 }}
      {{- end }}`,
		},
		{
			lines: "          image: lateen",
			become: `          image: {{ include "lateen.image" (dict "image" .Values.image "root" .) | quote }}
          {{- with .Values.image.pullPolicy }}
          imagePullPolicy: {{ . }}
          {{- end }}`,
		},
		{
			lines: "            - --log-format=json",
			become: `$&
            {{- range $name, $value := .Values.settings }}
            - {{ printf "--%s=%s" (kebabcase $name) (include "lateen.settingValue" $value) | quote }}
            {{- end }}`,
		},
		{
			lines: `                  fieldPath: metadata.name
`,
			become: `$&            {{- if .Values.proxyImage.repository }}
            - name: LATEEN_PROXY_IMAGE
              value: {{ include "lateen.image" (dict "image" .Values.proxyImage "root" .) | quote }}
            {{- end }}
`,
		},
		{
			lines: `          resources:
            requests:
              cpu: 100m
              memory: 256Mi
            # No limit on CPU: throttling at the moment of a large change is the worst moment.
            limits:
              memory: 1Gi`,
			become: `          resources:
            {{- toYaml .Values.resources | nindent 12 }}`,
		},
	],
};

/**
 * The template of a manifest.
 *
 * Expects: one YAML file as it is written here, two spaces deep, `metadata` beginning with name and namespace.
 * Fails when: a place is not there, or twice; then the lists above are not those of the manifests any more.
 */
export function templateOf(path: string, text: string): string {
	const name = path.split("/").at(-1) ?? "";
	const isCrd = path.startsWith("crds/");
	// Alerts have templates of their own, which are Prometheus's to fill in.
	let body = text.replaceAll("{{", '{{ "{{" }}');
	for (const { lines, become } of EDITS[name] ?? []) {
		const parts = body.split(lines);
		if (parts.length !== 2)
			throw new Error(`${path} has ${parts.length - 1} times\n${lines}`);
		body = parts.join(become.replace("$&", lines));
	}
	body = body.replaceAll(
		/^metadata:\n( {2}name: .*\n(?: {2}namespace: .*\n)?)( {2}labels:\n(?: {4}app\.kubernetes\.io\/(?:name|part-of): lateen\n)*)?/gm,
		(_, head: string) => `metadata:\n${head}${LABELS}${isCrd ? KEEP : ""}`,
	);
	// What a schema says of the namespace is what the program takes for its default.
	if (!isCrd)
		body = body.replaceAll(
			/^([^#\n]*)\blateen-system\b/gm,
			"$1{{ .Release.Namespace | quote }}",
		);
	const condition = isCrd ? ".Values.crds.install" : CONDITIONS[name];
	const inner =
		condition === undefined
			? body
			: `{{- if ${condition} }}\n${body}{{- end }}\n`;
	return `{{- /* Generated from ${path} by hack/generate-chart.ts; edit there. */}}\n${inner}`;
}

const LABELS = `  labels:
    {{- include "lateen.labels" . | nindent 4 }}
`;

const KEEP = `  {{- if .Values.crds.keep }}
  annotations:
    helm.sh/resource-policy: keep
  {{- end }}
`;
