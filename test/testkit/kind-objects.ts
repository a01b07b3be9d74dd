import { readFileSync } from "node:fs";
import { join } from "node:path";
import { LATEEN_IMAGE } from "./kind-mesh.ts";

const APP = readFileSync(join(import.meta.dirname, "pod-app.ts"), "utf8");

/** Objects as `kubectl apply -f -` wants them. */
export function listOf(objects: readonly object[]): string {
	return JSON.stringify({ apiVersion: "v1", kind: "List", items: objects });
}

/** A RouteRule. */
export function ruleObject(name: string, spec: object): object {
	return {
		apiVersion: "lateen.dev/v1alpha1",
		kind: "RouteRule",
		metadata: { name },
		spec,
	};
}

/** The ConfigMap with the program that `podSpec` runs. */
export function appObject(): object {
	return {
		apiVersion: "v1",
		kind: "ConfigMap",
		metadata: { name: "app" },
		data: { "pod-app.ts": APP },
	};
}

/** A Service of the pods with the label `app`. By default HTTP on port 80. */
export function serviceObject(
	name: string,
	app: string = name,
	spec: object = { ports: [{ name: "http", port: 80, targetPort: 8080 }] },
): object {
	return {
		apiVersion: "v1",
		kind: "Service",
		metadata: { name },
		spec: { selector: { app }, ...spec },
	};
}

/** What a pod is that runs `pod-app.ts` with arguments; needs `appObject`. */
export function podSpec(args: readonly string[], version = ""): object {
	const isServer = args[0] === "serve";
	return {
		terminationGracePeriodSeconds: 30,
		containers: [
			{
				name: "app",
				image: LATEEN_IMAGE,
				imagePullPolicy: "Never",
				command: ["/usr/bin/node", "/app/pod-app.ts", ...args],
				env: [{ name: "VERSION", value: version }],
				// Who asks for nothing gets next to nothing where others are busy.
				resources: { requests: { cpu: "50m", memory: "32Mi" } },
				volumeMounts: [{ name: "app", mountPath: "/app" }],
				...(isServer && {
					readinessProbe: {
						httpGet: { path: "/ready", port: 8080 },
						periodSeconds: 1,
						failureThreshold: 2,
					},
				}),
			},
		],
		volumes: [{ name: "app", configMap: { name: "app" } }],
	};
}

/** A pod that serves, with the label `app`; to be asked from, too. */
export function podObject(
	name: string,
	annotations: Readonly<Record<string, string>> = {},
): object {
	return {
		apiVersion: "v1",
		kind: "Pod",
		metadata: { name, labels: { app: name }, annotations },
		spec: podSpec(["serve"]),
	};
}

/** A Deployment `APP-VERSION` of pods that serve. */
export function deploymentObject(
	app: string,
	version: string,
	replicas: number,
): object {
	const labels = { app, version };
	return {
		apiVersion: "apps/v1",
		kind: "Deployment",
		metadata: { name: `${app}-${version}` },
		spec: {
			replicas,
			selector: { matchLabels: labels },
			template: { metadata: { labels }, spec: podSpec(["serve"], version) },
		},
	};
}

/** A Job of one pod that runs `pod-app.ts` with arguments. */
export function jobObject(name: string, args: readonly string[]): object {
	return {
		apiVersion: "batch/v1",
		kind: "Job",
		metadata: { name },
		spec: {
			backoffLimit: 0,
			template: {
				spec: { ...podSpec(args), restartPolicy: "Never" },
			},
		},
	};
}
