import type { MeshSpec } from "../gen/crd/mesh.ts";
import type { ObjectBase } from "./metadata.ts";

export type { InjectionSpec, MeshSpec } from "../gen/crd/mesh.ts";

/** Settings of the whole mesh; defaults are filled in. The only one is named `default`. */
export interface Mesh extends ObjectBase<"Mesh"> {
	readonly spec: MeshSpec;
}
