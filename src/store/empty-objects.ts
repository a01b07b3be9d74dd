import type { Kind, Objects } from "../api/objects.ts";

/** No objects of any kind: the value before anything is listed. */
export function emptyObjects(): Objects {
	return {
		EndpointSlice: new Map(),
		ExternalService: new Map(),
		Mesh: new Map(),
		Namespace: new Map(),
		Node: new Map(),
		Pod: new Map(),
		RouteRule: new Map(),
		Service: new Map(),
		ServiceAccount: new Map(),
	};
}

/** Whether objects of this kind are kept in `Objects`. */
export function isKind(name: string): name is Kind {
	return Object.hasOwn(emptyObjects(), name);
}
