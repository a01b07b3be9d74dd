/*
 * The objects on the API server that the serving certificate lives in: how they are watched, and how they are written.
 */
import { isRecord } from "../../../api/fields.ts";
import type { ServingWriter } from "../../../controllers/serving-certificate.ts";
import {
	bundleKey,
	parseBundle,
	parseServingSecret,
	printServingSecret,
} from "../../../controllers/serving-secret.ts";
import type { WebhookRegistrationParts } from "../../../controllers/webhook-registration.ts";
import type { ObjectClient } from "../../../kube/object-client.ts";
import { resources } from "../../../kube/resources.ts";
import type { SeenRegistration } from "../../../reconcilers/webhook-registration.ts";
import type { WatchedObjectOptions } from "./watch-object.ts";

/** Names of the objects, and of us as the writer of their fields. */
export const servingObjects = {
	secret: "lateen-serving",
	configMap: "lateen-ca",
	/** Writes the Secret and the ConfigMap. */
	manager: "lateen-serving",
	/** Writes the bundle in the webhook configurations, and nothing else there. */
	webhookManager: "lateen-webhook",
} as const;

/** Which object, and what of it counts. */
type Place<T> = Pick<
	WatchedObjectOptions<T>,
	"resource" | "namespace" | "name" | "parse"
>;

/** The Secret with certificates and keys. */
export function secretPlace(
	namespace: string,
): Place<ReturnType<typeof parseServingSecret>> {
	return {
		resource: resources.Secret,
		namespace,
		name: servingObjects.secret,
		parse: parseServingSecret,
	};
}

/** The ConfigMap from which proxies learn whom to trust. */
export function bundlePlace(namespace: string): Place<string> {
	return {
		resource: resources.ConfigMap,
		namespace,
		name: servingObjects.configMap,
		parse: parseBundle,
	};
}

/** Kinds of webhook configurations. */
export type RegistrationResource =
	| typeof resources.MutatingWebhookConfiguration
	| typeof resources.ValidatingWebhookConfiguration;

/** A webhook configuration. */
export function webhookPlace(
	resource: RegistrationResource,
	name: string,
): Place<SeenRegistration> {
	return {
		resource,
		namespace: "",
		name,
		parse: parseRegistration,
	};
}

/** Writes the Secret and the ConfigMap by server-side apply; a Secret that must not exist is created. */
export function servingWriter(
	client: ObjectClient,
	namespace: string,
): ServingWriter {
	const { manager } = servingObjects;
	return {
		writeSecret: async (secret, seen, signal) => {
			const data = printServingSecret(secret);
			const { Secret: resource } = resources;
			const name = servingObjects.secret;
			if (seen === undefined)
				await client.create(
					resource,
					namespace,
					{ metadata: { name, namespace }, type: "Opaque", data },
					{ manager, signal },
				);
			else
				await client.apply(
					{
						resource,
						at: { namespace, name },
						manager,
						fields: { data },
						seen,
					},
					{ signal },
				);
		},
		writeBundle: async (bundle, signal) => {
			await client.apply(
				{
					resource: resources.ConfigMap,
					at: { namespace, name: servingObjects.configMap },
					manager,
					fields: { data: { [bundleKey]: bundle } },
				},
				{ signal },
			);
		},
	};
}

/** Says what the webhook's registration must say. */
export function registrationWriter(
	client: ObjectClient,
	resource: RegistrationResource,
): WebhookRegistrationParts["apply"] {
	return async ({ name, webhooks }, signal) => {
		await client.apply(
			{
				resource,
				at: { namespace: "", name },
				manager: servingObjects.webhookManager,
				fields: { webhooks },
			},
			{ signal },
		);
	};
}

function parseRegistration(content: unknown): SeenRegistration {
	const webhooks = isRecord(content) ? content["webhooks"] : undefined;
	return {
		webhooks: (Array.isArray(webhooks) ? webhooks : []).map(
			(webhook: unknown) => {
				const fields = isRecord(webhook) ? webhook : {};
				const client = isRecord(fields["clientConfig"])
					? fields["clientConfig"]
					: {};
				return {
					name: textOf(fields["name"]),
					caBundle: Buffer.from(textOf(client["caBundle"]), "base64").toString(
						"latin1",
					),
					url: textOf(client["url"]),
				};
			},
		),
	};
}

function textOf(value: unknown): string {
	return typeof value === "string" ? value : "";
}
