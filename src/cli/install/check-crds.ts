import { recordIn, recordsIn, textIn } from "../../injector/json.ts";
import { resources } from "../../kube/resources.ts";
import { findObject } from "./find-object.ts";
import type { Said } from "./finding.ts";
import type { Manifest } from "./manifest.ts";
import type { ApiServer } from "./open-api-server.ts";
import { tryApply } from "./try-apply.ts";

/**
 * Whether the CRDs are those of this version.
 *
 * @param areNeeded whether it is a problem that one is not there
 */
export async function checkCrds(
	objects: readonly Manifest[],
	server: ApiServer,
	areNeeded: boolean,
): Promise<readonly Said[]> {
	const crds = objects.filter(
		({ kind }) => kind === "CustomResourceDefinition",
	);
	const said = await Promise.all(
		crds.map((crd) => checkOne(crd, server, areNeeded)),
	);
	const bad = said.filter(({ verdict }) => verdict !== "ok");
	if (bad.length > 0) return bad;
	const [first] = said;
	return first === undefined ? [] : [first];
}

async function checkOne(
	crd: Manifest,
	server: ApiServer,
	isNeeded: boolean,
): Promise<Said> {
	const { name } = crd.metadata;
	const found = await findObject(
		server.client,
		resources.CustomResourceDefinition,
		{ namespace: "", name },
	);
	if (found === undefined)
		return isNeeded
			? {
					verdict: "problem",
					message: `The CRD ${name} is not there: \`lateen install | kubectl apply --server-side -f -\`.`,
				}
			: { verdict: "ok", message: "None of ours is in the way." };
	const status = recordIn(found, "status");
	const versions = recordsIn(recordIn(crd, "spec"), "versions").map((one) =>
		textIn(one, "name"),
	);
	const strange = [status["storedVersions"]]
		.flat()
		.filter((one) => typeof one === "string" && !versions.includes(one));
	if (strange.length > 0)
		return {
			verdict: "problem",
			message: `Objects of ${name} are stored in the version ${strange.join(", ")}, which lateen of this version does not have. Use the version that made them, or a later one.`,
		};
	const isEstablished = recordsIn(status, "conditions").some(
		(one) =>
			textIn(one, "type") === "Established" && textIn(one, "status") === "True",
	);
	if (!isEstablished && isNeeded)
		return {
			verdict: "problem",
			message: `The CRD ${name} is not established: \`kubectl describe crd ${name}\` says why.`,
		};
	const [trial] = await tryApply([crd], server);
	switch (trial?.would) {
		case "refused":
			return { verdict: "problem", message: trial.details.join(" ") };
		case "change":
		case "create":
			return {
				verdict: "warning",
				message: `The CRD ${name} is not that of this version (${trial.details[0] ?? ""}). Applying the manifests of this version changes it.`,
			};
		case "nothing":
		case undefined:
			return { verdict: "ok", message: "They are those of this version." };
	}
}
