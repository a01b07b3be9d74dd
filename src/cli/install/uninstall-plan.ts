import { recordIn, recordsIn, textIn } from "../../injector/json.ts";
import { names } from "../../injector/names.ts";
import { KubeError } from "../../kube/kube-error.ts";
import type { KubeObject } from "../../kube/kube-object.ts";
import type { ObjectClient, ObjectPlace } from "../../kube/object-client.ts";
import { type KubeResource, resources } from "../../kube/resources.ts";
import { injection } from "../../reconcilers/injection-registration.ts";
import { validation } from "../../reconcilers/webhook-registration.ts";
import { findObject } from "./find-object.ts";
import type { Manifest } from "./manifest.ts";
import { installResources, resourceOf } from "./resource-of.ts";

/** An object that is to go. */
export interface Doomed {
	readonly resource: KubeResource;
	readonly at: ObjectPlace;
	/** That very object, and none that is made meanwhile. */
	readonly uid: string;
}

/** What there is of an installation, in the order in which it is to go. */
export interface UninstallPlan {
	/** First, so that nobody waits for the answer of something that is gone. */
	readonly webhooks: readonly Doomed[];
	/** Then those who write, or they would write the rest again. */
	readonly deployment: readonly Doomed[];
	readonly rest: readonly Doomed[];
	/** Last, with all objects of these kinds. */
	readonly crds: readonly Doomed[];
	/** How many objects of people there are, by kind. */
	readonly usersObjects: ReadonlyMap<string, number>;
	/** What has the name of something of ours and is not labelled as such: it stays. */
	readonly strangers: readonly string[];
	/** How many pods have a proxy. */
	readonly injectedPods: number;
	/** Helm's name for the installation, when it was made by Helm and Helm has not removed it. */
	readonly helmRelease: string | undefined;
}

/** Kinds that people write. */
const usersKinds = [
	resources.RouteRule,
	resources.ExternalService,
	resources.Mesh,
] as const;

/** What the control plane writes in its own namespace besides Leases. */
const written = [
	{ resource: resources.Secret, name: "lateen-serving" },
	{ resource: resources.ConfigMap, name: names.configMap },
	{ resource: resources.Lease, name: "lateen-leader" },
] as const;

/**
 * Finds all that an installation consists of and has written.
 *
 * @param objects those of the manifests
 */
export async function planUninstall(
	objects: readonly Manifest[],
	client: ObjectClient,
	namespace: string,
): Promise<UninstallPlan> {
	const strangers: string[] = [];
	const present: Doomed[] = [];
	for (const object of objects) {
		const found = await findOurs(object, client);
		if (found === "stranger")
			strangers.push(`${object.kind} ${object.metadata.name}`);
		else if (found !== undefined) present.push(found);
	}
	for (const { resource, of } of [
		{ resource: resources.MutatingWebhookConfiguration, of: injection },
		{ resource: resources.ValidatingWebhookConfiguration, of: validation },
	])
		present.push(...(await named(client, resource, "", of.urlName)));
	const state = [
		...(await all(client, resources.ConfigMap, {
			labelSelector: "lateen.dev/trust-bundle=true",
		})),
		...(await all(client, resources.LastGood)),
		...(await all(client, resources.ProxyReport)),
		...(await all(client, resources.Lease, {
			...{ namespace, labelSelector: "lateen.dev/lease" },
		})),
	];
	for (const { resource, name } of written)
		state.push(...(await named(client, resource, namespace, name)));
	const isKind =
		(...kinds: readonly string[]) =>
		({ resource }: Doomed) =>
			kinds.includes(resource.kind);
	const isWebhook = isKind(
		resources.MutatingWebhookConfiguration.kind,
		resources.ValidatingWebhookConfiguration.kind,
	);
	const isDeployment = isKind(installResources.Deployment.kind);
	const isCrd = isKind(resources.CustomResourceDefinition.kind);
	const isNamespace = isKind(resources.Namespace.kind);
	const usersObjects = new Map<string, number>();
	for (const resource of usersKinds) {
		const { length } = await all(client, resource);
		if (length > 0) usersObjects.set(resource.kind, length);
	}
	const injected = await all(client, resources.Pod, {
		labelSelector: names.injectedLabel,
	});
	return {
		webhooks: present.filter(isWebhook),
		deployment: present.filter(isDeployment),
		rest: [
			...once(state),
			...present.filter(
				(one) =>
					!isWebhook(one) &&
					!isDeployment(one) &&
					!isCrd(one) &&
					!isNamespace(one),
			),
			...present.filter(isNamespace),
		],
		crds: present.filter(isCrd),
		usersObjects,
		strangers,
		injectedPods: injected.length,
		helmRelease: await helmReleaseIn(client, namespace),
	};
}

/** Helm says on each object which release it belongs to. */
async function helmReleaseIn(
	client: ObjectClient,
	namespace: string,
): Promise<string | undefined> {
	const at = { namespace, name: "lateen" };
	const found = await findObject(client, installResources.Deployment, at);
	const { annotations } = recordIn(found, "metadata");
	return textIn(annotations, "meta.helm.sh/release-name") || undefined;
}

/** The namespace that the roles of the cluster are bound in, when it is another than this. */
export async function installedElsewhere(
	client: ObjectClient,
	namespace: string,
): Promise<string | undefined> {
	const binding = await findObject(
		client,
		installResources.ClusterRoleBinding,
		{ namespace: "", name: "lateen" },
	);
	return recordsIn(binding, "subjects")
		.map((subject) => textIn(subject, "namespace"))
		.find((one) => one !== namespace);
}

async function findOurs(
	object: Manifest,
	client: ObjectClient,
): Promise<Doomed | "stranger" | undefined> {
	const resource = resourceOf(object);
	const { name, namespace = "", labels = {} } = object.metadata;
	const at = { namespace, name };
	const found = await findObject(client, resource, at);
	if (found === undefined) return undefined;
	const metadata = recordIn(found, "metadata");
	const label = "app.kubernetes.io/part-of";
	// CRDs may have been applied by themselves, and their names are nobody else's.
	const isOurs =
		resource.kind === resources.CustomResourceDefinition.kind ||
		textIn(recordIn(metadata, "labels"), label) === labels[label];
	return isOurs ? { resource, at, uid: textIn(metadata, "uid") } : "stranger";
}

async function named(
	client: ObjectClient,
	resource: KubeResource,
	namespace: string,
	name: string,
): Promise<readonly Doomed[]> {
	const at = { namespace, name };
	const found = await findObject(client, resource, at);
	const uid = textIn(recordIn(found, "metadata"), "uid");
	return found === undefined ? [] : [{ resource, at, uid }];
}

async function all(
	client: ObjectClient,
	resource: KubeResource,
	query: {
		readonly namespace?: string;
		readonly labelSelector?: string;
	} = {},
): Promise<readonly Doomed[]> {
	const found: KubeObject[] = [];
	const options = { metadataOnly: true };
	try {
		for await (const one of client.listAll(resource, query, options))
			found.push(one);
	} catch (error) {
		// Without the kind there are none of it.
		if (!(error instanceof KubeError) || error.code !== "KUBE_NOT_FOUND")
			throw error;
	}
	return found.map(({ metadata: { namespace, name, uid } }) => ({
		resource,
		at: { namespace, name },
		uid,
	}));
}

function once(list: readonly Doomed[]): readonly Doomed[] {
	return [...new Map(list.map((one) => [one.uid, one])).values()];
}
