/*
 * Objects as a real API server sends them, with all that nobody uses: a Pod of
 * about 5 KB, an EndpointSlice of about 4 KB with ten endpoints.
 */

const NAMESPACES = 50;
const NODES = 200;

function managedFields(fields: readonly string[]): object[] {
	return ["kube-controller-manager", "kubelet"].map((manager) => ({
		manager,
		operation: "Update",
		apiVersion: "v1",
		time: "2026-01-01T00:00:00Z",
		fieldsType: "FieldsV1",
		fieldsV1: Object.fromEntries(
			fields.map((field) => [
				`f:${field}`,
				{ ".": {}, "f:name": {}, 'k:{"type":"Ready"}': {} },
			]),
		),
	}));
}

/** The Pod with this number; `beat` changes what a kubelet writes again and again, and nothing that is used. */
export function benchPod(index: number, version: number, beat: number): object {
	const app = `app-${index % 500}`;
	const env = Array.from({ length: 8 }, (_, n) => ({
		name: `SETTING_${n}`,
		value: `value-${n}-of-${app}`,
	}));
	return {
		kind: "Pod",
		apiVersion: "v1",
		metadata: {
			name: `${app}-6d4b75cb6d-${index.toString(36).padStart(5, "0")}`,
			generateName: `${app}-6d4b75cb6d-`,
			namespace: `team-${index % NAMESPACES}`,
			uid: `8f1c9a7e-0000-4000-8000-${String(index).padStart(12, "0")}`,
			resourceVersion: String(version),
			generation: 1,
			creationTimestamp: "2026-01-01T00:00:00Z",
			labels: {
				app,
				version: `v${index % 3}`,
				"pod-template-hash": "6d4b75cb6d",
				team: `team-${index % NAMESPACES}`,
			},
			annotations: {
				"kubernetes.io/config.seen": "2026-01-01T00:00:00.000000000Z",
				"kubernetes.io/config.source": "api",
				"cni.projectcalico.org/podIP": `10.${(index >> 16) & 255}.${(index >> 8) & 255}.${index & 255}/32`,
			},
			ownerReferences: [
				{
					apiVersion: "apps/v1",
					kind: "ReplicaSet",
					name: `${app}-6d4b75cb6d`,
					uid: "8f1c9a7e-0000-4000-8000-000000000000",
					controller: true,
					blockOwnerDeletion: true,
				},
			],
			managedFields: managedFields([
				"metadata",
				"spec",
				"status",
				"conditions",
				"containerStatuses",
				"podIPs",
			]),
		},
		spec: {
			volumes: [
				{
					name: "kube-api-access",
					projected: {
						sources: [
							{
								serviceAccountToken: { expirationSeconds: 3607, path: "token" },
							},
							{
								configMap: {
									name: "kube-root-ca.crt",
									items: [{ key: "ca.crt", path: "ca.crt" }],
								},
							},
						],
						defaultMode: 420,
					},
				},
			],
			containers: [
				{
					name: app,
					image: `registry.example.com/${app}:1.${index % 3}.0`,
					ports: [{ name: "http", containerPort: 8080, protocol: "TCP" }],
					env,
					resources: {
						limits: { cpu: "500m", memory: "256Mi" },
						requests: { cpu: "100m", memory: "128Mi" },
					},
					volumeMounts: [
						{
							name: "kube-api-access",
							readOnly: true,
							mountPath: "/var/run/secrets/kubernetes.io/serviceaccount",
						},
					],
					livenessProbe: {
						httpGet: { path: "/healthz", port: 8080, scheme: "HTTP" },
						periodSeconds: 10,
						failureThreshold: 3,
					},
					readinessProbe: {
						httpGet: { path: "/readyz", port: 8080, scheme: "HTTP" },
						periodSeconds: 10,
						failureThreshold: 3,
					},
					terminationMessagePath: "/dev/termination-log",
					imagePullPolicy: "IfNotPresent",
				},
			],
			restartPolicy: "Always",
			dnsPolicy: "ClusterFirst",
			serviceAccountName: app,
			nodeName: `node-${index % NODES}`,
			securityContext: {},
			schedulerName: "default-scheduler",
			tolerations: ["not-ready", "unreachable"].map((key) => ({
				key: `node.kubernetes.io/${key}`,
				operator: "Exists",
				effect: "NoExecute",
				tolerationSeconds: 300,
			})),
		},
		status: {
			phase: "Running",
			conditions: [
				"Initialized",
				"Ready",
				"ContainersReady",
				"PodScheduled",
			].map((type) => ({
				type,
				status: "True",
				lastProbeTime: null,
				lastTransitionTime: `2026-01-01T00:00:${String(beat % 60).padStart(2, "0")}Z`,
			})),
			hostIP: `192.168.0.${index % NODES}`,
			podIP: `10.${(index >> 16) & 255}.${(index >> 8) & 255}.${index & 255}`,
			podIPs: [
				{
					ip: `10.${(index >> 16) & 255}.${(index >> 8) & 255}.${index & 255}`,
				},
			],
			startTime: "2026-01-01T00:00:00Z",
			containerStatuses: [
				{
					name: app,
					state: { running: { startedAt: "2026-01-01T00:00:00Z" } },
					lastState: {},
					ready: true,
					restartCount: beat,
					image: `registry.example.com/${app}:1.${index % 3}.0`,
					imageID: `registry.example.com/${app}@sha256:${"ab".repeat(32)}`,
					containerID: `containerd://${"cd".repeat(32)}`,
					started: true,
				},
			],
			qosClass: "Burstable",
		},
	};
}

/** The EndpointSlice with this number; `beat` changes an annotation and nothing that is used. */
export function benchSlice(
	index: number,
	version: number,
	beat: number,
): object {
	const app = `app-${index}`;
	return {
		kind: "EndpointSlice",
		apiVersion: "discovery.k8s.io/v1",
		metadata: {
			name: `${app}-x7k2p`,
			generateName: `${app}-`,
			namespace: `team-${index % NAMESPACES}`,
			uid: `9f1c9a7e-0000-4000-8000-${String(index).padStart(12, "0")}`,
			resourceVersion: String(version),
			generation: beat + 1,
			creationTimestamp: "2026-01-01T00:00:00Z",
			labels: {
				"kubernetes.io/service-name": app,
				"endpointslice.kubernetes.io/managed-by":
					"endpointslice-controller.k8s.io",
				app,
			},
			annotations: {
				"endpoints.kubernetes.io/last-change-trigger-time": `2026-01-01T00:00:${String(beat % 60).padStart(2, "0")}Z`,
			},
			managedFields: managedFields(["addressType", "endpoints", "ports"]),
		},
		addressType: "IPv4",
		endpoints: Array.from({ length: 10 }, (_, n) => ({
			addresses: [`10.${n}.${(index >> 8) & 255}.${index & 255}`],
			conditions: { ready: true, serving: true, terminating: false },
			nodeName: `node-${(index + n) % NODES}`,
			zone: `zone-${n % 3}`,
			targetRef: {
				kind: "Pod",
				namespace: `team-${index % NAMESPACES}`,
				name: `${app}-6d4b75cb6d-${n.toString(36).padStart(5, "0")}`,
				uid: "8f1c9a7e-0000-4000-8000-000000000000",
			},
		})),
		ports: [{ name: "http", port: 8080, protocol: "TCP" }],
	};
}
