import { isRecord } from "../../src/api/fields.ts";
import {
	numberIn,
	recordIn,
	recordsIn,
	textIn,
} from "../../src/injector/json.ts";

/** What a pipeline that follows kstatus takes an object for. */
export type Kstatus = "Current" | "InProgress" | "Failed" | "Terminating";

/**
 * How Flux, kapp's relatives and other pipelines read the status of an object, by the rules that kstatus
 * documents (sigs.k8s.io/cli-utils, pkg/kstatus): those of all kinds, those of Deployments and CRDs, and the
 * condition Ready of kinds that it does not know.
 */
export function kstatusOf(object: unknown): Kstatus {
	const metadata = recordIn(object, "metadata");
	const status = recordIn(object, "status");
	if (textIn(metadata, "deletionTimestamp") !== "") return "Terminating";
	const observed = numberIn(status, "observedGeneration");
	if (
		observed !== undefined &&
		observed !== (numberIn(metadata, "generation") ?? observed)
	)
		return "InProgress";
	const conditions = new Map(
		recordsIn(status, "conditions")
			.filter(isRecord)
			.map((one) => [textIn(one, "type"), one]),
	);
	const is = (type: string, value = "True"): boolean =>
		textIn(conditions.get(type), "status") === value;
	if (is("Reconciling")) return "InProgress";
	if (is("Stalled")) return "Failed";
	switch (textIn(object, "kind")) {
		case "Deployment":
			return deploymentStatus(object, conditions);
		case "CustomResourceDefinition":
			if (is("NamesAccepted", "False")) return "Failed";
			return is("Established") ? "Current" : "InProgress";
		default:
			return conditions.has("Ready") && !is("Ready") ? "InProgress" : "Current";
	}
}

function deploymentStatus(
	object: unknown,
	conditions: ReadonlyMap<string, unknown>,
): Kstatus {
	const progressing = conditions.get("Progressing");
	if (textIn(progressing, "reason") === "ProgressDeadlineExceeded")
		return "Failed";
	const status = recordIn(object, "status");
	const wanted = numberIn(recordIn(object, "spec"), "replicas") ?? 1;
	const [replicas, updated, available, ready] = [
		...["replicas", "updatedReplicas", "availableReplicas", "readyReplicas"],
	].map((name) => numberIn(status, name) ?? 0) as [
		number,
		number,
		number,
		number,
	];
	const isDone =
		updated >= wanted &&
		replicas <= updated &&
		available >= updated &&
		ready >= wanted &&
		textIn(conditions.get("Available"), "status") === "True" &&
		textIn(progressing, "status") === "True";
	return isDone ? "Current" : "InProgress";
}
