import { notInjectedAnnotation } from "../api/core.ts";

/** Names of what injection puts into a pod. */
export const names = {
	/** Label of an injected pod: by which version. The control plane copies its authorities to namespaces of such pods. */
	injectedLabel: "lateen.dev/injected",
	/** Annotation of an injected pod: JSON with what was there before. */
	injectionAnnotation: "lateen.dev/injection",
	/** Annotation of a pod that was asked to be injected and is not: `REASON: sentence`. */
	notInjectedAnnotation,
	captureContainer: "lateen-capture",
	proxyContainer: "lateen-proxy",
	volume: "lateen",
	/** Where the proxy finds its token, the authorities, and the two files that lead Envoy to them. */
	mountPath: "/var/run/lateen",
	/** ConfigMap with the authorities, in every namespace with injected pods. */
	configMap: "lateen-ca",
	/** For whom the tokens of proxies are meant. */
	audience: "lateen.dev",
} as const;

/** Ports that belong to the proxy. */
export const ports = {
	/** Envoy's own admin interface, on loopback. */
	admin: 15000,
	outbound: 15001,
	inbound: 15006,
	/** Readiness, figures for Prometheus, and the probes of the application; never captured. */
	status: 15020,
} as const;

/** Says `1` when the pod goes. Of what a proxy sees, only this folder can be written to; it ends with the pod. */
export const drainFile = "/dev/shm/lateen-drain";

/** Files below `names.mountPath`, which are also keys of the ConfigMap but for the token. */
export const files = {
	token: "token",
	authorities: "ca.crt",
	tokenSds: "token-sds.json",
	authoritiesSds: "ca-sds.json",
} as const;
