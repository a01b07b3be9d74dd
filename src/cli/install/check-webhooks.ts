import { type Json, recordIn, recordsIn, textIn } from "../../injector/json.ts";
import { names } from "../../injector/names.ts";
import { KubeError } from "../../kube/kube-error.ts";
import {
	apiVersionOf,
	collectionPath,
	type KubeResource,
	resources,
} from "../../kube/resources.ts";
import {
	injection,
	injectLabel,
} from "../../reconcilers/injection-registration.ts";
import { validation } from "../../reconcilers/webhook-registration.ts";
import { findObject } from "./find-object.ts";
import type { Said } from "./finding.ts";
import type { ApiServer } from "./open-api-server.ts";

const kinds = [
	{ resource: resources.ValidatingWebhookConfiguration, of: validation },
	{ resource: resources.MutatingWebhookConfiguration, of: injection },
] as const;

/** Whether the API server trusts our webhooks, and whether they answer it. */
export async function checkWebhooks(
	server: ApiServer,
	namespace: string,
): Promise<readonly Said[]> {
	const { client } = server;
	const authorities = await findObject(client, resources.ConfigMap, {
		...{ namespace, name: names.configMap },
	});
	const bundle = textIn(recordIn(authorities, "data"), "ca.crt").trim();
	if (bundle === "")
		return [
			{
				verdict: "problem",
				message: `There is no ConfigMap ${names.configMap} in ${namespace}, which the leader writes. See that a replica is ready.`,
			},
		];
	const said: Said[] = [];
	for (const { resource, of } of kinds) {
		const present = [];
		// A control plane outside of the cluster registers itself under the other name.
		for (const name of [of.name, of.urlName]) {
			const at = { namespace: "", name };
			const found = await findObject(client, resource, at);
			if (found !== undefined) present.push({ name, found });
		}
		if (present.length === 0)
			said.push({
				verdict: "problem",
				message: `There is no ${resource.kind} ${of.name}. Apply the manifests again.`,
			});
		for (const { name, found } of present)
			if (!recordsIn(found, "webhooks").every((one) => trusts(one, bundle)))
				said.push({
					verdict: "problem",
					message: `The ${resource.kind} ${name} does not have the authority of Lateen's certificate, so the API server does not believe it. The leader mends that within seconds; see that one leads and has the role of the manifests.`,
				});
	}
	if (said.length > 0) return said;
	said.push(...(await tryValidation(server)), ...(await tryInjection(server)));
	return said.length > 0
		? said
		: [
				{
					verdict: "ok",
					message: "The API server trusts them, and both answer.",
				},
			];
}

function trusts(webhook: unknown, bundle: string): boolean {
	const { caBundle } = recordIn(webhook, "clientConfig");
	return (
		typeof caBundle === "string" &&
		Buffer.from(caBundle, "base64").toString("utf8").trim() === bundle
	);
}

/** A rule that schema and CEL let through and the webhook refuses: RE2 has no lookahead. */
async function tryValidation(server: ApiServer): Promise<readonly Said[]> {
	try {
		await tryCreate(server, resources.RouteRule, {
			metadata: { generateName: "lateen-check-" },
			spec: {
				destination: { name: "lateen-check" },
				match: [{ path: { regex: "(?=a)" } }],
			},
		});
	} catch (error) {
		if (!(error instanceof KubeError)) throw error;
		if (error.code === "KUBE_INVALID") return [];
		return [
			{
				verdict: "unknown",
				message: `Whether the validating webhook answers could not be tried: ${error.message}`,
			},
		];
	}
	return [
		{
			verdict: "warning",
			message:
				"The API server does not reach the validating webhook, so bad objects are stored and refused by their status. See that a replica is ready, and that the control plane's nodes reach port 15017 of its pods.",
		},
	];
}

/** A pod that asks for a proxy, and is not made. */
async function tryInjection(server: ApiServer): Promise<readonly Said[]> {
	try {
		const content = await tryCreate(server, resources.Pod, {
			metadata: {
				generateName: "lateen-check-",
				labels: { [injectLabel]: "true" },
			},
			spec: {
				serviceAccountName: "default",
				containers: [{ name: "app", image: "lateen-check" }],
			},
		});
		const { labels } = recordIn(content, "metadata");
		if (textIn(labels, names.injectedLabel) !== "") return [];
		return [
			{
				verdict: "problem",
				message:
					"A pod that asks for a proxy is made without one. Apply the manifests again.",
			},
		];
	} catch (error) {
		if (!(error instanceof KubeError)) throw error;
		// Pod Security looks last, so what it refuses was injected.
		if (error.message.includes("PodSecurity")) return [];
		if (error.message.includes("webhook"))
			return [
				{
					verdict: "problem",
					message: `Pods that ask for a proxy cannot be made: ${error.message}`,
				},
			];
		return [
			{
				verdict: "unknown",
				message: `Whether the injecting webhook answers could not be tried: ${error.message}`,
			},
		];
	}
}

function tryCreate(
	server: ApiServer,
	resource: KubeResource,
	object: Json,
): Promise<Json> {
	const namespace = "default";
	return server.tryWrite(
		{
			method: "POST",
			path: collectionPath(resource, namespace),
			body: JSON.stringify({
				apiVersion: apiVersionOf(resource),
				kind: resource.kind,
				...object,
			}),
		},
		{ verb: "create", resource, namespace },
	);
}
