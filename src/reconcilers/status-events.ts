import type { NotedEvent } from "../api/object-event.ts";
import { conditionOf, type ObjectStatus } from "../api/status.ts";
import type { ProxyRejection } from "./distribution.ts";
import { quoted } from "./sentences.ts";

/** What an event can be about. */
export type EventReason =
	| "Invalid"
	| "Mended"
	| "Rejected"
	| "Recovered"
	| "NotInjected";

/** What events say; `docs/reasons.md` is made from it. */
export const eventReasons: {
	readonly [R in EventReason]: {
		readonly type: "Normal" | "Warning";
		readonly means: string;
	};
} = {
	Invalid: {
		type: "Warning",
		means: "A new form of the object is refused by validation.",
	},
	Mended: { type: "Normal", means: "The newest form is accepted again." },
	Rejected: {
		type: "Warning",
		means: "A proxy refused what the object became; one event for each proxy.",
	},
	Recovered: {
		type: "Normal",
		means: "No proxy refuses the object any more.",
	},
	NotInjected: {
		type: "Warning",
		means:
			"A pod that was to have a proxy has none; on what makes the pod, or on the pod itself when it is its own.",
	},
};

/** An object before and after something changed. */
export interface StatusChange {
	readonly previous: ObjectStatus | undefined;
	readonly next: ObjectStatus;
	/** Refusals of which its owner was told before. */
	readonly rejectionsBefore: readonly ProxyRejection[];
	readonly rejections: readonly ProxyRejection[];
}

/**
 * What the owner of an object is told: refusals, each once, and that they are
 * over. Progress is no event; conditions say it.
 */
export function decideEvents(change: StatusChange): readonly NotedEvent[] {
	const { previous, next, rejectionsBefore, rejections } = change;
	const event = (reason: EventReason, message: string): NotedEvent => ({
		about: next.ref,
		type: eventReasons[reason].type,
		reason,
		message,
	});
	const events: NotedEvent[] = [];
	const was = previous && conditionOf(previous, "Accepted");
	const is = conditionOf(next, "Accepted");
	if (is?.reason === "Invalid" && is.message !== was?.message)
		events.push(event("Invalid", is.message));
	if (was?.reason === "Invalid" && is?.reason !== "Invalid")
		events.push(
			event("Mended", `Generation ${next.observedGeneration} is valid.`),
		);
	const known = new Set(rejectionsBefore.map(printRejection));
	for (const rejection of rejections) {
		const text = printRejection(rejection);
		if (!known.has(text)) events.push(event("Rejected", text));
	}
	if (rejectionsBefore.length > 0 && rejections.length === 0)
		events.push(
			event(
				"Recovered",
				`No proxy refuses generation ${next.observedGeneration}.`,
			),
		);
	return events;
}

function printRejection({ proxy, message }: ProxyRejection): string {
	return `${proxy} refused it: ${quoted(message)}`;
}
