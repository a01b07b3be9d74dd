/*
 * Tells of pods that the webhook left without a proxy.
 *
 * The webhook itself tells nobody: when it answers, a pod has no uid yet, often no name, and may never be stored (a dry run,
 * another webhook that refuses it). It writes the reason into the pod; whoever leads reads it from the pod that came of it.
 */
import type { Objects } from "../api/objects.ts";
import type { Clock } from "../lib/clock.ts";
import type { Signal } from "../lib/signal.ts";
import { decideSkipEvent } from "../reconcilers/skipped-pods.ts";
import type { EventWriter } from "../store/object-writer.ts";
import type { Leader } from "./controller.ts";

/** What is needed to tell of them. */
export interface SkippedPodsParts {
	readonly objects: Signal<Pick<Objects, "Pod">>;
	readonly events: EventWriter;
	readonly leader: Leader;
	readonly clock: Clock;
}

/**
 * Notes an event of each pod that is not injected; disposing ends it.
 *
 * Guarantees: the leader alone does, of each pod once, also of those that were there before it led.
 */
export function tellOfSkippedPods(parts: SkippedPodsParts): Disposable {
	const { objects, events, leader, clock } = parts;
	let seen: Objects["Pod"] | undefined;
	/** Uids of pods that are still there. */
	let told: ReadonlySet<string> = new Set();
	const look = (): void => {
		const { Pod: pods } = objects.value;
		if (pods === seen || !leader.isLeader()) return;
		seen = pods;
		const next = new Set<string>();
		for (const pod of pods.values()) {
			const event = decideSkipEvent(pod);
			const { uid } = pod.metadata;
			if (event === undefined || uid === undefined) continue;
			next.add(uid);
			if (!told.has(uid)) events.note(event, clock.nowMs());
		}
		told = next;
	};
	const stops = [objects.subscribe(look), leader.state.subscribe(look)];
	look();
	return {
		[Symbol.dispose]: () => {
			for (const stop of stops) stop();
		},
	};
}
