import type { Registration } from "./webhook-registration.ts";

/** Label of a namespace, or of a pod, that says whether pods get a proxy. */
export const injectLabel = "lateen.dev/inject";

/** Namespaces that Kubernetes and Lateen themselves cannot start without. */
const exempt = {
	key: "kubernetes.io/metadata.name",
	operator: "NotIn",
	values: ["kube-system", "kube-public", "kube-node-lease", "lateen-system"],
};

const common = {
	admissionReviewVersions: ["v1"],
	sideEffects: "None",
	failurePolicy: "Fail",
	matchPolicy: "Equivalent",
	reinvocationPolicy: "IfNeeded",
	timeoutSeconds: 5,
	rules: [
		{
			apiGroups: [""],
			apiVersions: ["v1"],
			resources: ["pods"],
			operations: ["CREATE"],
			scope: "Namespaced",
		},
	],
	matchConditions: [
		{
			name: "not-static",
			expression:
				"!has(object.metadata.annotations) || !('kubernetes.io/config.mirror' in object.metadata.annotations)",
		},
	],
};

/**
 * The mutating webhooks, as in manifests/base/webhook.yaml, which says why; a test holds the two together.
 *
 * There are two, because a namespace and a pod must not both have to ask.
 */
export const injection: Registration = {
	name: "lateen",
	urlName: "lateen-url",
	webhooks: [
		{
			name: "namespace.inject.lateen.dev",
			...common,
			namespaceSelector: {
				matchExpressions: [
					{ key: injectLabel, operator: "In", values: ["true"] },
					exempt,
				],
			},
			objectSelector: {
				matchExpressions: [
					{ key: injectLabel, operator: "NotIn", values: ["false"] },
				],
			},
		},
		{
			name: "pod.inject.lateen.dev",
			...common,
			namespaceSelector: {
				matchExpressions: [
					{ key: injectLabel, operator: "NotIn", values: ["true"] },
					exempt,
				],
			},
			objectSelector: {
				matchExpressions: [
					{ key: injectLabel, operator: "In", values: ["true"] },
				],
			},
		},
	],
	// It may end and leave this behind, and then nobody is to miss it.
	byUrl: { failurePolicy: "Ignore" },
};
