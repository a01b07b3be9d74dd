import { nearestName } from "../lib/nearest-name.ts";
import type { FieldPath } from "./field-path.ts";
import { isRecord } from "./fields.ts";
import type { InjectionSpec } from "./mesh.ts";
import { printValue } from "./print-value.ts";
import type { Report } from "./report.ts";

/*
 * A template that the API server could not read would stop every new pod of the mesh, and a field that it does not know it drops in silence. So
 * what is known of the fields of Kubernetes is checked here: their types, what tells items of lists apart, and words that are one letter off.
 * A field that is not known is let through: Kubernetes may be newer than this.
 */

/** What a field holds. */
type Form =
	| "text"
	| "number"
	| "flag"
	| "texts"
	| "object"
	| "objects"
	/** Texts by names of the user's own. */
	| "map"
	/** Objects that are told apart by this field. */
	| { readonly by: string }
	| { readonly fields: Fields }
	| { readonly by: string; readonly fields: Fields };

type Fields = Readonly<Record<string, Form>>;

const containerFields: Fields = {
	name: "text",
	image: "text",
	imagePullPolicy: "text",
	command: "texts",
	args: "texts",
	workingDir: "text",
	env: { by: "name", fields: { name: "text", value: "text" } },
	envFrom: "objects",
	ports: { by: "containerPort" },
	resources: { fields: { limits: "object", requests: "object" } },
	resizePolicy: "objects",
	restartPolicy: "text",
	volumeMounts: { by: "mountPath" },
	volumeDevices: { by: "devicePath" },
	livenessProbe: "object",
	readinessProbe: "object",
	startupProbe: "object",
	lifecycle: { fields: { postStart: "object", preStop: "object" } },
	securityContext: "object",
	stdin: "flag",
	stdinOnce: "flag",
	tty: "flag",
	terminationMessagePath: "text",
	terminationMessagePolicy: "text",
};

const podFields: Fields = {
	metadata: { fields: { annotations: "map", labels: "map" } },
	spec: {
		fields: {
			activeDeadlineSeconds: "number",
			affinity: "object",
			automountServiceAccountToken: "flag",
			containers: { by: "name", fields: containerFields },
			dnsConfig: "object",
			dnsPolicy: "text",
			enableServiceLinks: "flag",
			hostAliases: { by: "ip" },
			hostIPC: "flag",
			hostNetwork: "flag",
			hostPID: "flag",
			hostUsers: "flag",
			hostname: "text",
			imagePullSecrets: { by: "name" },
			initContainers: { by: "name", fields: containerFields },
			nodeName: "text",
			nodeSelector: "map",
			os: "object",
			overhead: "object",
			preemptionPolicy: "text",
			priority: "number",
			priorityClassName: "text",
			readinessGates: "objects",
			resourceClaims: "objects",
			restartPolicy: "text",
			runtimeClassName: "text",
			schedulerName: "text",
			schedulingGates: "objects",
			securityContext: "object",
			serviceAccountName: "text",
			setHostnameAsFQDN: "flag",
			shareProcessNamespace: "flag",
			subdomain: "text",
			terminationGracePeriodSeconds: "number",
			tolerations: "objects",
			topologySpreadConstraints: { by: "topologyKey" },
			volumes: { by: "name" },
		},
	},
};

/** Fields that injection itself decides, with what to write instead. */
const decided: readonly (readonly [
	path: readonly string[],
	instead: string,
])[] = [
	...["proxy", "capture"].map(
		(part) =>
			[
				[part, "name"],
				"The container is known by its name. Leave the name away.",
			] as const,
	),
	[
		["proxy", "restartPolicy"],
		"It follows from how the proxy runs. Set spec.injection.sidecar instead.",
	],
	...["runAsUser", "runAsGroup"].map(
		(field) =>
			[
				["proxy", "securityContext", field],
				"The rules that capture traffic know the proxy by its user. Set spec.injection.proxyUser instead.",
			] as const,
	),
	...["name", "generateName", "namespace"].map(
		(field) =>
			[
				["pod", "metadata", field],
				"It is laid over all pods, which have names of their own. Leave it away.",
			] as const,
	),
	[
		["pod", "spec", "hostNetwork"],
		"The traffic of a pod in the network of its node cannot be captured. Leave it away.",
	],
];

/** Names that are injected, by list, with where the template says something of them. */
const ours: Readonly<Record<string, Readonly<Record<string, string>>>> = {
	containers: {
		"lateen-proxy": "Write it under spec.injection.template.proxy.",
		"lateen-capture": "Write it under spec.injection.template.capture.",
	},
	volumes: { lateen: "Give the volume another name." },
};

/** What strategic merge does that is not done here. */
const otherDirectives = /^\$(?!patch$)/;

/** Reports what is wrong with `spec.injection.template`, as far as it can be known without an API server. */
export function checkInjectionTemplate(
	template: NonNullable<InjectionSpec["template"]>,
	root: FieldPath,
	report: Report,
): void {
	const parts: Fields = {
		proxy: { fields: containerFields },
		capture: { fields: containerFields },
		pod: { fields: podFields },
	};
	checkFields({ ...template }, parts, root, report);
	for (const [path, instead] of decided) {
		const found = path.reduce<unknown>(
			(at, name) => (isRecord(at) ? at[name] : undefined),
			template,
		);
		if (found !== undefined && found !== false)
			report([...root, ...path], instead);
	}
	const { pod } = template;
	for (const name of Object.keys(pod ?? {}))
		if (!["apiVersion", "kind", "metadata", "spec", "$patch"].includes(name))
			report(
				[...root, "pod", name],
				"A Pod has metadata and spec. Write it into one of them.",
			);
	checkOwn(pod?.["spec"], [...root, "pod", "spec"], report);
	checkKeys(pod?.["metadata"], [...root, "pod", "metadata"], report);
}

function checkFields(
	value: Readonly<Record<string, unknown>>,
	fields: Fields,
	path: FieldPath,
	report: Report,
): void {
	for (const [name, item] of Object.entries(value)) {
		const at = [...path, name];
		const form = Object.hasOwn(fields, name) ? fields[name] : undefined;
		if (form !== undefined) checkForm(item, form, at, report);
		else if (name.startsWith("$")) checkDirective(name, item, at, report);
		else {
			const near = nearestName(name, Object.keys(fields));
			if (near !== undefined)
				report(
					at,
					`Kubernetes knows no such field here. Did you mean ${near}?`,
				);
		}
	}
}

function checkForm(
	value: unknown,
	form: Form,
	path: FieldPath,
	report: Report,
): void {
	// It takes the field out.
	if (value === null) return;
	const refuse = (wanted: string): void =>
		report(path, `It must be ${wanted}, but is ${printValue(value)}.`);
	switch (form) {
		case "text":
			if (typeof value !== "string") refuse("a text");
			return;
		case "number":
			if (typeof value !== "number") refuse("a number");
			return;
		case "flag":
			if (typeof value !== "boolean") refuse("true or false");
			return;
		case "texts":
			if (
				!Array.isArray(value) ||
				!value.every((item) => typeof item === "string")
			)
				refuse("a list of texts");
			return;
		case "map":
			checkMap(value, path, report);
			return;
		case "object":
			if (isRecord(value)) checkFields(value, {}, path, report);
			else refuse("an object");
			return;
		case "objects":
			if (!Array.isArray(value) || !value.every(isRecord))
				refuse("a list of objects");
			return;
		default:
			if (!("by" in form)) {
				if (isRecord(value)) checkFields(value, form.fields, path, report);
				else refuse("an object");
			} else if (Array.isArray(value)) {
				value.forEach((item: unknown, index) => {
					checkItem(item, form, [...path, index], report);
				});
			} else refuse("a list of objects");
	}
}

function checkItem(
	item: unknown,
	form: { readonly by: string; readonly fields?: Fields },
	path: FieldPath,
	report: Report,
): void {
	if (!isRecord(item)) {
		report(path, `It must be an object, but is ${printValue(item)}.`);
		return;
	}
	const key = item[form.by];
	if (key === undefined || key === null || key === "")
		report(
			[...path, form.by],
			`It tells the items of this list apart, and is missing. Add ${form.by}.`,
		);
	checkFields(item, form.fields ?? {}, path, report);
}

function checkMap(value: unknown, path: FieldPath, report: Report): void {
	if (!isRecord(value)) {
		report(path, `It must be an object, but is ${printValue(value)}.`);
		return;
	}
	for (const [key, text] of Object.entries(value))
		if (typeof text !== "string" && text !== null && key !== "$patch")
			report(
				[...path, { key }],
				`It must be a text, but is ${printValue(text)}. Put it into quotes.`,
			);
}

function checkDirective(
	name: string,
	value: unknown,
	path: FieldPath,
	report: Report,
): void {
	if (otherDirectives.test(name))
		report(path, "Of the directives of strategic merge only $patch is known.");
	else if (!["replace", "delete", "merge"].some((word) => word === value))
		report(
			path,
			`It must be replace, delete or merge, but is ${printValue(value)}.`,
		);
}

/** What is injected is not to be taken for the pod's own. */
function checkOwn(spec: unknown, path: FieldPath, report: Report): void {
	if (!isRecord(spec)) return;
	for (const [list, names] of [
		["containers", ours["containers"]],
		["initContainers", ours["containers"]],
		["volumes", ours["volumes"]],
	] as const) {
		const items = spec[list];
		if (!Array.isArray(items) || names === undefined) continue;
		items.forEach((item: unknown, index) => {
			const name = isRecord(item) ? item["name"] : undefined;
			if (typeof name !== "string" || !Object.hasOwn(names, name)) return;
			report(
				[...path, list, index, "name"],
				`${printValue(name)} is what is injected. ${names[name]}`,
			);
		});
	}
}

/** Labels and annotations by which injection knows pods, and where they are kept. */
function checkKeys(metadata: unknown, path: FieldPath, report: Report): void {
	if (!isRecord(metadata)) return;
	for (const field of ["labels", "annotations"]) {
		const map = metadata[field];
		if (!isRecord(map)) continue;
		for (const key of [
			"lateen.dev/inject",
			"lateen.dev/injected",
			"lateen.dev/injection",
			"lateen.dev/not-injected",
		])
			if (Object.hasOwn(map, key))
				report(
					[...path, field, { key }],
					"Injection itself goes by it. Leave it away.",
				);
	}
}
