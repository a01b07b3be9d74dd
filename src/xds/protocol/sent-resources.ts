import { heldVersion, type TypeState } from "./type-state.ts";

/** What is known about one resource on one stream. */
export interface SentResource {
	readonly name: string;
	/** The version sent last, or undefined after a removal. */
	readonly sent: string | undefined;
	/** The version that the proxy has acknowledged. */
	readonly acknowledged: string | undefined;
	readonly rejected: boolean;
}

/** What was sent and acknowledged of one type. */
export function* sentResources(state: TypeState): Iterable<SentResource> {
	const { held, rejected, inFlight } = state;
	const names = new Set(held.keys());
	for (const name of rejected.keys()) names.add(name);
	for (const name of inFlight?.sent.keys() ?? []) names.add(name);
	for (const name of names) {
		const has = held.get(name);
		const acknowledged = has && heldVersion(has);
		const sent = inFlight?.sent.has(name)
			? inFlight.sent.get(name)?.version
			: rejected.has(name)
				? rejected.get(name)?.version
				: acknowledged;
		yield { name, sent, acknowledged, rejected: state.isCondemned(name) };
	}
}
