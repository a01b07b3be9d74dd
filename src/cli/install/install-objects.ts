import { isRecord } from "../../api/fields.ts";
import { recordIn, recordsIn } from "../../injector/json.ts";
import { programVersion } from "../../settings/program-version.ts";
import { environmentName } from "../../settings/setting.ts";
import { kustomize } from "./kustomize.ts";
import { type Manifest, printManifestName } from "./manifest.ts";
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
	/** Image of the proxies, likewise. */
	readonly proxyImage?: string | undefined;
}

/** Kinds that others need before they can be made, and those that are asked about others. */
const first = ["Namespace", "CustomResourceDefinition", "PriorityClass"];
const last = ["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"];

/** Every object of an installation, in the order in which each finds what it needs. */
export function installObjects({
	profile,
	namespace,
	image,
	proxyImage,
}: InstallOptions): readonly Manifest[] {
	const images = {
		...(image !== undefined && { image: tagged(image) }),
		...(proxyImage !== undefined && { proxyImage: tagged(proxyImage) }),
	};
	return kustomize(folders[profile], readManifestFiles())
		.map((one) => withImages(renamed(one, namespace), images))
		.toSorted((a, b) => rank(a) - rank(b));
}

/** Every object that an installation of some profile has, in that order. */
export function objectsOfAnyProfile(namespace: string): readonly Manifest[] {
	const all = profiles
		.flatMap((profile) => installObjects({ profile, namespace }))
		.map((one): [string, Manifest] => [printManifestName(one), one]);
	return [...new Map(all).values()].toSorted((a, b) => rank(a) - rank(b));
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

/** Where the program is told another image of proxies than its own (docs/settings.md). */
const proxyImageVariable = environmentName("proxyImage");

function withImages(
	object: Manifest,
	{
		image,
		proxyImage,
	}: { readonly image?: string; readonly proxyImage?: string },
): Manifest {
	if (object.kind !== "Deployment") return object;
	const spec = recordIn(object, "spec");
	const template = recordIn(spec, "template");
	const inner = recordIn(template, "spec");
	const containers = recordsIn(inner, "containers").map((one) => ({
		...one,
		...(image !== undefined && { image }),
		...(proxyImage !== undefined && {
			env: [
				...recordsIn(one, "env"),
				{ name: proxyImageVariable, value: proxyImage },
			],
		}),
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
