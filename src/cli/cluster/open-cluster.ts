/*
 * The control plane of a Kubernetes cluster, asked as kubectl would: statuses
 * and events from the API server with the user's own rights, what proxies have
 * from the replicas through it. docs/adr/0009-cli-in-a-cluster.md says why.
 */

import type { Objects } from "../../api/objects.ts";
import type { KubeConnection } from "../../kube/connection.ts";
import { loadKubeConfig } from "../../kube/kube-config.ts";
import { KubeError } from "../../kube/kube-error.ts";
import { ObjectClient } from "../../kube/object-client.ts";
import { openConnection } from "../../kube/open-connection.ts";
import { resources } from "../../kube/resources.ts";
import { systemClock } from "../../lib/system-clock.ts";
import { programVersion } from "../../settings/program-version.ts";
import type { Environment } from "../../settings/read-settings.ts";
import type {
	ControlPlane,
	LogLevelChange,
	ObjectName,
	ServerLogLevels,
	StatusSelection,
} from "../control-plane.ts";
import { ServerError } from "../server-client.ts";
import { type StatusKind, statusKinds } from "../status-kinds.ts";
import type { WatchLine } from "../watch-server.ts";
import { clusterObjects } from "./cluster-objects.ts";
import { clusterEvents } from "./events.ts";
import { statusObject } from "./object-status.ts";
import { ClusterReplicas } from "./replicas.ts";
import { watchClusterStatuses } from "./watch-statuses.ts";

/** Which cluster, and where in it. */
export interface ClusterOptions {
	readonly kubeconfig: string | undefined;
	readonly context: string | undefined;
	/** By default that of the context. */
	readonly namespace: string | undefined;
	/** Namespace of Lateen itself. */
	readonly lateenNamespace: string;
	readonly environment: Environment;
}

/**
 * Opens the way to the control plane of a cluster; nothing is asked of it yet.
 *
 * Fails when: there is no kubeconfig, or it cannot be used; then with a `KubeError`.
 */
export async function openCluster(
	options: ClusterOptions,
): Promise<ClusterControlPlane> {
	const { kubeconfig, context, environment } = options;
	const access = await loadKubeConfig({
		...(kubeconfig !== undefined && { kubeconfig }),
		...(context !== undefined && { context }),
		environment,
		clock: systemClock,
	});
	return new ClusterControlPlane({
		connection: openConnection(access, {
			clock: systemClock,
			userAgent: `lateen/${programVersion}`,
		}),
		asked:
			access.context === undefined
				? `the API server at ${access.server}`
				: `the context ${access.context} (${access.server})`,
		namespace: options.namespace ?? access.namespace,
		lateenNamespace: options.lateenNamespace,
	});
}

interface ClusterParts {
	readonly connection: KubeConnection;
	/** For messages. */
	readonly asked: string;
	readonly namespace: string;
	readonly lateenNamespace: string;
}

/** The control plane of a Kubernetes cluster. */
export class ClusterControlPlane implements ControlPlane {
	readonly mode = "cluster";
	readonly namespace: string;
	readonly #parts: ClusterParts;
	readonly #client: ObjectClient;
	readonly #replicas: ClusterReplicas;
	readonly #leftOut = new Set<string>();

	constructor(parts: ClusterParts) {
		const { connection, namespace, lateenNamespace } = parts;
		this.namespace = namespace;
		this.#parts = parts;
		this.#client = new ObjectClient(connection);
		this.#replicas = new ClusterReplicas({
			connection,
			client: this.#client,
			namespace: lateenNamespace,
		});
	}

	get missing(): readonly string[] {
		return [...this.#leftOut, ...this.#replicas.missing];
	}

	async statuses(selection: StatusSelection): Promise<readonly unknown[]> {
		return this.#explained(async () => {
			const { kind, name } = selection;
			if (kind !== undefined && name !== undefined)
				return [await this.#one(kind, selection.namespace ?? "", name)];
			const kinds = kind === undefined ? statusKinds : [kind];
			const lists = await Promise.allSettled(
				kinds.map((one) => this.#list(one, selection.namespace)),
			);
			const failures = lists.flatMap((list): readonly unknown[] =>
				list.status === "rejected" ? [list.reason] : [],
			);
			for (const reason of failures) {
				const isForbidden =
					reason instanceof KubeError && reason.code === "KUBE_FORBIDDEN";
				if (!isForbidden || failures.length === kinds.length) throw reason;
				this.#leftOut.add(reason.message);
			}
			return lists.flatMap((list) =>
				list.status === "fulfilled" ? list.value : [],
			);
		});
	}

	async *watchStatuses(
		selection: StatusSelection,
		{
			signal,
			tell,
		}: {
			readonly signal?: AbortSignal | undefined;
			readonly tell: (sentence: string) => void;
		},
	): AsyncGenerator<WatchLine> {
		try {
			yield* watchClusterStatuses(selection, {
				connection: this.#parts.connection,
				signal,
				tell,
			});
		} catch (error) {
			throw this.#explain(error);
		}
	}

	followStatuses(
		selection: StatusSelection,
		tell: (sentence: string) => void,
	): AsyncGenerator<WatchLine> {
		return this.watchStatuses(selection, { tell });
	}

	events(namespace: string | undefined): Promise<readonly unknown[]> {
		return this.#explained(() => clusterEvents(this.#client, namespace));
	}

	proxies(): Promise<readonly unknown[]> {
		return this.#explained(() => this.#replicas.proxies());
	}

	proxy(name: string, type: string | undefined): Promise<unknown> {
		const below = type === undefined ? "" : `/${type}`;
		return this.#explained(() =>
			this.#replicas.ofProxy(
				name,
				(id) => `/v1/proxies/${encodeURIComponent(id)}${below}`,
			),
		);
	}

	snapshot(name: string, withBytes: boolean): Promise<unknown> {
		return this.#explained(() =>
			this.#replicas.ofProxy(name, (id) => {
				const query = new URLSearchParams({
					proxy: id,
					...(withBytes ? {} : { bytes: "false" }),
				});
				return `/v1/resources?${query}`;
			}),
		);
	}

	objects(): Promise<Objects> {
		return this.#explained(() => clusterObjects(this.#client));
	}

	why(object: ObjectName): Promise<unknown> {
		const query = new URLSearchParams({ ...object });
		return this.#explained(() => this.#replicas.merged(`/v1/why?${query}`));
	}

	logLevels(
		change: LogLevelChange | undefined,
	): Promise<readonly ServerLogLevels[]> {
		return this.#explained(async () => {
			const answers = await this.#replicas.each(
				"/v1/log-levels",
				change && { method: "PUT", body: change },
			);
			return answers.map(({ replica, body }) => ({ replica, levels: body }));
		});
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await this.#parts.connection[Symbol.asyncDispose]();
	}

	async #one(
		kind: StatusKind,
		namespace: string,
		name: string,
	): Promise<unknown> {
		try {
			const { content } = await this.#client.get(resources[kind.kind], {
				namespace,
				name,
			});
			return statusObject(kind, content);
		} catch (error) {
			const isNone =
				error instanceof KubeError &&
				error.reason === "NotFound" &&
				!error.message.includes("does not know");
			if (!isNone) throw error;
			const key = kind.isNamespaced ? `${namespace}/${name}` : name;
			throw new ServerError(
				"CLI_NOT_FOUND",
				`There is no ${kind.kind} ${key}. \`lateen get ${kind.plural} -A\` lists those that are.`,
			);
		}
	}

	async #list(
		kind: StatusKind,
		namespace: string | undefined,
	): Promise<readonly unknown[]> {
		const found: unknown[] = [];
		const objects = this.#client.listAll(resources[kind.kind], {
			...(namespace !== undefined && { namespace }),
		});
		for await (const { content } of objects)
			found.push(statusObject(kind, content));
		return found;
	}

	async #explained<T>(ask: () => Promise<T>): Promise<T> {
		try {
			return await ask();
		} catch (error) {
			throw this.#explain(error);
		}
	}

	/** The same error with who was asked. */
	#explain(error: unknown): unknown {
		const { asked } = this.#parts;
		if (error instanceof ServerError)
			return new ServerError(
				error.code,
				`${error.message} Asked was ${asked}.`,
				{
					cause: error,
				},
			);
		if (!(error instanceof KubeError)) return error;
		return new KubeError(error.code, `${error.message} Asked was ${asked}.`, {
			...(error.status !== undefined && { status: error.status }),
			...(error.reason !== undefined && { reason: error.reason }),
			...(error.retryAfterMs !== undefined && {
				retryAfterMs: error.retryAfterMs,
			}),
			cause: error,
		});
	}
}
