import type { Kind } from "./objects.ts";
import { ownKinds } from "./own-kinds.ts";

/** The kinds whose objects a mesh is built from. */
export const meshKinds = [
	...ownKinds,
	"Service",
	"EndpointSlice",
	"Pod",
] as const satisfies readonly Kind[];
