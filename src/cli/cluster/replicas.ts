/*
 * The admin APIs of all replicas, through the API server's proxy to pods:
 *
 *   list pods ─▶ token of lateen-reader ─▶ pods/POD/proxy/v1/… with that token ─▶ one answer
 *
 * Each step is a right that Kubernetes gives or not: list pods, create
 * serviceaccounts/token of that one name, get pods/proxy. A replica knows only
 * its own proxies, so all are asked. Who changes something needs the token of
 * lateen-operator, and update pods/proxy.
 */
import { isRecord } from "../../api/fields.ts";
import type { KubeConnection } from "../../kube/connection.ts";
import { type Asked, errorOf } from "../../kube/error-of.ts";
import { KubeError } from "../../kube/kube-error.ts";
import type { KubeObject } from "../../kube/kube-object.ts";
import type { ObjectClient } from "../../kube/object-client.ts";
import { objectPath, resources } from "../../kube/resources.ts";
import { fieldOf, listOf, textOf } from "../json-fields.ts";
import { type ServerChange, ServerError } from "../server-client.ts";

/** The ServiceAccounts whose tokens open the admin API, for reading and for changing, and for whom a token is meant. */
const readerAccount = "lateen-reader";
const operatorAccount = "lateen-operator";
const readerAudience = "lateen.dev/admin";

/** The least that the API server gives out; a command takes seconds. */
const tokenSeconds = 600;

/** All that the manifests install has it. */
const podSelector = "app.kubernetes.io/name=lateen";

/** The port of the manifests that serves it. */
const portName = "https-webhook";
const usualPort = 15_017;

/** Time for one answer of a replica. Milliseconds. */
const answerMs = 15_000;

/** Where the replicas are. */
export interface ReplicasOptions {
	readonly connection: KubeConnection;
	readonly client: ObjectClient;
	/** Namespace of Lateen itself. */
	readonly namespace: string;
}

/** One pod of the control plane. */
interface Replica {
	readonly name: string;
	readonly port: number;
}

/** What one replica answered. */
interface Answer {
	readonly replica: Replica;
	readonly status: number;
	readonly body: unknown;
}

/** All replicas of a control plane, as one. */
export class ClusterReplicas {
	readonly #options: ReplicasOptions;
	/** Full sentences about replicas that did not answer. */
	readonly missing: string[] = [];
	#replicas: Promise<readonly Replica[]> | undefined;
	/** By ServiceAccount. */
	readonly #tokens = new Map<string, Promise<string>>();
	#proxies: Promise<readonly ReplicaProxy[]> | undefined;

	constructor(options: ReplicasOptions) {
		this.#options = options;
	}

	/** Every connected proxy, each with the name of its replica. */
	async proxies(): Promise<readonly unknown[]> {
		return (await this.#listed()).map(({ proxy, replica }) => ({
			...(isRecord(proxy) ? proxy : {}),
			replica: replica.name,
		}));
	}

	/**
	 * What the replica of one proxy answers.
	 *
	 * @param name of its workload with namespace, or its id
	 * @param pathOf the path for the proxy of an id
	 */
	async ofProxy(
		name: string,
		pathOf: (id: string) => string,
	): Promise<unknown> {
		const all = await this.#listed();
		const byId = all.filter(({ proxy }) => textOf(proxy, "id") === name);
		const found =
			byId.length > 0
				? byId
				: all.filter(({ proxy }) => textOf(proxy, "workload") === name);
		const [one, ...others] = found;
		if (one === undefined)
			throw new ServerError(
				"CLI_NOT_FOUND",
				`No proxy of the name ${name} is connected. \`lateen proxies -A\` lists those that are.`,
			);
		if (others.length > 0)
			throw new ServerError(
				"CLI_NOT_FOUND",
				`${found.length} proxies of ${name} are connected. Name one by its id: ${found.map(({ proxy }) => textOf(proxy, "id")).join(", ")}.`,
			);
		const path = pathOf(textOf(one.proxy, "id"));
		const answer = await this.#ask(one.replica, path);
		if (answer === undefined)
			throw new ServerError(
				"CLI_NO_SERVER",
				`The replica ${one.replica.name}, which ${name} was connected to, no longer answers. Try again.`,
			);
		if (answer.status === 200) return answer.body;
		throw refusal(answer);
	}

	/** The answer of all replicas to a question about an object, with the proxies of all of them. */
	async merged(path: string): Promise<unknown> {
		const answers = await this.#askAll(path);
		const [first, ...others] = answers.filter(({ status }) => status === 200);
		if (first === undefined) {
			const [one] = answers;
			throw one === undefined ? this.#nobody() : refusal(one);
		}
		const proxies = [first, ...others]
			.flatMap(({ body }) => listOf(body, "proxies"))
			.toSorted((a, b) =>
				textOf(a, "workload") < textOf(b, "workload") ? -1 : 1,
			);
		return { ...(isRecord(first.body) ? first.body : {}), proxies };
	}

	/**
	 * What every replica answers, after a change if there is one.
	 *
	 * Fails when: one refuses it, or none answers.
	 */
	async each(
		path: string,
		change?: ServerChange,
	): Promise<readonly { readonly replica: string; readonly body: unknown }[]> {
		const answers = await this.#askAll(path, change);
		if (answers.length === 0) throw this.#nobody();
		return answers.map((answer) => {
			if (answer.status !== 200) throw refusal(answer);
			return { replica: answer.replica.name, body: answer.body };
		});
	}

	#listed(): Promise<readonly ReplicaProxy[]> {
		this.#proxies ??= this.#list();
		return this.#proxies;
	}

	async #list(): Promise<readonly ReplicaProxy[]> {
		const answers = await this.#askAll("/v1/proxies");
		if (answers.length === 0) throw this.#nobody();
		const byId = new Map<string, ReplicaProxy>();
		for (const answer of answers) {
			if (answer.status !== 200) throw refusal(answer);
			for (const proxy of listOf(answer.body, "proxies")) {
				const id = textOf(proxy, "id");
				const known = byId.get(id);
				// After a reconnect elsewhere the old stream may last a moment.
				if (
					known === undefined ||
					textOf(known.proxy, "connectedAt") < textOf(proxy, "connectedAt")
				)
					byId.set(id, { proxy, replica: answer.replica });
			}
		}
		return [...byId.values()].sort((a, b) =>
			textOf(a.proxy, "workload") < textOf(b.proxy, "workload") ? -1 : 1,
		);
	}

	async #askAll(
		path: string,
		change?: ServerChange,
	): Promise<readonly Answer[]> {
		this.#replicas ??= this.#find();
		const answers = await Promise.all(
			(await this.#replicas).map((replica) => this.#ask(replica, path, change)),
		);
		return answers.filter((answer) => answer !== undefined);
	}

	async #find(): Promise<readonly Replica[]> {
		const { client, namespace } = this.#options;
		const found: Replica[] = [];
		const pods = client.listAll(resources.Pod, {
			namespace,
			labelSelector: podSelector,
		});
		for await (const pod of pods) {
			const replica = replicaOf(pod);
			if (replica !== undefined) found.push(replica);
		}
		if (found.length === 0)
			throw new ServerError(
				"CLI_NO_SERVER",
				`No pod with the label ${podSelector} runs in the namespace ${namespace}. Name the one that Lateen runs in with --lateen-namespace; a control plane that runs elsewhere is asked with --server or --state-dir.`,
			);
		return found;
	}

	/** What a replica says; undefined when it does not answer, which is noted. */
	async #ask(
		replica: Replica,
		path: string,
		change?: ServerChange,
	): Promise<Answer | undefined> {
		const { connection, namespace } = this.#options;
		const token = await this.#tokenOf(
			change === undefined ? readerAccount : operatorAccount,
		);
		const { name, port } = replica;
		const [pathname = "", query = ""] = path.split("?");
		let status: number;
		let text: string;
		let headers: ReadonlyMap<string, string>;
		try {
			const response = await connection.request(
				{
					method: change?.method ?? "GET",
					path: `${objectPath(resources.Pod, { namespace, name: "" })}https:${name}:${port}/proxy${pathname}`,
					query: Object.fromEntries(new URLSearchParams(query)),
					headers: { "x-lateen-token": token },
					...(change !== undefined && { body: JSON.stringify(change.body) }),
					timeoutMs: answerMs,
					silenceMs: answerMs,
				},
				new AbortController().signal,
			);
			({ status, headers } = response);
			text = await response.text();
		} catch (error) {
			if (!(error instanceof KubeError) || error.code !== "KUBE_SILENT")
				throw error;
			this.#miss(replica, `it is silent for ${answerMs / 1000} s`);
			return undefined;
		}
		const body = parseBody(text);
		if (status === 200 || isOurs(body, status))
			return { replica, status, body };
		const asked: Asked = {
			verb: change === undefined ? "get" : "update",
			resource: resources.Pod,
			namespace,
			name,
			subresource: "proxy",
		};
		const error = errorOf({ status, headers, text }, asked);
		switch (error.code) {
			case "KUBE_FORBIDDEN":
			case "KUBE_UNAUTHENTICATED":
				throw error;
			case "KUBE_NOT_FOUND":
				// Gone since the list was made; its proxies are on their way to another.
				if (fieldOf(body, "kind") === "Status") return undefined;
				this.#miss(replica, "it is of a version without this");
				return undefined;
			default:
				this.#miss(
					replica,
					(textOf(body, "message") || textOf(body, "error") || text)
						.replaceAll(/\s+/g, " ")
						.slice(0, 300)
						.trim(),
				);
				return undefined;
		}
	}

	#tokenOf(account: string): Promise<string> {
		let token = this.#tokens.get(account);
		if (token === undefined) {
			token = this.#makeToken(account);
			this.#tokens.set(account, token);
		}
		return token;
	}

	async #makeToken(account: string): Promise<string> {
		const { connection, namespace } = this.#options;
		const at = { namespace, name: account };
		const response = await connection.request(
			{
				method: "POST",
				path: objectPath(resources.ServiceAccount, at, "token"),
				body: JSON.stringify({
					apiVersion: "authentication.k8s.io/v1",
					kind: "TokenRequest",
					spec: {
						audiences: [readerAudience],
						expirationSeconds: tokenSeconds,
					},
				}),
				timeoutMs: answerMs,
				silenceMs: answerMs,
			},
			new AbortController().signal,
		);
		const text = await response.text();
		const { status, headers } = response;
		if (status >= 300) {
			const error = errorOf(
				{ status, headers, text },
				{
					verb: "create",
					resource: resources.ServiceAccount,
					...at,
					subresource: "token",
				},
			);
			if (error.code !== "KUBE_NOT_FOUND") throw error;
			throw new ServerError(
				"CLI_NO_SERVER",
				`There is no ServiceAccount ${account} in the namespace ${namespace}, whose token opens the admin API. Apply the manifests of this version, or name the namespace that Lateen runs in with --lateen-namespace.`,
			);
		}
		const token = textOf(fieldOf(parseBody(text), "status"), "token");
		if (token !== "") return token;
		throw new ServerError(
			"CLI_SERVER_FAILED",
			"The API server made no token. Look at its log.",
		);
	}

	#miss({ name }: Replica, why: string): void {
		const sentence = `The replica ${name} did not answer: ${why.replace(/[.]$/, "")}. What only it knows is missing here.`;
		if (!this.missing.includes(sentence)) this.missing.push(sentence);
	}

	#nobody(): ServerError {
		const [why = "No replica answers."] = this.missing.splice(0);
		return new ServerError("CLI_NO_SERVER", why);
	}
}

interface ReplicaProxy {
	readonly proxy: unknown;
	readonly replica: Replica;
}

function replicaOf({ metadata, content }: KubeObject): Replica | undefined {
	const status = fieldOf(content, "status");
	const phase = textOf(status, "phase");
	if (textOf(status, "podIP") === "") return undefined;
	if (phase === "Succeeded" || phase === "Failed") return undefined;
	const ports = listOf(fieldOf(content, "spec"), "containers").flatMap((one) =>
		listOf(one, "ports"),
	);
	const port = ports.find((one) => textOf(one, "name") === portName);
	return {
		name: metadata.name,
		port: Number(fieldOf(port, "containerPort") ?? usualPort),
	};
}

/** Whether an answer is one of our admin API, and not of what stands before it. */
function isOurs(body: unknown, status: number): boolean {
	return (
		typeof fieldOf(body, "error") === "string" && ![502, 503].includes(status)
	);
}

function refusal({ replica, status, body }: Answer): ServerError {
	const said = textOf(body, "error");
	return new ServerError(
		status === 404 || status === 409 ? "CLI_NOT_FOUND" : "CLI_SERVER_FAILED",
		status === 403
			? `The replica ${replica.name} does not accept the token that the API server made. See that it runs in the namespace that it thinks it does, and try again.`
			: said,
	);
}

function parseBody(text: string): unknown {
	try {
		return JSON.parse(text);
	} catch {
		// Something before the control plane answers in words of its own: its status says enough.
		return undefined;
	}
}
