import type { Attributes, Span } from "../../observability/tracing/span.ts";
import type { ChangedObject } from "../../store/object-store.ts";
import type { Change } from "./change.ts";

/** A new random id of so many bytes, in hex. */
export type NewId = (bytes: number) => string;

/** The generation of an object as it is now; undefined when it is gone or has none. */
export type GenerationOf = (object: ChangedObject) => number | undefined;

/** Objects that a trace names. */
const namedObjects = 10;

/** What became of one change, as a trace: the whole way, and each part of it. */
export function changeSpans(
	change: Change,
	tools: { readonly newId: NewId; readonly generationOf: GenerationOf },
): readonly Span[] {
	const traceId = tools.newId(16);
	const rootId = tools.newId(8);
	const wall = (ms: number): number =>
		change.startWallMs + (ms - change.startMs);
	const part = (
		name: string,
		startMs: number,
		endMs: number,
		attributes: Attributes = {},
		failure?: string,
	): Span => ({
		traceId,
		spanId: tools.newId(8),
		parentId: rootId,
		name,
		startMs: wall(startMs),
		endMs: wall(endMs),
		attributes,
		...(failure !== undefined && { failure }),
	});
	const { generatedMs, firstSentMs, lastSentMs, endedMs, written } = change;
	const failure =
		change.result === "late"
			? `Not every proxy has it; missing are ${change.missing.join(", ")} and maybe others.`
			: undefined;
	return [
		{
			traceId,
			spanId: rootId,
			name: "change",
			startMs: change.startWallMs,
			endMs: wall(written?.endMs ?? endedMs),
			attributes: {
				"lateen.result": change.result ?? "",
				...objectAttributes(change, tools.generationOf),
				"lateen.resources": change.resources,
				"lateen.proxies": change.proxies,
			},
			...(failure !== undefined && { failure }),
		},
		part("hold off", change.startMs, change.buildMs),
		part("build mesh", change.buildMs, change.builtMs),
		part("generate resources", change.builtMs, generatedMs, {
			"lateen.resources": change.resources,
		}),
		...(firstSentMs === undefined
			? []
			: [
					part("send", generatedMs, lastSentMs ?? firstSentMs),
					part(
						"acknowledge",
						firstSentMs,
						endedMs,
						{
							"lateen.proxies": change.proxies,
							...(failure !== undefined && {
								"lateen.proxies.missing": change.missing,
								"lateen.proxies.rejected": change.rejected,
							}),
						},
						failure,
					),
				]),
		...(written === undefined
			? []
			: [
					part("wait for status", endedMs, written.startMs),
					part("write status", written.startMs, written.endMs),
				]),
	];
}

function objectAttributes(
	{ objects, count }: Change,
	generationOf: GenerationOf,
): Attributes {
	const named = objects.slice(0, namedObjects);
	const [first] = named;
	const generation = first && generationOf(first);
	return {
		"lateen.objects": named.map(({ kind, key }) => `${kind} ${key}`),
		"lateen.objects.count": count,
		...(count === 1 &&
			generation !== undefined && { "lateen.object.generation": generation }),
	};
}
