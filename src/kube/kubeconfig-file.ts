/*
 * What a kubeconfig file says, as far as it is used
 * (https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/). Several
 * files are one: of each name, and of the current context, the first wins.
 */
import { dirname, resolve } from "node:path";
import { LineCounter, parseDocument } from "yaml";
import { KubeError } from "./kube-error.ts";

/** A PEM that stands in the file itself or in another one. */
export type PemSource = { readonly text: string } | { readonly file: string };

/** A server and how to know it. */
export interface ConfigCluster {
	readonly server: string;
	readonly serverName: string | undefined;
	readonly insecure: boolean;
	readonly ca: PemSource | undefined;
}

/** A program that makes credentials. */
export interface ExecPlugin {
	readonly apiVersion: string;
	/** A name on the path, or a path; relative ones are resolved against the file's folder. */
	readonly command: string;
	readonly args: readonly string[];
	readonly env: Readonly<Record<string, string>>;
	readonly provideClusterInfo: boolean;
	/** What to do when the program is not there. */
	readonly installHint: string | undefined;
}

/** Who we are. */
export interface ConfigUser {
	readonly token:
		| { readonly text: string }
		| { readonly file: string }
		| undefined;
	readonly cert: PemSource | undefined;
	readonly key: PemSource | undefined;
	readonly password:
		| { readonly name: string; readonly password: string }
		| undefined;
	readonly exec: ExecPlugin | undefined;
	readonly headers: Readonly<Record<string, string | readonly string[]>>;
	/** What is there that cannot be used, as a sentence. */
	readonly unusable: string | undefined;
}

/** A cluster with a user. */
export interface ConfigContext {
	readonly cluster: string;
	readonly user: string;
	readonly namespace: string | undefined;
}

/** What all files say together. */
export interface Kubeconfig {
	readonly currentContext: string | undefined;
	readonly clusters: ReadonlyMap<string, ConfigCluster>;
	readonly users: ReadonlyMap<string, ConfigUser>;
	readonly contexts: ReadonlyMap<string, ConfigContext>;
}

/** What several files say together. */
export function mergeKubeconfigs(files: readonly Kubeconfig[]): Kubeconfig {
	const merge = <T>(of: (file: Kubeconfig) => ReadonlyMap<string, T>) =>
		new Map(files.toReversed().flatMap((file) => [...of(file)]));
	return {
		currentContext: files.find((file) => file.currentContext !== undefined)
			?.currentContext,
		clusters: merge((file) => file.clusters),
		users: merge((file) => file.users),
		contexts: merge((file) => file.contexts),
	};
}

/**
 * Reads the text of one file.
 *
 * Fails when: it is no kubeconfig; then with a `KubeError` that quotes nothing of it.
 */
export function parseKubeconfig(text: string, path: string): Kubeconfig {
	const lines = new LineCounter();
	// Pretty errors quote the line, which may hold a token.
	const document = parseDocument(text, {
		prettyErrors: false,
		lineCounter: lines,
	});
	const error = document.errors[0];
	if (error !== undefined) {
		const { line } = lines.linePos(error.pos[0]);
		throw broken(path, `line ${line} is no valid YAML (${error.code})`);
	}
	const root = new Entry(document.toJS({ maxAliasCount: 100 }), "", path);
	const folder = dirname(resolve(path));
	return {
		currentContext: root.text("current-context"),
		clusters: root.named("clusters", "cluster", (entry) =>
			clusterOf(entry, folder),
		),
		users: root.named("users", "user", (entry) => userOf(entry, folder)),
		contexts: root.named("contexts", "context", (entry) => ({
			cluster: entry.text("cluster") ?? "",
			user: entry.text("user") ?? "",
			namespace: entry.text("namespace"),
		})),
	};
}

function clusterOf(entry: Entry, folder: string): ConfigCluster {
	const server = entry.text("server") ?? "";
	if (entry.text("proxy-url") !== undefined) {
		throw entry.refuse(
			"proxy-url",
			"is not supported: connect without a proxy",
		);
	}
	return {
		server: server.replace(/\/+$/, ""),
		serverName: entry.text("tls-server-name"),
		insecure: entry.flag("insecure-skip-tls-verify"),
		ca: entry.pem("certificate-authority", folder),
	};
}

function userOf(entry: Entry, folder: string): ConfigUser {
	const tokenFile = entry.text("tokenFile");
	const token = entry.text("token");
	const name = entry.text("username");
	const exec = entry.object("exec");
	const provider = entry.object("auth-provider")?.text("name");
	return {
		token:
			tokenFile !== undefined
				? { file: resolve(folder, tokenFile) }
				: token !== undefined
					? { text: token }
					: undefined,
		cert: entry.pem("client-certificate", folder),
		key: entry.pem("client-key", folder),
		password:
			name === undefined
				? undefined
				: { name, password: entry.text("password") ?? "" },
		exec: exec && pluginOf(exec, folder),
		headers: impersonationOf(entry),
		unusable:
			provider &&
			`uses the auth-provider ${provider}, which is not supported: use a credential plugin (exec) instead`,
	};
}

function pluginOf(entry: Entry, folder: string): ExecPlugin {
	const command = entry.text("command");
	if (command === undefined) throw entry.refuse("command", "is missing");
	return {
		apiVersion: entry.text("apiVersion") ?? "client.authentication.k8s.io/v1",
		command: /[/\\]/.test(command) ? resolve(folder, command) : command,
		args: entry.texts("args"),
		env: Object.fromEntries(
			entry
				.objects("env")
				.map((one) => [one.text("name") ?? "", one.text("value") ?? ""]),
		),
		provideClusterInfo: entry.flag("provideClusterInfo"),
		installHint: entry.text("installHint"),
	};
}

/** https://kubernetes.io/docs/reference/access-authn-authz/authentication/#user-impersonation */
function impersonationOf(
	entry: Entry,
): Readonly<Record<string, string | readonly string[]>> {
	const user = entry.text("as");
	if (user === undefined) return {};
	const uid = entry.text("as-uid");
	const groups = entry.texts("as-groups");
	const extra = entry.object("as-user-extra");
	return {
		"impersonate-user": user,
		...(uid !== undefined && { "impersonate-uid": uid }),
		...(groups.length > 0 && { "impersonate-group": groups }),
		...Object.fromEntries(
			(extra?.names() ?? []).map((name) => [
				`impersonate-extra-${encodeURIComponent(name).toLowerCase()}`,
				extra?.texts(name) ?? [],
			]),
		),
	};
}

function broken(path: string, problem: string): KubeError {
	return new KubeError(
		"KUBE_CONFIG",
		`The kubeconfig ${path} cannot be used: ${problem}.`,
	);
}

/** Part of a kubeconfig, which is told apart in messages by its place. */
class Entry {
	readonly #value: Readonly<Record<string, unknown>>;
	readonly #place: string;
	readonly #path: string;

	constructor(value: unknown, place: string, path: string) {
		this.#place = place;
		this.#path = path;
		if (value === null || value === undefined) this.#value = {};
		else if (isRecord(value)) this.#value = value;
		else throw broken(path, `${place || "it"} must be an object`);
	}

	refuse(name: string, problem: string): KubeError {
		return broken(this.#path, `${this.#placeOf(name)} ${problem}`);
	}

	names(): readonly string[] {
		return Object.keys(this.#value);
	}

	/** A string that is not empty. */
	text(name: string): string | undefined {
		const value = this.#value[name];
		if (value === undefined || value === null || value === "") return undefined;
		if (typeof value !== "string") throw this.refuse(name, "must be a string");
		return value;
	}

	flag(name: string): boolean {
		const value = this.#value[name] ?? false;
		if (typeof value !== "boolean")
			throw this.refuse(name, "must be true or false");
		return value;
	}

	texts(name: string): readonly string[] {
		return this.#list(name).map((item) => {
			if (typeof item !== "string")
				throw this.refuse(name, "must be a list of strings");
			return item;
		});
	}

	object(name: string): Entry | undefined {
		const value = this.#value[name];
		if (value === undefined || value === null) return undefined;
		return new Entry(value, this.#placeOf(name), this.#path);
	}

	objects(name: string): readonly Entry[] {
		return this.#list(name).map(
			(item, index) =>
				new Entry(item, `${this.#placeOf(name)}[${index}]`, this.#path),
		);
	}

	/** A list of `{name, [field]: …}` by name. */
	named<T>(
		list: string,
		field: string,
		read: (entry: Entry) => T,
	): ReadonlyMap<string, T> {
		return new Map(
			this.objects(list)
				.toReversed()
				.map((item) => {
					const name = item.text("name");
					if (name === undefined) throw item.refuse("name", "is missing");
					return [name, read(item.object(field) ?? new Entry({}, "", ""))];
				}),
		);
	}

	/** `name-data` is base64 of the text, `name` a path; the former wins. */
	pem(name: string, folder: string): PemSource | undefined {
		const data = this.text(`${name}-data`);
		if (data !== undefined)
			return { text: Buffer.from(data, "base64").toString("utf8") };
		const file = this.text(name);
		return file === undefined ? undefined : { file: resolve(folder, file) };
	}

	#list(name: string): readonly unknown[] {
		const value = this.#value[name] ?? [];
		if (!Array.isArray(value)) throw this.refuse(name, "must be a list");
		return value;
	}

	#placeOf(name: string): string {
		return this.#place === "" ? name : `${this.#place}.${name}`;
	}
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
	return typeof value === "object" && value !== null && !Array.isArray(value);
}
