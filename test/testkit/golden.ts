import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { JsonObject } from "@bufbuild/protobuf";
import { parseAllDocuments, stringify } from "yaml";
import { printRef } from "../../src/api/object-ref.ts";
import type { ApiObject } from "../../src/api/objects.ts";
import { parseObject } from "../../src/api/parse-object.ts";
import { deepEqual } from "../../src/lib/deep-equal.ts";
import { buildMesh } from "../../src/mesh/build.ts";
import type { Finding } from "../../src/mesh/finding.ts";
import type { Mesh } from "../../src/mesh/mesh.ts";
import { ObjectStore } from "../../src/store/object-store.ts";
import type { Printer } from "../../src/xds/generate/print.ts";
import type { Proxy } from "../../src/xds/proxy.ts";
import { renderProxy } from "../../src/xds/render.ts";
import type { Resource } from "../../src/xds/resource.ts";
import {
	type ResourceType,
	sendOrder,
	typeUrls,
} from "../../src/xds/resource-type.ts";

/** One golden folder, read and built. */
export interface Golden {
	readonly mesh: Mesh;
	readonly findings: readonly Finding[];
	readonly proxy: Proxy;
	/** Names of the listeners that a gRPC client asks for. */
	readonly targets: readonly string[];
	readonly showAll: boolean;
}

/** Builds the mesh of `root/mesh.yaml` with the objects of `root/<feature>/in.yaml` in it. */
export function readGolden(root: string, feature: string): Golden {
	const text = readFileSync(join(root, feature, "in.yaml"), "utf8");
	const base = readFileSync(join(root, "mesh.yaml"), "utf8");
	const store = new ObjectStore(["golden"]);
	store.apply(
		"golden",
		[...parse(base), ...parse(text)].map((object) => ({ op: "put", object })),
	);
	const { mesh, findings } = buildMesh(store.objects.value);
	const [name = "default/caller", how = "explicit", ...targets] =
		directive(text, "proxy")?.split(" ") ?? [];
	return {
		mesh,
		findings,
		proxy: proxyOf(name, how),
		targets,
		showAll: directive(text, "show") === "all",
	};
}

function proxyOf(name: string, how: string): Proxy {
	if (name === "gateway") {
		return {
			workload: `default/${how}`,
			id: `gateway~default/${how}`,
			kind: "gateway",
			attachment: "explicit",
			addresses: {
				inbound: [],
				tcp: [],
				gateway: [{ listen: "127.0.0.1:8080" }],
			},
		};
	}
	const explicit = how === "explicit";
	return {
		workload: name,
		id: `sidecar~${name}`,
		kind: how === "grpc" ? "grpc" : "sidecar",
		attachment: how === "captured" ? "captured" : "explicit",
		addresses: {
			...(explicit ? { outbound: "127.0.0.1:15001" } : undefined),
			inbound: explicit
				? [
						{
							listen: "127.0.0.1:15006",
							application: "127.0.0.1:8080",
							protocol: "http",
						},
					]
				: [],
			tcp: explicit
				? [{ service: "db.default:5432", listen: "127.0.0.1:15432" }]
				: [],
			gateway: [],
		},
	};
}

function directive(text: string, name: string): string | undefined {
	return new RegExp(`^# ${name}: (.*)$`, "m").exec(text)?.[1];
}

function parse(text: string): ApiObject[] {
	return parseAllDocuments(text).map((document) => {
		const parsed = parseObject(document.toJS());
		if (parsed.kind !== "object") throw new Error(JSON.stringify(parsed));
		return parsed.object;
	});
}

/** What the feature changes in the configuration of its proxy, as YAML for people. */
export function renderGolden(
	root: string,
	feature: string,
	print: Printer,
): string {
	const golden = readGolden(root, feature);
	const usual = golden.showAll ? {} : usualCluster(root, print);
	const before = golden.showAll
		? undefined
		: renderAll({ ...golden, mesh: baseMesh(root) });
	const after = renderAll(golden);
	const sections: string[] = [];
	if (golden.findings.length > 0) {
		sections.push(
			`findings:\n${golden.findings
				.map((finding) => {
					const path = finding.path === "" ? "" : ` ${finding.path}`;
					return `  # ${printRef(finding.about)}${path}\n  - ${finding.condition}=False ${finding.reason}: ${finding.message}`;
				})
				.join("\n")}\n`,
		);
	}
	for (const type of sendOrder) {
		const changed = differences(before?.get(type), after.get(type) ?? []);
		if (changed.length === 0) continue;
		sections.push(
			stringify(
				{
					[`${type}s`]: changed.map((change) =>
						printChange(type, change, print, usual),
					),
				},
				{ lineWidth: 0 },
			),
		);
	}
	return sections.length === 0 ? "# nothing changes\n" : sections.join("\n");
}

function baseMesh(root: string): Mesh {
	const store = new ObjectStore(["golden"]);
	const text = readFileSync(join(root, "mesh.yaml"), "utf8");
	store.apply(
		"golden",
		parse(text).map((object) => ({ op: "put", object })),
	);
	return buildMesh(store.objects.value).mesh;
}

function renderAll(
	golden: Golden,
): ReadonlyMap<ResourceType, readonly Resource[]> {
	return renderProxy(golden.mesh, golden.proxy, "delta", golden.targets);
}

type Difference =
	| { readonly kind: "has"; readonly resource: Resource }
	| { readonly kind: "lost"; readonly name: string };

function differences(
	before: readonly Resource[] | undefined,
	after: readonly Resource[],
): Difference[] {
	const versions = new Map(before?.map(({ name, version }) => [name, version]));
	const has = after
		.filter(({ name, version }) => versions.get(name) !== version)
		.map((resource): Difference => ({ kind: "has", resource }));
	const names = new Set(after.map(({ name }) => name));
	const lost = [...versions.keys()]
		.filter((name) => !names.has(name))
		.map((name): Difference => ({ kind: "lost", name }));
	return [...has, ...lost];
}

function printChange(
	type: ResourceType,
	difference: Difference,
	print: Printer,
	usual: JsonObject,
): unknown {
	if (difference.kind === "lost") return { removed: difference.name };
	const json = print(typeUrls[type], difference.resource.bytes) as JsonObject;
	if (type !== "cluster") return json;
	const unusual = Object.entries(json).filter(
		([key, value]) => !deepEqual(value, usual[key]),
	);
	return Object.fromEntries(unusual);
}

/** Settings that every cluster of a plain HTTP service has; a golden leaves them out. */
function usualCluster(root: string, print: Printer): JsonObject {
	const [cluster] =
		renderProxy(baseMesh(root), proxyOf("default/caller", "explicit"), "delta")
			.get("cluster")
			?.filter(({ name }) => name.includes("|9080||reviews.")) ?? [];
	if (cluster === undefined) throw new Error("mesh.yaml has no reviews");
	return print(typeUrls.cluster, cluster.bytes) as JsonObject;
}
