import type { Pod } from "../api/core.ts";
import { refOf } from "../api/metadata.ts";
import type { NotedEvent } from "../api/object-event.ts";
import { eventReasons } from "./status-events.ts";

/**
 * What is to be told of a pod that was to have a proxy and has none; undefined of any other.
 *
 * It is told of what makes the pod, in the same words for all its pods: a
 * DaemonSet in the network of 500 nodes is one event that is counted.
 */
export function decideSkipEvent(
	pod: Pick<Pod, "kind" | "metadata" | "notInjected">,
): NotedEvent | undefined {
	const { notInjected } = pod;
	if (notInjected === undefined) return undefined;
	const { because, owner } = notInjected;
	const reason = "NotInjected";
	const said = {
		type: eventReasons[reason].type,
		reason,
		message: `There is no proxy in ${owner === undefined ? "the pod" : "its pods"}: ${because}`,
	};
	if (owner === undefined) return { ...said, about: refOf(pod) };
	const { apiVersion, kind, name, uid } = owner;
	const { namespace } = pod.metadata;
	return {
		...said,
		about: { kind, namespace, name },
		identity: { apiVersion, uid },
	};
}
