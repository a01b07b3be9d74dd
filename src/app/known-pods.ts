import type { Objects } from "../api/objects.ts";
import type { Signal } from "../lib/signal.ts";
import type { PodDirectory } from "../xds/server/pod-directory.ts";

/** The pods of the store, for those who hold a proxy's claims against them. */
export function knownPods(objects: Signal<Pick<Objects, "Pod">>): PodDirectory {
	return {
		find(key) {
			const pod = objects.value.Pod.get(key);
			// A pod without a uid cannot be told from an earlier one.
			return pod?.metadata.uid === undefined
				? undefined
				: { uid: pod.metadata.uid, labels: pod.metadata.labels };
		},
		subscribe(listener) {
			let seen = objects.value.Pod;
			return objects.subscribe(({ Pod }) => {
				if (Pod === seen) return;
				seen = Pod;
				listener();
			});
		},
	};
}
