import type { Mesh as MeshObject } from "../api/mesh.ts";
import { refOf } from "../api/metadata.ts";
import { share } from "../lib/share.ts";
import type { Finding } from "./finding.ts";
import type { MeshOptions } from "./mesh.ts";

/** The options of the mesh and what its Mesh objects should know. */
export interface OptionsPart {
	readonly source: ReadonlyMap<string, MeshObject>;
	readonly options: MeshOptions;
	readonly findings: readonly Finding[];
}

/** What holds when there is no Mesh object; the same as the defaults of its schema. */
const defaultOptions: MeshOptions = {
	trustDomain: "cluster.local",
	clusterDomain: "cluster.local",
	rootNamespace: "lateen-system",
	outboundTraffic: "AllowAny",
};

/** Reads the options from the Mesh named `default`. */
export function buildOptions(
	source: ReadonlyMap<string, MeshObject>,
	previous: OptionsPart | undefined,
): OptionsPart {
	if (previous?.source === source) return previous;
	let options = defaultOptions;
	const findings: Finding[] = [];
	for (const object of source.values()) {
		if (object.metadata.name === "default") {
			const { trustDomain, clusterDomain, rootNamespace, outboundTraffic } =
				object.spec;
			options = {
				trustDomain,
				clusterDomain: clusterDomain.toLowerCase(),
				rootNamespace,
				outboundTraffic,
			};
		} else {
			findings.push({
				about: refOf(object),
				condition: "Accepted",
				reason: "Conflict",
				path: "metadata.name",
				message:
					"Only the Mesh named default is in force, so this one has no effect. Move its settings to the Mesh named default and delete it.",
			});
		}
	}
	return {
		source,
		options: share(previous?.options, options),
		findings: share(previous?.findings, findings),
	};
}
