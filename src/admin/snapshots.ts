/*
 * What one proxy is to have and has, byte for byte, and the objects behind it:
 * for `lateen why`, `lateen diff`, `lateen explain` and `lateen proxy NAME diff`.
 */
import { type ObjectRef, printRef } from "../api/object-ref.ts";
import type { HttpResponse } from "../lib/handler.ts";
import { failure, json } from "./answers.ts";
import { findProxy } from "./find-proxy.ts";
import type { AdminReaders, KeptVersion } from "./readers.ts";

/**
 * Answers `/v1/resources?proxy=NAME`: everything that the proxy is to have and
 * has. `bytes=false` leaves out the bytes.
 */
export function snapshotAnswer(
	query: URLSearchParams,
	readers: AdminReaders,
): HttpResponse {
	const name = query.get("proxy");
	if (name === null)
		return failure(400, "Name a proxy: /v1/resources?proxy=default/reviews-v1");
	const found = findProxy(readers.proxies.proxies(), name);
	if ("refusal" in found) return found.refusal;
	const { id, workload, kind, attachment, variant } = found.proxy;
	const snapshot = readers.snapshots.snapshot(id);
	if (snapshot === undefined)
		return failure(404, `The proxy ${id} has just disconnected.`);
	const withBytes = query.get("bytes") !== "false";
	const refs = new Map<string, ObjectRef>();
	const version = (kept: KeptVersion | undefined, known?: KeptVersion) => {
		if (kept === undefined) return null;
		for (const ref of kept.origins) refs.set(printRef(ref), ref);
		return {
			version: kept.version,
			origins: kept.origins.map(printRef),
			// The same version has the same bytes.
			...(withBytes && kept.version !== known?.version
				? { bytes: Buffer.from(kept.bytes).toString("base64") }
				: {}),
		};
	};
	const resources = snapshot.resources.map((one) => ({
		type: one.type,
		name: one.name,
		wanted: version(one.wanted),
		acknowledged: version(one.acknowledged, one.wanted),
		rejected: one.rejected ?? null,
	}));
	return json(200, {
		proxy: {
			id,
			workload,
			kind,
			attachment,
			variant,
			addresses: snapshot.addresses,
		},
		objects: describeObjects([...refs.values()], readers),
		resources,
	});
}

/** Answers `/v1/why?kind=RouteRule&namespace=default&name=reviews`: the resources of all proxies that come from an object. */
export async function whyAnswer(
	query: URLSearchParams,
	readers: AdminReaders,
): Promise<HttpResponse> {
	const ref = {
		kind: query.get("kind") ?? "",
		namespace: query.get("namespace") ?? "",
		name: query.get("name") ?? "",
	};
	const [object] = describeObjects([ref], readers);
	if (object?.["known"] !== true)
		return failure(
			404,
			`There is no ${printRef(ref)}. GET /v1/objects lists those that are.`,
		);
	return json(200, {
		object,
		proxies: await readers.snapshots.carrying(ref),
	});
}

/** Objects with where they stand and how often they were changed, as far as that is known. */
function describeObjects(
	refs: readonly ObjectRef[],
	readers: AdminReaders,
): readonly Readonly<Record<string, unknown>>[] {
	const asked = new Set(refs.map(printRef));
	const states = new Map(
		readers.objects
			.objects()
			.filter(({ ref }) => asked.has(printRef(ref)))
			.map((state) => [printRef(state.ref), state]),
	);
	return refs.map((ref) => {
		const state = states.get(printRef(ref));
		return {
			...ref,
			...state?.place,
			generation: readers.status.of(ref)?.generation ?? null,
			known: state !== undefined,
		};
	});
}
