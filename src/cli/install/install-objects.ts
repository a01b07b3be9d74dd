import { isRecord } from "../../api/fields.ts";
import { recordIn, recordsIn } from "../../injector/json.ts";
import { programVersion } from "../../settings/program-version.ts";
import { kustomize } from "./kustomize.ts";
import type { Manifest } from "./manifest.ts";
import { readManifestFiles } from "./manifest-files.ts";

/** Folder of each profile. */
const folders = {
	default: "manifests/base",
	"one-replica": "manifests/overlays/one-replica",
	ha: "manifests/overlays/ha",
} as const;

/** How much of it there is to be. */
export type Profile = keyof typeof folders;

/** All profiles. */
export const profiles = ["default", "one-replica", "ha"] as const;

/** What the manifests call Lateen's namespace. */
const writtenNamespace = "lateen-system";

/** How an installation differs from the manifests. */
export interface InstallOptions {
	readonly profile: Profile;
	/** Namespace of Lateen itself. */
	readonly namespace: string;
	/** Image of the controller; without a tag or digest it has this version's. */
	readonly image?: string | undefined;
	/** Image of the proxies, likewise; it makes the Mesh a part of the installation. */
	readonly proxyImage?: string | undefined;
}

/** Kinds that others need before they can be made, and those that are asked about others. */
const first = ["Namespace", "CustomResourceDefinition"];
const last = [
	"MutatingWebhookConfiguration",
	"ValidatingWebhookConfiguration",
	"Mesh",
];

/** Every object of an installation, in the order in which each finds what it needs. */
export function installObjects({
	profile,
	namespace,
	image,
	proxyImage,
}: InstallOptions): readonly Manifest[] {
	const objects = kustomize(folders[profile], readManifestFiles())
		.map((one) => renamed(one, namespace))
		.map((one) => (image === undefined ? one : withImage(one, tagged(image))));
	const all =
		proxyImage === undefined ? objects : [...objects, meshWith(proxyImage)];
	return all.toSorted((a, b) => rank(a) - rank(b));
}

function rank({ kind }: Manifest): number {
	if (first.includes(kind)) return first.indexOf(kind) - first.length;
	return last.indexOf(kind) + 1;
}

/** The same in another namespace. It is named in many places, and none of them means another. */
function renamed(object: Manifest, namespace: string): Manifest {
	if (
		namespace === writtenNamespace ||
		object.kind === "CustomResourceDefinition"
	)
		return object;
	return replaced(object, namespace) as Manifest;
}

function replaced(value: unknown, namespace: string): unknown {
	if (value === writtenNamespace) return namespace;
	if (Array.isArray(value))
		return value.map((item) => replaced(item, namespace));
	if (!isRecord(value)) return value;
	return Object.fromEntries(
		Object.entries(value).map(([key, part]) => [
			key,
			replaced(part, namespace),
		]),
	);
}

function withImage(object: Manifest, image: string): Manifest {
	if (object.kind !== "Deployment") return object;
	const spec = recordIn(object, "spec");
	const template = recordIn(spec, "template");
	const inner = recordIn(template, "spec");
	const containers = recordsIn(inner, "containers").map((one) => ({
		...one,
		image,
	}));
	return {
		...object,
		spec: {
			...spec,
			template: { ...template, spec: { ...inner, containers } },
		},
	};
}

function tagged(image: string): string {
	return /@|:[^/]*$/.test(image) ? image : `${image}:${programVersion}`;
}

function meshWith(proxyImage: string): Manifest {
	return {
		apiVersion: "lateen.dev/v1alpha1",
		kind: "Mesh",
		metadata: { name: "default" },
		spec: { injection: { proxyImage: tagged(proxyImage) } },
	};
}
