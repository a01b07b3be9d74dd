import type { InjectionContext } from "./context.ts";
import { fieldOf, type Json, recordIn, withField } from "./json.ts";
import { drainFile, files, names, ports } from "./names.ts";
import { jsonArgument, podEnvironment, podVariables } from "./pod-variables.ts";
import type { RewrittenProbe } from "./probes.ts";
import { parseQuantity } from "./quantity.ts";
import { statusParts } from "./status-listener.ts";
import type { Steering } from "./steering.ts";
import { strategicMerge } from "./strategic-merge.ts";

/** How much of its memory limit Envoy's heap may take: it has stacks and code besides. */
const heapShare = 0.9;

/** Seconds that a classic sidecar goes on at least after the application's containers are told to stop. */
const classicDrainSeconds = 5;

/**
 * Run when the pod is told to go: from then on Envoy asks whoever calls by HTTP to come back on another connection, which finds another pod,
 * and ends the connections that nobody uses. Callers with a proxy learn of it by their own; others keep a connection until somebody ends it.
 */
const drainScript = `echo 1 >${drainFile}.new && busybox mv ${drainFile}.new ${drainFile}
busybox wget -q -O /dev/null --post-data= http://127.0.0.1:${ports.admin}/healthcheck/fail
`;

/** Port of the control plane's Service. */
const controlPlanePort = 15012;

/**
 * Exits once somebody listens on the status port, which Envoy does when it has everything: `:3AAC` is 15020, `0A` is LISTEN. Gives up after
 * about a minute, so that the application starts without a control plane, too.
 */
const waitScript = `i=0
while [ $i -lt 600 ]; do
  if cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | {
    while read -r _ local _ state _; do
      case "$local $state" in *:3AAC' '0A) exit 0;; esac
    done
    exit 1
  }; then exit 0; fi
  i=$((i + 1))
  sleep 0.1
done
`;

/**
 * Run when the pod of a classic sidecar is told to go, where nothing else lets it outlive the application: the same as above, and then it waits
 * for the application to have no connection any more, neither of its own (to `:3A99`, which is 15001) nor from its proxy (which has them
 * from 127.0.0.6 or ::6). Whatever becomes of it, the kubelet ends it with the pod's time.
 */
function outliveScript(seconds: number): string {
	return `(
${drainScript}) || :
sleep ${seconds}
while cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | {
  while read -r _ local _ state _; do
    case "$local $state" in *:3A99' '01|0600007F:*' '01|00000000000000000000000006000000:*' '01) exit 0;; esac
  done
  exit 1
}; do sleep 0.5; done
`;
}

/** The container with Envoy. */
export function proxyContainer(
	context: InjectionContext,
	steering: Steering,
	probes: readonly RewrittenProbe[],
): Json {
	const { settings } = context;
	const template = settings.template?.proxy ?? {};
	const container = strategicMerge(
		skeleton(context, steering),
		withField(template, "args", undefined),
	);
	return {
		...container,
		args: [
			...["--config-yaml", bootstrap(context, container, probes)],
			...["--concurrency", String(settings.concurrency)],
			...["--log-level", steering.logLevel, "--disable-hot-restart"],
			...listOf(fieldOf(template, "args")),
		],
	};
}

function skeleton({ settings }: InjectionContext, steering: Steering): Json {
	const { proxyImage, imagePullPolicy, proxyUser, resources } = settings;
	const isNative = steering.sidecar === "native";
	const ready = {
		httpGet: { path: "/ready", port: ports.status, scheme: "HTTP" },
	};
	return {
		name: names.proxyContainer,
		image: proxyImage,
		...(imagePullPolicy !== undefined && { imagePullPolicy }),
		...(isNative && { restartPolicy: "Always" }),
		command: ["envoy"],
		env: podEnvironment,
		ports: [
			{
				name: "lateen-status",
				containerPort: ports.status,
				protocol: "TCP",
			},
		],
		resources: {
			requests: { ...resources.requests, ...steering.resources.requests },
			limits: { ...resources.limits, ...steering.resources.limits },
		},
		...(isNative &&
			steering.holdsApplication && {
				// The next container starts when this has succeeded, however long the control plane takes.
				startupProbe: {
					...ready,
					periodSeconds: 1,
					timeoutSeconds: 3,
					failureThreshold: 600,
				},
			}),
		readinessProbe: {
			...ready,
			periodSeconds: 5,
			timeoutSeconds: 3,
			failureThreshold: 3,
		},
		...(isNative && {
			// Such hooks run at once, although the container itself stays until the others have ended.
			lifecycle: { preStop: { exec: { command: ["sh", "-c", drainScript] } } },
		}),
		...(!isNative && {
			lifecycle: {
				...(steering.holdsApplication && {
					postStart: { exec: { command: ["sh", "-ec", waitScript] } },
				}),
				preStop: {
					exec: {
						command: [
							...["sh", "-ec"],
							outliveScript(steering.stopDelaySeconds + classicDrainSeconds),
						],
					},
				},
			},
		}),
		securityContext: {
			allowPrivilegeEscalation: false,
			capabilities: { drop: ["ALL"] },
			privileged: false,
			readOnlyRootFilesystem: true,
			runAsGroup: proxyUser,
			runAsNonRoot: true,
			runAsUser: proxyUser,
			seccompProfile: { type: "RuntimeDefault" },
		},
		volumeMounts: [
			{ name: names.volume, mountPath: names.mountPath, readOnly: true },
		],
	};
}

/** The volume with what the proxy proves itself by, and by what it knows the control plane. */
export const proxyVolume: Json = {
	name: names.volume,
	projected: {
		defaultMode: 0o444,
		sources: [
			{
				serviceAccountToken: {
					audience: names.audience,
					expirationSeconds: 3600,
					path: files.token,
				},
			},
			{
				configMap: {
					name: names.configMap,
					items: [
						{ key: files.authorities, path: files.authorities },
						{ key: files.tokenSds, path: files.tokenSds },
						{ key: files.authoritiesSds, path: files.authoritiesSds },
					],
				},
			},
		],
	},
};

function bootstrap(
	{ settings, ownNamespace, makeBootstrap }: InjectionContext,
	container: Json,
	probes: readonly RewrittenProbe[],
): string {
	const limits = recordIn(recordIn(container, "resources"), "limits");
	const limit = parseQuantity(limits["memory"]);
	const at = (file: string): string => `${names.mountPath}/${file}`;
	const made = makeBootstrap({
		workload: `${podVariables.namespace}/${podVariables.name}`,
		adminPort: ports.admin,
		...(limit !== undefined && {
			maxHeapBytes: Math.floor(limit * heapShare),
		}),
		drainFile,
		server: serverOf(settings.controlPlane, ownNamespace),
		tokenFile: at(files.token),
		tokenSdsFile: at(files.tokenSds),
		caFile: at(files.authorities),
		caSdsFile: at(files.authoritiesSds),
	});
	const resources = recordIn(made, "static_resources");
	const { listeners, clusters } = statusParts(probes);
	return jsonArgument({
		...made,
		static_resources: {
			...resources,
			listeners: [...listOf(resources["listeners"]), ...listeners],
			clusters: [...listOf(resources["clusters"]), ...clusters],
		},
	});
}

function serverOf(
	controlPlane: string | undefined,
	ownNamespace: string,
): { readonly host: string; readonly port: number } {
	if (controlPlane === undefined)
		return { host: `lateen.${ownNamespace}.svc`, port: controlPlanePort };
	const colon = controlPlane.lastIndexOf(":");
	return {
		host: controlPlane.slice(0, colon).replace(/^\[|\]$/g, ""),
		port: Number(controlPlane.slice(colon + 1)),
	};
}

function listOf(value: unknown): readonly unknown[] {
	return Array.isArray(value) ? value : [];
}
