import { splitPemBundle } from "../pki/pem-bundle.ts";

/** A configuration of webhooks, validating or mutating, as far as decisions go. */
export interface SeenRegistration {
	readonly webhooks: readonly {
		readonly name: string;
		/** PEM; empty when there is none. */
		readonly caBundle: string;
		/** Empty when the API server calls a Service. */
		readonly url: string;
	}[];
}

/** A configuration of ours, and what its webhooks are when all of it is ours to say. */
export interface Registration {
	/** In the manifests; of it we say the bundle and nothing else. */
	readonly name: string;
	/** For a control plane that is reached by URL; all of it is ours. */
	readonly urlName: string;
	/** Whole but for `clientConfig`, as in the manifests. */
	readonly webhooks: readonly WholeWebhook[];
	/** What is different where all of it is ours. */
	readonly byUrl?: Readonly<Record<string, unknown>>;
}

/** One webhook without `clientConfig`. */
export type WholeWebhook = { readonly name: string } & Readonly<
	Record<string, unknown>
>;

/** Names of the configuration of the validating webhook, its only one. */
export const registration = {
	/** In the manifests; of it we say the bundle and nothing else. */
	name: "lateen",
	/** For a control plane that is reached by URL; all of it is ours. */
	urlName: "lateen-url",
	webhook: "validate.lateen.dev",
} as const;

/** What is to be said of a configuration by server-side apply. */
export type RegistrationDecision =
	| { readonly action: "nothing" }
	/** The configuration does not exist; whoever installs the manifests makes it. */
	| { readonly action: "wait" }
	| {
			readonly action: "apply";
			readonly name: string;
			readonly webhooks: readonly Readonly<Record<string, unknown>>[];
	  };

/**
 * What to say so that the API server trusts the webhook.
 *
 * In the configuration of the manifests only `caBundle` is said, so that everything else stays as its owner wrote it. With a
 * `url` (a control plane outside of the Kubernetes cluster), the whole configuration is said.
 */
export function decideRegistration(
	seen: SeenRegistration | undefined,
	want: { readonly bundle: string; readonly url: string | undefined },
	of: Registration = validation,
): RegistrationDecision {
	if (splitPemBundle(want.bundle).length === 0) return { action: "nothing" };
	const present = of.webhooks.map(({ name }) =>
		seen?.webhooks.find((webhook) => webhook.name === name),
	);
	const isCurrent = present.every(
		(webhook) =>
			webhook !== undefined &&
			trusts(webhook.caBundle, want.bundle) &&
			webhook.url === (want.url ?? webhook.url),
	);
	const caBundle = btoa(want.bundle);
	if (want.url === undefined && present.includes(undefined))
		return { action: "wait" };
	if (isCurrent) return { action: "nothing" };
	return want.url === undefined
		? {
				action: "apply",
				name: of.name,
				webhooks: of.webhooks.map(({ name }) => ({
					name,
					clientConfig: { caBundle },
				})),
			}
		: {
				action: "apply",
				name: of.urlName,
				webhooks: of.webhooks.map((webhook) => ({
					...webhook,
					...of.byUrl,
					clientConfig: { url: want.url, caBundle },
				})),
			};
}

/** Whether the bundles hold the same certificates in the same order. */
function trusts(bundle: string, wanted: string): boolean {
	return splitPemBundle(bundle).join("") === splitPemBundle(wanted).join("");
}

/** As in manifests/base/webhook.yaml, which says why; a test holds the two together. */
export const wholeWebhook = {
	name: registration.webhook,
	admissionReviewVersions: ["v1"],
	sideEffects: "None",
	failurePolicy: "Ignore",
	matchPolicy: "Equivalent",
	timeoutSeconds: 2,
	rules: [
		{
			apiGroups: ["lateen.dev"],
			apiVersions: ["*"],
			resources: ["externalservices", "meshes", "routerules"],
			operations: ["CREATE", "UPDATE"],
			scope: "*",
		},
	],
	matchConditions: [
		{
			name: "spec-changes",
			expression:
				"request.operation == 'CREATE' || (has(object.spec) ? !has(oldObject.spec) || object.spec != oldObject.spec : has(oldObject.spec))",
		},
		{
			name: "stays",
			expression: "!has(object.metadata.deletionTimestamp)",
		},
	],
} as const;

/** The configuration of the validating webhook. */
export const validation: Registration = {
	name: registration.name,
	urlName: registration.urlName,
	webhooks: [wholeWebhook],
};
