import type { KubeConnection } from "../../src/kube/connection.ts";
import type { Credentials } from "../../src/kube/kube-access.ts";
import type { WatchProblem } from "../../src/kube/list-watch.ts";
import { openConnection } from "../../src/kube/open-connection.ts";
import { resources } from "../../src/kube/resources.ts";
import type { Watcher, WatchOptions } from "../../src/kube/watcher.ts";
import { watch } from "../../src/kube/watcher.ts";
import { silentLogger } from "../../src/observability/logger.ts";
import { FastClock } from "./fast-clock.ts";
import { scriptedAccess } from "./scripted-access.ts";
import {
	type Manifest,
	ScriptedApiServer,
	type ScriptedOptions,
} from "./scripted-api-server.ts";

/** What a test keeps of an object. */
export type Kept = Readonly<Record<string, unknown>>;

/** A scripted server, and a watch of its RouteRules at work. */
export interface WatchedServer extends AsyncDisposable {
	readonly server: ScriptedApiServer;
	readonly connection: KubeConnection;
	readonly watcher: Watcher<Kept>;
	/** What a reader who heard all changes has, by `namespace/name`: `spec` of each. */
	readonly heard: ReadonlyMap<string, unknown>;
	/** Each problem that was told, also of one that was soon over. */
	readonly problems: readonly WatchProblem[];
	/** How often a whole list was told. */
	readonly lists: () => number;
	/** How many single changes were told. */
	readonly changes: () => number;
	/** What of each kind was asked: `stream`, `watch`, `list`. */
	asked(what: string): number;
	/** Ends the watch, and waits until it has ended. */
	stop(): Promise<void>;
}

/** What differs from the usual. */
export interface WatchedServerOptions extends ScriptedOptions {
	readonly objects?: readonly Manifest[];
	readonly load?: (refused?: Credentials) => Promise<Credentials>;
	/** Before anything is asked. */
	readonly prepare?: (server: ScriptedApiServer) => void;
	readonly limits?: WatchOptions<Kept>["limits"];
	readonly maxPageBytes?: number;
	/** How many times as fast as the machine's the watcher's clock is. */
	readonly haste?: number;
}

/** A RouteRule with some text in it. */
export function rule(name: string, text = "x"): Manifest {
	return {
		apiVersion: "lateen.dev/v1alpha1",
		kind: "RouteRule",
		metadata: { name, namespace: "default" },
		spec: { text },
	};
}

/** Starts both. */
export async function watchServer(
	options: WatchedServerOptions = {},
): Promise<WatchedServer> {
	const server = await ScriptedApiServer.start(options);
	for (const object of options.objects ?? []) server.put(object);
	options.prepare?.(server);
	const clock = new FastClock(options.haste ?? 200);
	const connection = openConnection(scriptedAccess(server, options.load), {
		clock,
		userAgent: "lateen/test",
	});
	const heard = new Map<string, unknown>();
	let lists = 0;
	let changes = 0;
	const watcher = watch<Kept>({
		connection,
		resource: resources.RouteRule,
		project: ({ apiVersion, kind, spec }) => ({ apiVersion, kind, spec }),
		onChange(change) {
			if (change.type === "listed") {
				lists++;
				heard.clear();
				for (const [key, { spec }] of change.items) heard.set(key, spec);
				return;
			}
			for (const { op, key, value } of change.changes) {
				changes++;
				if (op === "put") heard.set(key, value["spec"]);
				else heard.delete(key);
			}
		},
		clock,
		logger: silentLogger,
		...(options.limits && { limits: options.limits }),
		...(options.maxPageBytes && { maxPageBytes: options.maxPageBytes }),
	});
	const problems: WatchProblem[] = [];
	watcher.status.subscribe(({ problem }) => {
		if (problem !== undefined) problems.push(problem);
	});
	const stopping = new AbortController();
	const done = watcher.run(stopping.signal);
	// A test that fails meanwhile must not end the process; `stop` tells of the failure.
	done.catch(() => undefined);
	const stop = async (): Promise<void> => {
		stopping.abort();
		await done;
	};
	return {
		server,
		connection,
		watcher,
		heard,
		problems,
		lists: () => lists,
		changes: () => changes,
		asked: (what) => server.requests.filter((one) => one.what === what).length,
		stop,
		async [Symbol.asyncDispose]() {
			await stop();
			await connection[Symbol.asyncDispose]();
			await server[Symbol.asyncDispose]();
		},
	};
}

/** What the server has of RouteRules: `spec` by `namespace/name`. */
export function truth(server: ScriptedApiServer): ReadonlyMap<string, unknown> {
	return new Map(
		[...server.objectsOf("RouteRule")].map(([key, object]) => [
			key,
			object["spec"],
		]),
	);
}
