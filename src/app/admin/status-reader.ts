import type { StatusReader, StatusState } from "../../admin/readers.ts";
import type { ObjectRef } from "../../api/object-ref.ts";
import { compareRefs, objectKey } from "../../api/object-ref.ts";
import type { ApiObject, InvalidObject, Objects } from "../../api/objects.ts";
import type { ObjectStatus } from "../../api/status.ts";
import type { Position } from "../../api/violation.ts";
import type { Signal } from "../../lib/signal.ts";
import type {
	MemoryEventWriter,
	MemoryStatusWriter,
} from "../../store/memory-writer.ts";
import { refKey } from "../../store/ref-key.ts";

/** Where the admin API's view of statuses is put together from. */
export interface StatusReaderParts {
	readonly objects: Signal<Objects>;
	readonly invalid: Signal<ReadonlyMap<string, InvalidObject>>;
	readonly statuses: MemoryStatusWriter;
	readonly events: MemoryEventWriter;
	/** Whether every object that there was at the start has a status. */
	readonly isComplete: Signal<boolean>;
	/** Where an object begins. */
	placeOf(ref: ObjectRef): Position | undefined;
}

/** Joins the statuses that were written with the objects they are about. */
export function statusReader(parts: StatusReaderParts): StatusReader {
	const { statuses, events } = parts;
	const stateOf = (status: ObjectStatus): StatusState => {
		const { ref } = status;
		const object = objectAt(parts.objects.value, ref);
		const generation =
			parts.invalid.value.get(refKey(ref))?.generation ??
			object?.metadata.generation ??
			status.observedGeneration;
		return {
			ref,
			generation,
			createdMs: createdMs(object, statuses.firstMs(ref)),
			destination: object === undefined ? "" : describeDestination(object),
			place: parts.placeOf(ref),
			status,
		};
	};
	return {
		statuses: () =>
			[...statuses.all.values()]
				.sort((a, b) => compareRefs(a.ref, b.ref))
				.map(stateOf),
		of: (ref) => {
			const status = statuses.of(ref);
			return status && stateOf(status);
		},
		subscribe: (listener) => statuses.subscribe(listener),
		isComplete: parts.isComplete,
		events: () => events.all,
	};
}

function createdMs(object: ApiObject | undefined, seenMs: number): number {
	const stated = object?.metadata.createdMs ?? 0;
	return stated > 0 ? stated : seenMs;
}

function describeDestination(object: ApiObject): string {
	switch (object.kind) {
		case "RouteRule": {
			const { name, namespace, host } = object.spec.destination;
			if (name === undefined) return host ?? "";
			return namespace === undefined || namespace === object.metadata.namespace
				? name
				: `${namespace}/${name}`;
		}
		case "ExternalService":
			return object.spec.hosts.join(",");
		default:
			return "";
	}
}

function objectAt(objects: Objects, ref: ObjectRef): ApiObject | undefined {
	const kinds: Readonly<Record<string, ReadonlyMap<string, ApiObject>>> =
		objects;
	return kinds[ref.kind]?.get(objectKey(ref));
}
