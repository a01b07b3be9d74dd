/*
 * Finds the way to an API server as kubectl does:
 *
 *   a kubeconfig that is named ▸ $KUBECONFIG ▸ ~/.kube/config ▸ the ServiceAccount of our own pod
 */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import type { Clock } from "../lib/clock.ts";
import { nearestName } from "../lib/nearest-name.ts";
import { type ExecCredential, runExecPlugin } from "./exec-credentials.ts";
import type { Credentials, KubeAccess } from "./kube-access.ts";
import { KubeError } from "./kube-error.ts";
import {
	type ConfigCluster,
	type ConfigUser,
	mergeKubeconfigs,
	type PemSource,
	parseKubeconfig,
} from "./kubeconfig-file.ts";

/** Where to look. */
export interface KubeConfigOptions {
	/** Path of a kubeconfig; nothing else is looked at then. */
	readonly kubeconfig?: string;
	/** Name of a context; by default the current one of the kubeconfig. */
	readonly context?: string;
	/** Use the ServiceAccount of our own pod, whatever kubeconfig there is. */
	readonly inCluster?: boolean;
	/** `KUBECONFIG`, `HOME`, `KUBERNETES_SERVICE_HOST` and `_PORT`; all of it is handed to credential plugins. */
	readonly environment: Readonly<Record<string, string | undefined>>;
	readonly clock: Clock;
	/** Folder of our ServiceAccount's token, CA and namespace; for tests. */
	readonly serviceAccountFolder?: string;
}

/** Where the kubelet mounts a pod's ServiceAccount. */
const SERVICE_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount";

/**
 * Finds the server and the credentials, and reads the latter once to see that they can be had.
 *
 * Fails when: there is no configuration or it cannot be used; then with a
 *   `KubeError` `KUBE_CONFIG` that says what to do and quotes no secret.
 */
export async function loadKubeConfig(
	options: KubeConfigOptions,
): Promise<KubeAccess> {
	const access = await findAccess(options);
	checkServer(access.server);
	await access.load();
	return access;
}

async function findAccess(options: KubeConfigOptions): Promise<KubeAccess> {
	const { environment } = options;
	if (options.inCluster === true) return inCluster(options);
	if (options.kubeconfig !== undefined)
		return fromFiles([options.kubeconfig], options);
	const listed = (environment["KUBECONFIG"] ?? "")
		.split(delimiter)
		.filter((path) => path !== "");
	// As with kubectl, one that is not there is passed over, as long as there is another.
	const present = listed.filter((path) => existsSync(path));
	if (listed.length > 0)
		return fromFiles(present.length > 0 ? present : listed, options);
	const home = join(environment["HOME"] ?? "/", ".kube/config");
	if (existsSync(home)) return fromFiles([home], options);
	if (environment["KUBERNETES_SERVICE_HOST"]) return inCluster(options);
	throw new KubeError(
		"KUBE_CONFIG",
		`There is no kubeconfig: ${home} does not exist, KUBECONFIG is not set, and this is no pod. Name one with --kubeconfig.`,
	);
}

async function fromFiles(
	paths: readonly string[],
	options: KubeConfigOptions,
): Promise<KubeAccess> {
	const config = mergeKubeconfigs(
		await Promise.all(
			paths.map(async (path) =>
				parseKubeconfig(await readText(path, "kubeconfig"), path),
			),
		),
	);
	const where = paths.join(", ");
	const name = options.context ?? config.currentContext;
	if (name === undefined) {
		throw new KubeError(
			"KUBE_CONFIG",
			`The kubeconfig ${where} has no current context. Name one with --context, or set it with kubectl config use-context.`,
		);
	}
	const context = pick(config.contexts, "context", name, where);
	const cluster = pick(config.clusters, "cluster", context.cluster, where);
	const user =
		context.user === ""
			? NOBODY
			: pick(config.users, "user", context.user, where);
	if (user.unusable !== undefined) {
		throw new KubeError(
			"KUBE_CONFIG",
			`The user ${context.user} of the kubeconfig ${where} ${user.unusable}.`,
		);
	}
	const program = user.exec && execLoader(cluster, user, options);
	return {
		server: cluster.server,
		context: name,
		serverName: cluster.serverName,
		insecure: cluster.insecure,
		namespace: context.namespace ?? "default",
		headers: user.headers,
		load: async (refused) => {
			const ca = cluster.ca && (await readPem(cluster.ca, "CA certificate"));
			if (program === undefined) return readCredentials(ca, user);
			const made = await program(ca, refused);
			return {
				ca,
				authorization: made.token && bearer(made.token),
				certificate: made.certificate,
			};
		},
	};
}

const NOBODY: ConfigUser = {
	token: undefined,
	cert: undefined,
	key: undefined,
	password: undefined,
	exec: undefined,
	headers: {},
	unusable: undefined,
};

async function readCredentials(
	ca: string | undefined,
	user: ConfigUser,
): Promise<Credentials> {
	const { token, cert, key, password } = user;
	const basic =
		password &&
		`Basic ${Buffer.from(`${password.name}:${password.password}`).toString("base64")}`;
	return {
		ca,
		authorization:
			token === undefined
				? basic
				: bearer(
						"text" in token ? token.text : await readText(token.file, "token"),
					),
		certificate:
			cert === undefined || key === undefined
				? undefined
				: {
						cert: await readPem(cert, "client certificate"),
						key: await readPem(key, "client key"),
					},
	};
}

/** Runs the program when there is nothing yet, or what there is has expired or was refused; once for all who ask meanwhile. */
function execLoader(
	cluster: ConfigCluster,
	user: ConfigUser,
	{ environment, clock }: KubeConfigOptions,
): (
	ca: string | undefined,
	refused: Credentials | undefined,
) => Promise<ExecCredential> {
	let running: Promise<ExecCredential> | undefined;
	let made: ExecCredential | undefined;
	return async (ca, refused) => {
		const { exec: plugin } = user;
		if (plugin === undefined) throw new Error("the user has no plugin");
		const isRefused =
			refused !== undefined &&
			made !== undefined &&
			refused.authorization === (made.token && bearer(made.token)) &&
			refused.certificate?.cert === made.certificate?.cert;
		// What ends within seconds may have ended when it arrives.
		const isOld =
			(made?.expiresMs ?? Number.POSITIVE_INFINITY) - 10_000 <= clock.nowMs();
		if (made !== undefined && !isRefused && !isOld) return made;
		running ??= runExecPlugin({ plugin, cluster, ca, environment, clock })
			.then((fresh) => {
				made = fresh;
				return fresh;
			})
			.finally(() => {
				running = undefined;
			});
		return running;
	};
}

async function inCluster(options: KubeConfigOptions): Promise<KubeAccess> {
	const folder = options.serviceAccountFolder ?? SERVICE_ACCOUNT;
	const host = options.environment["KUBERNETES_SERVICE_HOST"] ?? "";
	const port = options.environment["KUBERNETES_SERVICE_PORT"] ?? "443";
	if (host === "") {
		throw new KubeError(
			"KUBE_CONFIG",
			"This is no pod: KUBERNETES_SERVICE_HOST is not set. Name a kubeconfig with --kubeconfig.",
		);
	}
	const namespace = await readText(join(folder, "namespace"), "namespace");
	return {
		server: `https://${host.includes(":") ? `[${host}]` : host}:${port}`,
		serverName: undefined,
		insecure: false,
		namespace: namespace.trim() || "default",
		headers: {},
		load: async () => ({
			ca: await readText(join(folder, "ca.crt"), "CA certificate"),
			// The kubelet replaces it long before it expires; reading is cheaper than knowing when.
			authorization: bearer(await readText(join(folder, "token"), "token")),
			certificate: undefined,
		}),
	};
}

function pick<T>(
	entries: ReadonlyMap<string, T>,
	what: string,
	name: string,
	where: string,
): T {
	const found = entries.get(name);
	if (found !== undefined) return found;
	const near = nearestName(name, entries.keys());
	const hint =
		near === undefined ? "" : ` Did you mean ${JSON.stringify(near)}?`;
	throw new KubeError(
		"KUBE_CONFIG",
		`The kubeconfig ${where} has no ${what} named ${JSON.stringify(name)}.${hint}`,
	);
}

function readPem(source: PemSource, what: string): Promise<string> {
	return "text" in source
		? Promise.resolve(source.text)
		: readText(source.file, what);
}

async function readText(path: string, what: string): Promise<string> {
	try {
		return await readFile(path, "utf8");
	} catch (cause) {
		throw new KubeError("KUBE_CONFIG", `The ${what} ${path} cannot be read.`, {
			cause,
		});
	}
}

function bearer(token: string): string {
	const trimmed = token.trim();
	// Anything else would be refused by the HTTP library, with a message that may quote it.
	if (!/^[\x21-\x7e]+$/.test(trimmed)) {
		throw new KubeError(
			"KUBE_CONFIG",
			"The token is empty or has characters that no token has. Log in again.",
		);
	}
	return `Bearer ${trimmed}`;
}

function checkServer(server: string): void {
	const url = URL.parse(server);
	if (url !== null && /^https?:$/.test(url.protocol)) return;
	throw new KubeError(
		"KUBE_CONFIG",
		`${JSON.stringify(server)} is not the address of an API server. Write it like https://127.0.0.1:6443.`,
	);
}
