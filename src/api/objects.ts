import type {
	EndpointSlice,
	Namespace,
	Node,
	Pod,
	Service,
	ServiceAccount,
} from "./core.ts";
import type { ExternalService } from "./external-service.ts";
import type { Mesh } from "./mesh.ts";
import type { ObjectRef } from "./object-ref.ts";
import type { RouteRule } from "./route-rule.ts";
import type { Violation } from "./violation.ts";

/** Every kind that is read, by its name. */
export interface ObjectByKind {
	readonly EndpointSlice: EndpointSlice;
	readonly ExternalService: ExternalService;
	readonly Mesh: Mesh;
	readonly Namespace: Namespace;
	readonly Node: Node;
	readonly Pod: Pod;
	readonly RouteRule: RouteRule;
	readonly Service: Service;
	readonly ServiceAccount: ServiceAccount;
}

/** The name of a kind that is read. */
export type Kind = keyof ObjectByKind;

/** Any object that is read. */
export type ApiObject = ObjectByKind[Kind];

/**
 * All current objects, by kind and then by `namespace/name`: the input of `buildMesh`.
 *
 * A kind whose objects did not change is the same map as before, and an object
 * that did not change is the same reference as before.
 */
export type Objects = {
	readonly [K in Kind]: ReadonlyMap<string, ObjectByKind[K]>;
};

/** An object that failed validation: enough to write its status, not enough to use it. */
export interface InvalidObject {
	readonly ref: ObjectRef;
	readonly generation: number;
	readonly violations: readonly Violation[];
}

/** One step from the outside into the store. */
export type Change =
	| { readonly op: "put"; readonly object: ApiObject }
	| { readonly op: "put-invalid"; readonly invalid: InvalidObject }
	| { readonly op: "delete"; readonly ref: ObjectRef }
	/** A complete listing by one source: what it does not name is gone, unless another source has it. */
	| {
			readonly op: "replace-kind";
			readonly kind: Kind;
			readonly objects: readonly ApiObject[];
			readonly invalid: readonly InvalidObject[];
	  };
