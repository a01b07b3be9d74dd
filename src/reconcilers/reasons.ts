import type { ConditionType } from "../api/status.ts";
import type { FindingReason } from "../mesh/finding.ts";

/**
 * Why a condition is what it is. Stable; the reasons of findings are among them.
 *
 * Few on purpose: programs branch on them, people read the message.
 */
export type StatusReason =
	| "Accepted"
	| "Invalid"
	| "Resolved"
	| "Programmed"
	| "NoProxies"
	| "Distributing"
	| "Rejected"
	| "Pending"
	| "BuildFailed"
	| "NotInForce"
	| "Ready"
	| FindingReason;

/** What a reason says, and what to do about it. */
export interface ReasonText {
	/** Conditions that have it, besides `Ready`, which takes over the reason of the first that does not hold. */
	readonly conditions: readonly ConditionType[];
	readonly status: "True" | "False" | "Unknown";
	/** Full sentences. */
	readonly means: string;
	/** Full sentences; what the owner of the object does next. */
	readonly next: string;
}

/** Every reason a condition can have; `docs/reasons.md` is made from it. */
export const statusReasons: { readonly [R in StatusReason]: ReasonText } = {
	Ready: {
		conditions: ["Ready"],
		status: "True",
		means:
			"The newest generation is valid, everything it names exists, and it is live everywhere.",
		next: "Nothing.",
	},
	Accepted: {
		conditions: ["Accepted"],
		status: "True",
		means: "The object is valid and in use.",
		next: "Nothing.",
	},
	Resolved: {
		conditions: ["ResolvedRefs"],
		status: "True",
		means: "Everything that the object names exists.",
		next: "Nothing.",
	},
	Programmed: {
		conditions: ["Programmed"],
		status: "True",
		means:
			"Every connected proxy that needs the object has acknowledged this generation.",
		next: "Nothing.",
	},
	NoProxies: {
		conditions: ["Programmed"],
		status: "True",
		means:
			"No connected proxy asks for anything that comes from the object, so there is nobody to wait for.",
		next: "Nothing, if no proxy is meant to run yet. Otherwise see `lateen proxies`: is the caller of the destination connected?",
	},
	Distributing: {
		conditions: ["Programmed"],
		status: "False",
		means:
			"The object is on its way: some connected proxies that need it have not acknowledged this generation, or a replica of the control plane does not serve it yet. The message says how many, and names some.",
		next: "Wait; this takes milliseconds. When it lasts, look at the proxies that are named (`lateen proxy NAME`): one that hangs holds back only itself. A replica that is named is cut off from the API server, or has just died: within 20 seconds it is back, or no longer waited for.",
	},
	Rejected: {
		conditions: ["Programmed"],
		status: "False",
		means:
			"A proxy refused what this object became; the message has its name and Envoy's words. What that proxy had before stays in force there, and other objects go on.",
		next: "Change the object so that Envoy takes it; it is sent again at once. `lateen proxy NAME` shows what the proxy has. If validation let something through that no Envoy takes, that is a mistake in Lateen: please report it.",
	},
	Invalid: {
		conditions: ["Accepted"],
		status: "False",
		means:
			"The newest form of the object is refused by validation. Its last good form, if there was one, stays in force; Programmed and ResolvedRefs then speak of that form, and their observedGeneration says which it is.",
		next: "Mend the fields that the message names. `lateen validate FILE` says the same before anything is applied.",
	},
	Pending: {
		conditions: ["Accepted", "ResolvedRefs", "Programmed"],
		status: "Unknown",
		means:
			"The newest generation was read, but is not made into configuration yet.",
		next: "Wait; this takes milliseconds.",
	},
	BuildFailed: {
		conditions: ["Accepted", "ResolvedRefs", "Programmed"],
		status: "Unknown",
		means:
			"The newest objects together cannot be made into configuration; an older state of all of them is in force. This is a mistake in Lateen.",
		next: "Take back the last change, and report the error that the log has.",
	},
	NotInForce: {
		conditions: ["ResolvedRefs", "Programmed"],
		status: "Unknown",
		means:
			"No form of the object is in use: the newest is refused, and no earlier one is known.",
		next: "Mend what Accepted says.",
	},
	DestinationNotFound: {
		conditions: ["ResolvedRefs"],
		status: "False",
		means:
			"A Service, ExternalService or port that the object names does not exist. Requests for it are answered with 503; everything else of the object works.",
		next: "Create what is missing, or correct its name, namespace or port.",
	},
	SubsetEmpty: {
		conditions: ["ResolvedRefs"],
		status: "False",
		means:
			"No endpoint of the destination has the labels that the object asks for. Requests that go there are answered with 503.",
		next: "Deploy workloads with these labels, or correct the labels.",
	},
	Shadowed: {
		conditions: ["Programmed"],
		status: "False",
		means:
			"An earlier rule takes every request that this one could match; the message names it.",
		next: "Raise the precedence, narrow the match of the other rule, or delete the rule that is not needed.",
	},
	Conflict: {
		conditions: ["Accepted"],
		status: "False",
		means:
			"Another object already owns what this one claims, such as a host or an address; the older one keeps it.",
		next: "Take the claim out of one of the two objects that the message names.",
	},
	ProtocolMismatch: {
		conditions: ["Accepted", "ResolvedRefs", "Programmed"],
		status: "False",
		means: "The rule asks for something that the port's protocol cannot do.",
		next: "Give the Service's port the protocol it really speaks (`appProtocol`, or a name like `http-web`), or take the field out of the rule.",
	},
	Unusable: {
		conditions: ["Accepted", "ResolvedRefs", "Programmed"],
		status: "False",
		means: "A part of the object cannot be used as it is; the rest works.",
		next: "Mend the field that the message names.",
	},
};
