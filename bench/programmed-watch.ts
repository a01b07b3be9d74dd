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
	};
}

/** A watch of all RouteRules that notes when each generation of each was first read to be live. */
export class ProgrammedWatch {
	/** By `namespace/name`: the generation that is live, and since when it was read to be. */
	readonly #live = new Map<string, { generation: number; atMs: number }>();
	readonly #waiting = new Set<() => void>();
	/** How many events came, of whatever kind. */
	events = 0;

	/** Starts to watch; it ends with the signal. */
	static async start(
		client: ApiClient,
		signal: AbortSignal,
		onFailure: (error: unknown) => void,
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
		void watch
			.#follow(client, `${path}?watch=1&resourceVersion=${since}`, signal)
			.catch((error: unknown) => {
				if (!signal.aborted) onFailure(error);
			});
		return watch;
	}

	/** How many rules are live, in whatever generation. */
	get count(): number {
		return this.#live.size;
	}

	/** Waits until this generation of a rule is read to be live, and says when it was. */
	async of(name: string, generation: number): Promise<number> {
		for (;;) {
			const live = this.#live.get(name);
			if (live !== undefined && live.generation >= generation) return live.atMs;
			await this.next();
		}
	}

	/** Waits for an event. */
	async next(): Promise<void> {
		await new Promise<void>((resolve) => this.#waiting.add(resolve));
	}

	async #follow(
		client: ApiClient,
		path: string,
		signal: AbortSignal,
	): Promise<void> {
		for await (const { object } of client.watch(path, signal)) {
			this.events += 1;
			this.#take(object as Rule);
			for (const wake of this.#waiting) wake();
			this.#waiting.clear();
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
		if (isLive !== true) return;
		if (this.#live.get(key)?.generation === generation) return;
		this.#live.set(key, { generation, atMs: systemMs() });
	}
}
