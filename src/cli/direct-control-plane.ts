import type {
	ControlPlane,
	LogLevelChange,
	ObjectName,
	ServerLogLevels,
	StatusSelection,
} from "./control-plane.ts";
import { isSelected } from "./control-plane.ts";
import { listOf, textOf } from "./json-fields.ts";
import { askServer, type WhichServer } from "./server-client.ts";
import { watchOn } from "./watch-on.ts";
import { type WatchLine, watchServer } from "./watch-server.ts";

/** The control plane behind one admin API. */
export class DirectControlPlane implements ControlPlane {
	readonly mode = "direct";
	readonly namespace: string;
	readonly missing: readonly string[] = [];
	readonly #where: WhichServer;

	constructor(where: WhichServer, namespace: string) {
		this.#where = where;
		this.namespace = namespace;
	}

	async statuses(selection: StatusSelection): Promise<readonly unknown[]> {
		const answer = await askServer(this.#where, statusPath(selection));
		return selection.name === undefined
			? listOf(answer, "objects").filter((one) => isSelected(selection, one))
			: [answer];
	}

	watchStatuses(
		selection: StatusSelection,
		{ signal }: { readonly signal?: AbortSignal | undefined },
	): AsyncGenerator<WatchLine> {
		return selected(
			selection,
			watchServer(this.#where, statusPath(selection), signal),
		);
	}

	followStatuses(
		selection: StatusSelection,
		tell: (sentence: string) => void,
	): AsyncGenerator<WatchLine> {
		return selected(
			selection,
			watchOn(this.#where, statusPath(selection), () =>
				tell("The server is gone; the watch goes on when it is back."),
			),
		);
	}

	async events(namespace: string | undefined): Promise<readonly unknown[]> {
		const answer = await askServer(this.#where, "/v1/events");
		return listOf(answer, "events").filter(
			(one) =>
				namespace === undefined ||
				["", namespace].includes(textOf(one, "namespace")),
		);
	}

	async proxies(): Promise<readonly unknown[]> {
		return listOf(await askServer(this.#where, "/v1/proxies"), "proxies");
	}

	proxy(name: string, type: string | undefined): Promise<unknown> {
		const below = type === undefined ? "" : `/${type}`;
		return askServer(
			this.#where,
			`/v1/proxies/${encodeURIComponent(name)}${below}`,
		);
	}

	snapshot(name: string, withBytes: boolean): Promise<unknown> {
		return askServer(
			this.#where,
			`/v1/resources?proxy=${encodeURIComponent(name)}${withBytes ? "" : "&bytes=false"}`,
		);
	}

	async objects(): Promise<undefined> {
		// Its folder is replaced as a whole.
		return undefined;
	}

	why(object: ObjectName): Promise<unknown> {
		const query = new URLSearchParams({ ...object });
		return askServer(this.#where, `/v1/why?${query}`);
	}

	async logLevels(
		change: LogLevelChange | undefined,
	): Promise<readonly ServerLogLevels[]> {
		const levels = await askServer(
			this.#where,
			"/v1/log-levels",
			change && { method: "PUT", body: change },
		);
		return [{ replica: "", levels }];
	}

	async [Symbol.asyncDispose](): Promise<void> {
		// Every request has a connection of its own.
	}
}

/** Where the admin API has these statuses. */
function statusPath({ kind, namespace = "", name }: StatusSelection): string {
	const parts =
		kind === undefined
			? []
			: [
					kind.kind,
					...(kind.isNamespaced && namespace !== "" ? [namespace] : []),
					...(name === undefined ? [] : [name]),
				];
	return ["/v1/status", ...parts.map(encodeURIComponent)].join("/");
}

async function* selected(
	selection: StatusSelection,
	lines: AsyncGenerator<WatchLine>,
): AsyncGenerator<WatchLine> {
	for await (const line of lines)
		if (line.type === "SYNCED" || isSelected(selection, line.object))
			yield line;
}
