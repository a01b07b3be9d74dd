/*
 * All objects → the mesh, in stages. Each stage takes its inputs and what it
 * made last time; while its inputs are the same references it hands back the
 * same part, so a change costs what depends on it:
 *
 *   Mesh ──▶ options ─┬──────────────┬───────────┬──────────┐
 *   RouteRule ─ hosts ▶ registry ────┼───────────┼────────▶ routes ─┐
 *   Service, ExternalService ─▶ ┘    │           │                  ├▶ subset findings
 *   EndpointSlice ─▶ slices ───▶ endpoints ─▶ workloads             │
 *   Pod, Node ───────────────────▶ ┘  └─────────────────────────────┘
 */
import type { Objects } from "../api/objects.ts";
import type { RouteRule } from "../api/route-rule.ts";
import { memoByInput } from "../lib/memo.ts";
import { sameElements, share, shareList } from "../lib/share.ts";
import { buildEndpoints, type EndpointsPart } from "./endpoints.ts";
import { compareFindings, type Finding } from "./finding.ts";
import type { Mesh } from "./mesh.ts";
import { buildOptions, type OptionsPart } from "./options.ts";
import { buildRegistry, type Registry } from "./registry.ts";
import { buildRoutes, type RoutesPart } from "./routes.ts";
import { buildSlices, type SlicesPart } from "./slices.ts";
import {
	buildSubsetFindings,
	type SubsetFindingsPart,
} from "./subset-findings.ts";
import { buildWorkloads, type WorkloadsPart } from "./workloads.ts";

/** What a build hands to the next one; nobody else's business. */
export interface MeshParts {
	readonly rules: ReadonlyMap<string, RouteRule>;
	readonly ruleHosts: ReadonlySet<string>;
	readonly options: OptionsPart;
	readonly slices: SlicesPart;
	readonly registry: Registry;
	readonly endpoints: EndpointsPart;
	readonly workloads: WorkloadsPart;
	readonly routes: RoutesPart;
	readonly subsetFindings: SubsetFindingsPart;
}

/** A mesh, with what the owners of its objects should know. */
export interface MeshBuild {
	readonly mesh: Mesh;
	/** Sorted by object. */
	readonly findings: readonly Finding[];
	readonly parts: MeshParts;
}

/**
 * Builds the mesh of these objects.
 *
 * Guarantees: the result depends on the objects alone, not on their order in
 *   the maps nor on `previous`. What did not change since `previous` is the same
 *   reference, at every depth; when nothing did, so is the mesh.
 * Fails when: never; what cannot be used is a finding.
 */
export function buildMesh(objects: Objects, previous?: MeshBuild): MeshBuild {
	const before = previous?.parts;
	const options = buildOptions(objects.Mesh, before?.options);
	const slices = buildSlices(objects.EndpointSlice, before?.slices);
	const ruleHosts =
		before !== undefined && before.rules === objects.RouteRule
			? before.ruleHosts
			: share(before?.ruleHosts, hostsOfRules(objects.RouteRule));
	const registry = buildRegistry(
		{
			services: objects.Service,
			externalServices: objects.ExternalService,
			clusterDomain: options.options.clusterDomain,
			named: slices.named,
			ruleHosts,
		},
		before?.registry,
	);
	const endpoints = buildEndpoints(
		{ registry, slices, objects },
		before?.endpoints,
	);
	const workloads = buildWorkloads(
		{ registry, slices, objects, trustDomain: options.options.trustDomain },
		before?.workloads,
	);
	const routes = buildRoutes(
		{ rules: objects.RouteRule, registry, options: options.options },
		before?.routes,
	);
	const subsetFindings = buildSubsetFindings(
		routes.uses,
		endpoints.endpoints,
		before?.subsetFindings,
	);
	const parts: MeshParts = {
		rules: objects.RouteRule,
		ruleHosts,
		options,
		slices,
		registry,
		endpoints,
		workloads,
		routes,
		subsetFindings,
	};
	return {
		mesh: meshOf(parts, previous?.mesh),
		findings: findingsOf(parts, previous),
		parts,
	};
}

function meshOf(parts: MeshParts, previous: Mesh | undefined): Mesh {
	const { options, registry, endpoints, workloads, routes } = parts;
	const mesh: Mesh = {
		options: options.options,
		services: registry.services,
		endpoints: endpoints.endpoints,
		subsets: routes.subsets.subsets,
		routes: routes.routes,
		gateways: routes.gateways,
		workloads: workloads.workloads,
		callerFacts: routes.callerFacts,
	};
	return previous !== undefined &&
		sameElements(Object.values(previous), Object.values(mesh))
		? previous
		: mesh;
}

function findingsOf(
	parts: MeshParts,
	previous: MeshBuild | undefined,
): readonly Finding[] {
	const lists = findingLists(parts);
	if (
		previous !== undefined &&
		sameElements(findingLists(previous.parts), lists)
	) {
		return previous.findings;
	}
	return shareList(
		previous?.findings,
		lists.flat().sort(compareFindings),
		({ about, path, message }) =>
			`${about.kind} ${about.namespace}/${about.name} ${path} ${message}`,
	);
}

function findingLists(parts: MeshParts): readonly (readonly Finding[])[] {
	return [
		parts.options.findings,
		parts.slices.findings,
		parts.registry.findings,
		parts.endpoints.findings,
		parts.routes.findings,
		parts.subsetFindings.findings,
	];
}

/** Hosts that rules name as destinations, lower-case and sorted. */
function hostsOfRules(
	rules: ReadonlyMap<string, RouteRule>,
): ReadonlySet<string> {
	const hosts = new Set<string>();
	for (const rule of rules.values()) {
		for (const host of hostsOfRule(rule)) hosts.add(host);
	}
	return new Set([...hosts].sort());
}

const hostsOfRule = memoByInput(({ spec }: RouteRule): readonly string[] =>
	[
		spec.destination,
		...(spec.route ?? []).map(({ destination }) => destination),
		...(spec.mirror ?? []).map(({ destination }) => destination),
	].flatMap((destination) => destination?.host?.toLowerCase() ?? []),
);
