import type { Kind } from "./objects.ts";

/** The kinds that Lateen defines and people write: each object has a status, and its last good form outlives the process. */
export const ownKinds = [
	"RouteRule",
	"ExternalService",
	"Mesh",
] as const satisfies readonly Kind[];

/** The name of a kind that Lateen defines. */
export type OwnKind = (typeof ownKinds)[number];

/** Whether it is a kind that Lateen defines. */
export function isOwnKind(kind: string): kind is OwnKind {
	return ownKinds.some((one) => one === kind);
}
