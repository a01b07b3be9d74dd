import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import type { CrdSchema } from "../../../hack/crd-schema.ts";

const CRDS = join(import.meta.dirname, "../../../crds");

/** A CustomResourceDefinition, as far as tests look into it. */
export interface Crd {
	readonly metadata: { readonly name: string };
	readonly spec: {
		readonly scope: "Namespaced" | "Cluster";
		readonly names: {
			readonly kind: string;
			readonly plural: string;
			readonly shortNames?: readonly string[];
			readonly categories?: readonly string[];
		};
		readonly versions: readonly CrdVersion[];
	};
}

/** One version of a kind. */
export interface CrdVersion {
	readonly name: string;
	readonly additionalPrinterColumns?: readonly {
		readonly name: string;
		readonly description?: string;
	}[];
	readonly schema: { readonly openAPIV3Schema: CrdSchema };
}

/** All CRDs of the repository, by kind. */
export function readCrds(): ReadonlyMap<string, Crd> {
	return new Map(
		readdirSync(CRDS)
			.filter((name) => name.endsWith(".yaml"))
			.map((name) => {
				const text = readFileSync(join(CRDS, name), "utf8");
				const crd = parse(text, { merge: true, maxAliasCount: -1 }) as Crd;
				return [crd.spec.names.kind, crd];
			}),
	);
}

/** Its schema; a kind has one version. */
export function schemaOf(crd: Crd): CrdSchema {
	const version = crd.spec.versions[0];
	if (version === undefined) throw new Error("The CRD has no version.");
	return version.schema.openAPIV3Schema;
}

/** The path of all objects of a kind in a namespace; of all when the kind has no namespaces. */
export function collectionOf(crd: Crd, namespace: string): string {
	const { scope, names } = crd.spec;
	const place = scope === "Namespaced" ? `namespaces/${namespace}/` : "";
	return `/apis/lateen.dev/v1alpha1/${place}${names.plural}`;
}
