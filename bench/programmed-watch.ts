import type { ApiClient } from "../test/testkit/kube-cluster.ts";
import { systemMs } from "./mesh-files.ts";

interface Rule {
	readonly metadata: {
		readonly name: string;
		readonly namespace: string;
		readonly generation: number;
		readonly resourceVersion: string;
	};
	readonly status?: {
		readonly conditions?: readonly {
			readonly type: string;
			readonly status: string;
			readonly observedGeneration?: number;
		}[];
		readonly proxies?: { readonly acknowledged?: number };
	};
}

/** A watch of all RouteRules that notes when each generation of each was first read to be live. */
export class ProgrammedWatch implements AsyncDisposable {
	/** By `namespace/name`: the generation that is live, and since when it was read to be. */
	readonly #live = new Map<string, { generation: number; atMs: number }>();
	/** By `namespace/name`: how many proxies are said to have it. */
	readonly #acknowledged = new Map<string, number>();
	readonly #waiting = new Set<() => void>();
	readonly #stopping = new AbortController();
	#ended: Promise<void> = Promise.resolve();
	#failure: unknown;

	/** Starts to watch; it ends when it is disposed of, or with the signal. */
	static async start(
		client: ApiClient,
		signal: AbortSignal,
	): Promise<ProgrammedWatch> {
		const watch = new ProgrammedWatch();
		const path = "/apis/lateen.dev/v1alpha1/routerules";
		const { body } = await client.ask("GET", path);
		const list = body as {
			readonly items: readonly Rule[];
			readonly metadata: { readonly resourceVersion: string };
		};
		for (const rule of list.items) watch.#take(rule);
		const since = list.metadata.resourceVersion;
		const either = AbortSignal.any([signal, watch.#stopping.signal]);
		watch.#ended = watch
			.#follow(client, `${path}?watch=1&resourceVersion=${since}`, either)
			.catch((error: unknown) => {
				watch.#failure = error;
				watch.#wake();
			});
		return watch;
	}

	/** Waits until so many rules are said to be on so many proxies each. */
	async all(rules: number, proxies: number): Promise<void> {
		const complete = (): number =>
			[...this.#acknowledged.values()].filter((count) => count === proxies)
				.length;
		while (complete() < rules) await this.#next();
	}

	/** Waits until this generation of a rule is read to be live, and says when it was. */
	async of(name: string, generation: number): Promise<number> {
		for (;;) {
			const live = this.#live.get(name);
			if (live !== undefined && live.generation >= generation) return live.atMs;
			await this.#next();
		}
	}

	async [Symbol.asyncDispose](): Promise<void> {
		this.#stopping.abort();
		await this.#ended;
	}

	async #next(): Promise<void> {
		if (this.#failure !== undefined) throw this.#failure;
		await new Promise<void>((resolve) => this.#waiting.add(resolve));
		if (this.#failure !== undefined) throw this.#failure;
	}

	#wake(): void {
		for (const wake of this.#waiting) wake();
		this.#waiting.clear();
	}

	async #follow(
		client: ApiClient,
		path: string,
		signal: AbortSignal,
	): Promise<void> {
		for await (const { object } of client.watch(path, signal)) {
			this.#take(object as Rule);
			this.#wake();
		}
		throw new Error("The watch of RouteRules ended.");
	}

	#take({ metadata, status }: Rule): void {
		const { namespace, name, generation } = metadata;
		const isLive = status?.conditions?.some(
			(condition) =>
				condition.type === "Programmed" &&
				condition.status === "True" &&
				condition.observedGeneration === generation,
		);
		const key = `${namespace}/${name}`;
		this.#acknowledged.set(key, status?.proxies?.acknowledged ?? 0);
		if (isLive !== true) return;
		if (this.#live.get(key)?.generation === generation) return;
		this.#live.set(key, { generation, atMs: systemMs() });
	}
}
