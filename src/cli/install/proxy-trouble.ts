import {
	fieldOf,
	type Json,
	numberIn,
	recordIn,
	recordsIn,
	textIn,
} from "../../injector/json.ts";
import { names } from "../../injector/names.ts";

/** What is wrong with the containers that injection put into a pod. */
export type ProxyTrouble =
	/** Its image is not to be had. */
	| {
			readonly kind: "image";
			readonly container: string;
			readonly image: string;
			readonly reason: string;
	  }
	/** It does not start, or ends again and again. */
	| {
			readonly kind: "failing";
			readonly container: string;
			readonly reason: string;
	  }
	/** It was killed because it took more memory than it may. */
	| { readonly kind: "memory"; readonly container: string }
	/** It runs, and has not yet all that the control plane has to say. */
	| { readonly kind: "unready" };

const imageReasons: readonly string[] = [
	"ErrImageNeverPull",
	"ErrImagePull",
	"ImageInspectError",
	"ImagePullBackOff",
	"InvalidImageName",
];

/** A container waits for these for a moment only. */
const passingReasons: readonly string[] = [
	"ContainerCreating",
	"PodInitializing",
];

/** The worst that the status of a pod says of our containers; undefined where they are well or only starting. */
export function proxyTrouble(pod: Json): ProxyTrouble | undefined {
	const status = recordIn(pod, "status");
	const ours = [
		...recordsIn(status, "initContainerStatuses"),
		...recordsIn(status, "containerStatuses"),
	].filter((one) =>
		[names.captureContainer, names.proxyContainer].some(
			(name) => name === textIn(one, "name"),
		),
	);
	for (const one of ours) {
		const trouble = troubleOf(one);
		if (trouble !== undefined) return trouble;
	}
	const proxy = ours.find(
		(one) => textIn(one, "name") === names.proxyContainer,
	);
	const isRunning = fieldOf(fieldOf(proxy, "state"), "running") !== undefined;
	return isRunning && fieldOf(proxy, "ready") === false
		? { kind: "unready" }
		: undefined;
}

function troubleOf(status: Json): ProxyTrouble | undefined {
	const container = textIn(status, "name");
	const state = recordIn(status, "state");
	const killed = [state, recordIn(status, "lastState")].some(
		(one) => textIn(recordIn(one, "terminated"), "reason") === "OOMKilled",
	);
	if (killed) return { kind: "memory", container };
	const reason = textIn(recordIn(state, "waiting"), "reason");
	if (imageReasons.includes(reason))
		return { kind: "image", container, image: textIn(status, "image"), reason };
	if (reason !== "" && !passingReasons.includes(reason))
		return { kind: "failing", container, reason };
	const ended = recordIn(state, "terminated");
	const exitCode = numberIn(ended, "exitCode");
	// The capture is to end, and well.
	return exitCode !== undefined && exitCode !== 0
		? { kind: "failing", container, reason: textIn(ended, "reason") || "Error" }
		: undefined;
}
