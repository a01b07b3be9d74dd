import type { ObjectRef } from "../api/object-ref.ts";
import type { ApiObject } from "../api/objects.ts";

/** That proxies of one software refuse an object as it is. */
export interface KeptRefusal {
	/** `contentOf` the object that is refused. */
	readonly content: string;
	/** `envoy 1.40.0`; empty when the proxy did not say. */
	readonly software: string;
	/** `namespace/name` of the workload of a proxy that refused it. */
	readonly proxy: string;
	/** The proxy's words. */
	readonly message: string;
	/** Another proxy of the same software has refused it, too. */
	readonly isConfirmed?: boolean;
}

/** That proxies of one software accept what others refuse. */
export interface KeptAcceptance {
	/** `contentOf` the object. */
	readonly content: string;
	readonly software: string;
}

/** What must outlive the process about one object, so that a restart changes nothing for proxies. */
export interface LastGood {
	readonly ref: ObjectRef;
	/** The newest form that validation took. */
	readonly valid: ApiObject | undefined;
	/** The newest form that proxies have accepted and still do. */
	readonly proven: ApiObject | undefined;
	readonly refusals: readonly KeptRefusal[];
	/** Of what is refused; absent when nobody accepts it. */
	readonly accepted?: readonly KeptAcceptance[];
}

/** Keeps last good forms where a restart finds them. */
export interface LastGoodStore {
	/**
	 * Everything that is kept and can be used; called once, before anything is written.
	 *
	 * Fails when: the place cannot be read at all.
	 */
	read(): Promise<readonly LastGood[]>;
	/**
	 * Replaces what is kept about one object, in one step.
	 *
	 * Fails when: it could not be written; what was kept before is still there then.
	 */
	write(entry: LastGood): Promise<void>;
	/** Forgets an object; one that is not kept is no failure. */
	remove(ref: ObjectRef): Promise<void>;
}
