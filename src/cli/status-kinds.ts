import type { OwnKind } from "../api/own-kinds.ts";
import { nearestName } from "../lib/nearest-name.ts";

/** A kind that has a status, and every name people type for it. */
export interface StatusKind {
	readonly kind: OwnKind;
	readonly plural: string;
	/** All in small letters, the plural first. */
	readonly names: readonly string[];
	readonly isNamespaced: boolean;
}

/** Every kind that has a status; the names are those of the CRDs. */
export const statusKinds: readonly StatusKind[] = [
	{
		kind: "RouteRule",
		plural: "routerules",
		names: ["routerules", "routerule", "rr"],
		isNamespaced: true,
	},
	{
		kind: "ExternalService",
		plural: "externalservices",
		names: ["externalservices", "externalservice", "extsvc"],
		isNamespaced: true,
	},
	{
		kind: "Mesh",
		plural: "meshes",
		names: ["meshes", "mesh"],
		isNamespaced: false,
	},
];

/** The kind that was typed, in any of its names, or a sentence about what there is. */
export function parseKind(typed: string): StatusKind | string {
	const name = typed.toLowerCase();
	const found = statusKinds.find(({ names }) => names.includes(name));
	if (found !== undefined) return found;
	const near = nearestName(
		name,
		statusKinds.flatMap(({ names }) => names),
	);
	const hint = near === undefined ? "" : ` Did you mean ${near}?`;
	return `No kind with a status is called ${JSON.stringify(typed)}; there are ${statusKinds.map(({ names }) => names.join("|")).join(", ")}.${hint}`;
}

/** An object as commands name it. */
export interface NamedObject {
	readonly kind: StatusKind;
	/** Undefined when none is named, empty for kinds without namespaces. */
	readonly namespace: string | undefined;
	readonly name: string;
}

/**
 * Reads `KIND/NAME` or `KIND/NAMESPACE/NAME`; a sentence about what is wrong
 * when it is neither.
 */
export function parseObjectName(typed: string): NamedObject | string {
	const [kindName = "", ...rest] = typed.split("/");
	const kind = parseKind(kindName);
	if (typeof kind === "string") return kind;
	const name = rest.at(-1);
	if (
		name === undefined ||
		rest.includes("") ||
		rest.length > (kind.isNamespaced ? 2 : 1)
	)
		return `Name an object as ${kind.names.at(-1)}/${kind.isNamespaced ? "NAME or KIND/NAMESPACE/NAME" : "NAME"}; what is ${JSON.stringify(typed)}?`;
	const inPath = rest.length === 2 ? rest[0] : undefined;
	return {
		kind,
		name,
		namespace: kind.isNamespaced ? inPath : "",
	};
}

/** The object as people name it: `routerule/reviews`, with the namespace unless it is `default`. */
export function printObjectName({
	kind,
	namespace = "",
	name,
}: NamedObject): string {
	const singular = kind.names[1] ?? kind.plural;
	return namespace === "" || namespace === "default"
		? `${singular}/${name}`
		: `${singular}/${namespace}/${name}`;
}
