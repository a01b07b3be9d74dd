import { programVersion } from "./program-version.ts";
import type { Schema } from "./setting.ts";

const stateDir = {
	type: "path",
	default: "$XDG_STATE_HOME/lateen",
	help: "Where the server keeps its key, its admin socket and `serve.json`, which tells other commands how to reach it",
	reason:
		"The XDG base directory for state, `~/.local/state` unless `XDG_STATE_HOME` says otherwise. It is made with mode 0700 because it holds the key that signs proxy tokens.",
} as const;

/** Settings of `lateen serve`. */
export const serveSchema = {
	source: {
		type: "text",
		required: true,
		placeholder: "SOURCE",
		help: "Where the objects come from: `kubernetes`, or `directory:PATH`",
		reason:
			"There is no default, because serving the wrong folder is worse than being asked.",
	},
	config: {
		type: "path",
		placeholder: "FILE",
		help: "YAML file with settings, under the names that docs/settings.md lists",
		reason: "Most people need no file.",
	},
	kubeconfig: {
		type: "path",
		placeholder: "FILE",
		help: "How to reach the API server, with `--source=kubernetes`; by default what `KUBECONFIG` names, then `~/.kube/config`, and in a pod its own ServiceAccount",
		reason: "The same order as kubectl's.",
	},
	context: {
		type: "text",
		help: "Context of the kubeconfig to use instead of its current one",
		reason: "The current one is what kubectl uses, too.",
	},
	namespace: {
		type: "text",
		default: "lateen-system",
		help: "Namespace of Lateen itself: its Leases, certificates and reports are there",
		reason: "All replicas that serve one cluster must name the same.",
	},
	podName: {
		type: "text",
		placeholder: "NAME",
		help: "Name of this replica, which no other has; by default the name of the machine and a few letters",
		reason:
			"In a pod it is the pod's name: after a restart in place the replica is known to be the same.",
	},
	stateDir,
	xdsListen: {
		type: "address",
		default: "127.0.0.1:15010",
		help: "Where proxies connect; port 0 takes a free one. With `--source=kubernetes` this is TLS",
		reason:
			"Loopback, so that nothing is open to others unless somebody says so; 15010 is where people look for xDS.",
	},
	webhookListen: {
		type: "address",
		default: "127.0.0.1:15017",
		help: "Where the API server asks whether an object is valid, with `--source=kubernetes`",
		reason: "As for `xds-listen`; 15017 is where people look for webhooks.",
	},
	webhookUrl: {
		type: "text",
		placeholder: "URL",
		help: "How the API server reaches the webhook when that is not through the Service `lateen`, such as `https://192.0.2.1:15017`",
		reason: "In a cluster the Service leads to every replica.",
	},
	proxyImage: {
		type: "text",
		default: `lateen-proxy:${programVersion}`,
		placeholder: "IMAGE",
		help: "Image of the proxies that pods get, where the Mesh `default` names none",
		reason:
			"It is said where the image of Lateen itself is said, so that an upgrade changes both.",
	},
	healthListen: {
		type: "address",
		help: "Where others may ask for `/healthz`, `/readyz` and `/metrics`, and nothing else",
		reason:
			"The kubelet asks for them at the address of the pod; the rest of the admin API has no passwords and stays on loopback.",
	},
	adminListen: {
		type: "text",
		default: "unix",
		placeholder: "unix|unix:PATH|ADDRESS",
		help: "Where the admin API listens: `unix` is admin.sock in the state directory; an address must be a loopback one",
		reason:
			"A Unix socket in a folder that only its owner may enter needs no password.",
	},
	logLevel: {
		type: "choice",
		values: ["debug", "info", "warn", "error"],
		default: "info",
		help: "How much is logged",
		reason:
			"`info` says what an operator needs to follow along, and nothing per request.",
	},
	logFormat: {
		type: "choice",
		values: ["auto", "json", "text"],
		default: "auto",
		help: "`json` is for machines, `text` for people; `auto` is `text` on a terminal and `json` elsewhere",
		reason: "Logs that nobody watches are collected by machines.",
	},
	otlpEndpoint: {
		type: "text",
		placeholder: "URL",
		help: "Where traces of changes go, in OTLP/HTTP: the address of an OpenTelemetry collector, such as `http://collector:4318`; by default what `OTEL_EXPORTER_OTLP_ENDPOINT` says",
		reason:
			"Without it nothing is traced. OpenTelemetry's own variables are understood, too; docs/observability.md lists them.",
	},
	tracesPerMinute: {
		type: "count",
		default: "60",
		min: 1,
		max: 6000,
		help: "Changes that are traced within a minute; others are only measured",
		reason:
			"A person changes less than one object a second, and of a thousand pods that come and go some are enough to see where time goes.",
	},
	holdOffQuiet: {
		type: "duration",
		default: "10ms",
		max: 10_000,
		help: "How long it must have been quiet before a further change is built",
		reason:
			"Files of one `git checkout` arrive within milliseconds of each other. The first change after a quiet time does not wait.",
	},
	holdOffMax: {
		type: "duration",
		default: "200ms",
		max: 60_000,
		help: "How long a change waits at most while others keep coming",
		reason:
			"A person does not notice 200 ms, and five builds a second leave the rest of the time to the proxies.",
	},
	removalDelay: {
		type: "duration",
		default: "10s",
		max: 600_000,
		help: "How long a proxy keeps a cluster after nothing points there any more",
		reason:
			"A request that a rule delays, or that is tried again, looks for its cluster long after its route was chosen, and one that finds none fails. 10 s is more than such a request usually waits; a cluster that nobody uses costs a proxy 30 KB meanwhile, and more than 1,000 of them are not kept.",
	},
	maxStreams: {
		type: "count",
		default: "20000",
		min: 1,
		help: "Streams of proxies that are served at the same time",
		reason:
			"Far beyond the largest mesh we measure; a stream without subscriptions costs a few kilobytes.",
	},
	maxMessageSize: {
		type: "size",
		default: "16MiB",
		min: 1024,
		max: 1024 ** 3,
		help: "Largest message a proxy may send",
		reason:
			"A reconnecting proxy names everything it has with versions: 100,000 resources fit.",
	},
	maxNamesPerSubscription: {
		type: "count",
		default: "20000",
		min: 1,
		help: "Names that one proxy may subscribe to, per type of resource",
		reason:
			"A sidecar of 5,000 services with three subsets each names 20,000 clusters; each name costs about 100 bytes.",
	},
	maxBlockedTime: {
		type: "duration",
		default: "20s",
		min: 100,
		help: "How long a proxy may leave a response unread before its stream is closed",
		reason:
			"A proxy that reads nothing for so long is hung or gone; it gets everything when it is back.",
	},
	stopTimeout: {
		type: "duration",
		default: "5s",
		help: "How long streams may take to end when the server stops",
		reason: "Below the 10 s that most supervisors wait before they kill.",
	},
} as const satisfies Schema;

/** Settings of commands that talk to a running server. */
export const clientSchema = {
	stateDir: { ...stateDir, help: "State directory of the server to ask" },
	server: {
		type: "text",
		placeholder: "unix:PATH|ADDRESS",
		help: "Admin API of the server to ask; by default what `serve.json` in the state directory says",
		reason: "One machine mostly runs one server.",
	},
	kubeconfig: {
		type: "path",
		placeholder: "FILE",
		help: "Ask in the Kubernetes cluster of this kubeconfig; by default what `KUBECONFIG` names, then `~/.kube/config`",
		reason: "The same order as kubectl's.",
	},
	context: {
		type: "text",
		placeholder: "NAME",
		help: "Ask in the Kubernetes cluster of this context of the kubeconfig",
		reason: "The current one is what kubectl uses, too.",
	},
	lateenNamespace: {
		type: "text",
		default: "lateen-system",
		placeholder: "NAMESPACE",
		help: "Namespace that Lateen runs in, in a Kubernetes cluster",
		reason: "It is that of the manifests.",
	},
} as const satisfies Schema;

/** Names that begin with `LATEEN_` and are read by the scripts of the project, not by the program. */
export const namesOfScripts: readonly string[] = [
	"envoy",
	"kubernetes",
	"cache",
	"figures",
	"testCluster",
];
