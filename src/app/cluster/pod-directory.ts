import type { Objects } from "../../api/objects.ts";
import type { Signal } from "../../lib/signal.ts";
import type { PodDirectory } from "../../xds/server/pod-directory.ts";

/** Shows the pods that were read to the authentication of proxies. */
export function podDirectory(objects: Signal<Objects>): PodDirectory {
	return {
		find: (key) => {
			const pod = objects.value.Pod.get(key);
			if (pod === undefined) return undefined;
			const { uid = "", labels } = pod.metadata;
			return { uid, labels };
		},
		subscribe: (listener) => {
			let pods = objects.value.Pod;
			return objects.subscribe((now) => {
				if (now.Pod === pods) return;
				pods = now.Pod;
				listener();
			});
		},
	};
}
