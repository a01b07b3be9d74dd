import type { ObjectRef } from "../../../api/object-ref.ts";
import { objectKey } from "../../../api/object-ref.ts";
import type { ApiObject } from "../../../api/objects.ts";
import type { DistributionReader } from "../../../controllers/distribution-reader.ts";
import type { MeshState } from "../../../controllers/mesh.ts";
import type { Replicas } from "../../../controllers/replicas.ts";
import type { Signal } from "../../../lib/signal.ts";
import { mergeReports } from "../../../reconcilers/proxy-report.ts";
import { refKey } from "../../../store/ref-key.ts";

/** Where the whole is put together from. */
export interface ReplicaDistributionParts {
	/** How far objects have come among the own proxies. */
	readonly own: DistributionReader;
	readonly mesh: Signal<MeshState>;
	readonly replicas: Replicas;
}

/** How far objects have come among the proxies of all replicas. */
export function replicaDistribution({
	own,
	mesh,
	replicas,
}: ReplicaDistributionParts): DistributionReader {
	return {
		of: (ref) => {
			const built = objectAt(mesh.value, ref);
			return mergeReports(
				own.of(ref),
				{
					uid: built?.metadata.uid ?? "",
					generation: built?.metadata.generation,
				},
				replicas.on(refKey(ref)),
			);
		},
		lackingOf: (ref) => {
			let lacking = own.lackingOf(ref);
			for (const { entry } of replicas.on(refKey(ref)))
				lacking += entry === undefined ? 1 : entry.total - entry.acknowledged;
			return lacking;
		},
		subscribe: (listener) => {
			const stops = [own.subscribe(listener), replicas.subscribe(listener)];
			return () => {
				for (const stop of stops) stop();
			};
		},
		subscribeTotals: (listener) => {
			const stops = [
				own.subscribeTotals(listener),
				replicas.subscribeTotals(listener),
			];
			return () => {
				for (const stop of stops) stop();
			};
		},
	};
}

function objectAt(
	{ objects }: MeshState,
	ref: ObjectRef,
): ApiObject | undefined {
	const kinds: Readonly<Record<string, ReadonlyMap<string, ApiObject>>> =
		objects ?? {};
	return kinds[ref.kind]?.get(objectKey(ref));
}
