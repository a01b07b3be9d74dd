import { recordIn, recordsIn, textIn } from "../../injector/json.ts";
import { errorOf } from "../../kube/error-of.ts";
import type { KubeResource } from "../../kube/resources.ts";
import { resources } from "../../kube/resources.ts";
import { injectLabel } from "../../reconcilers/injection-registration.ts";
import { checkCrds } from "./check-crds.ts";
import { checkServerVersion } from "./check-server-version.ts";
import { findObject } from "./find-object.ts";
import { type Finding, fewOf, findings, type Said } from "./finding.ts";
import type { Manifest } from "./manifest.ts";
import type { ApiServer } from "./open-api-server.ts";
import { installResources, resourceOf } from "./resource-of.ts";

/** What stands in the way of an installation. */
export async function checkBefore(
	objects: readonly Manifest[],
	server: ApiServer,
	namespace: string,
): Promise<readonly Finding[]> {
	const all = await Promise.all([
		findings("API server", () => checkServerVersion(server)),
		findings("permissions", () => checkPermissions(objects, server)),
		findings("CRDs", () => checkCrds(objects, server, false)),
		findings("namespace", () => checkNamespace(server, namespace)),
		findings("Pod Security", () => checkPodSecurity(server)),
	]);
	return all.flat();
}

/** Whether everything may be made and changed. */
async function checkPermissions(
	objects: readonly Manifest[],
	server: ApiServer,
): Promise<readonly Said[]> {
	const asked = new Map<
		string,
		{ readonly resource: KubeResource; readonly namespace: string }
	>();
	for (const object of objects) {
		const { namespace = "" } = object.metadata;
		const resource = resourceOf(object);
		asked.set(`${resource.plural} ${namespace}`, { resource, namespace });
	}
	const missing = await Promise.all(
		[...asked.values()].flatMap(({ resource, namespace }) =>
			["create", "patch"].map(async (verb) => {
				const { group, plural } = resource;
				const isAllowed = await mayI(server, {
					...{ verb, group, resource: plural, namespace },
				});
				if (isAllowed) return [];
				const where = namespace === "" ? "" : ` in ${namespace}`;
				return [`${verb} ${plural}${where}`];
			}),
		),
	);
	const list = missing.flat();
	return [
		list.length === 0
			? { verdict: "ok", message: "You may make and change all of it." }
			: {
					verdict: "problem",
					message: `You may not ${fewOf(list)}. Ask an administrator of the cluster to apply it.`,
				},
	];
}

const accessReview: KubeResource = {
	group: "authorization.k8s.io",
	version: "v1",
	plural: "selfsubjectaccessreviews",
	kind: "SelfSubjectAccessReview",
	isNamespaced: false,
};

async function mayI(
	{ connection }: ApiServer,
	resourceAttributes: Readonly<Record<string, string>>,
): Promise<boolean> {
	const response = await connection.request(
		{
			method: "POST",
			path: "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
			body: JSON.stringify({
				apiVersion: "authorization.k8s.io/v1",
				kind: "SelfSubjectAccessReview",
				spec: { resourceAttributes },
			}),
			timeoutMs: 15_000,
			silenceMs: 15_000,
		},
		new AbortController().signal,
	);
	const text = await response.text();
	const { status, headers } = response;
	if (status >= 400)
		throw errorOf(
			{ status, headers, text },
			{ verb: "create", resource: accessReview, namespace: "" },
		);
	const answer: unknown = JSON.parse(text);
	return recordIn(answer, "status")["allowed"] === true;
}

/** Whether the namespace can take it, and no other has an installation: roles and webhooks are there once. */
async function checkNamespace(
	{ client }: ApiServer,
	namespace: string,
): Promise<readonly Said[]> {
	const found = await findObject(client, resources.Namespace, {
		...{ namespace: "", name: namespace },
	});
	if (textIn(recordIn(found, "status"), "phase") === "Terminating")
		return [
			{
				verdict: "problem",
				message: `The namespace ${namespace} is being deleted. Wait until it is gone.`,
			},
		];
	const binding = await findObject(
		client,
		installResources.ClusterRoleBinding,
		{ namespace: "", name: "lateen" },
	);
	const other = recordsIn(binding, "subjects")
		.map((subject) => textIn(subject, "namespace"))
		.find((one) => one !== namespace);
	if (other !== undefined)
		return [
			{
				verdict: "problem",
				message: `Lateen is installed in the namespace ${other}, and a cluster has it once. Name that one with --namespace, or uninstall it.`,
			},
		];
	const isThere = binding !== undefined;
	return [
		{
			verdict: "ok",
			message: isThere
				? `Lateen is installed in ${namespace}; this would be an upgrade.`
				: `${namespace} is ${found === undefined ? "free" : "there, and takes it"}.`,
		},
	];
}

/** Whether namespaces that ask for injection take pods with the capture. */
async function checkPodSecurity({
	client,
}: ApiServer): Promise<readonly Said[]> {
	const strict: string[] = [];
	const labelSelector = `${injectLabel}=true`;
	for await (const { metadata, content } of client.listAll(
		resources.Namespace,
		{ labelSelector },
	)) {
		const isEnding =
			textIn(recordIn(content, "status"), "phase") === "Terminating";
		if (isEnding) continue;
		const labels = recordIn(recordIn(content, "metadata"), "labels");
		const level = textIn(labels, "pod-security.kubernetes.io/enforce");
		if (level === "baseline" || level === "restricted")
			strict.push(`${metadata.name} (${level})`);
	}
	return [
		strict.length === 0
			? {
					verdict: "ok",
					message: "No namespace that asks for injection refuses NET_ADMIN.",
				}
			: {
					verdict: "problem",
					message: `Injected pods need NET_ADMIN, which is refused in ${fewOf(strict)}. Label the namespace pod-security.kubernetes.io/enforce=privileged, or do not inject there.`,
				},
	];
}
