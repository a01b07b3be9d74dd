import type { Objects } from "../src/api/objects.ts";
import { buildMesh, type MeshBuild } from "../src/mesh/build.ts";
import {
	endpointSlice,
	objects,
	pod,
	routeRule,
	service,
} from "../test/testkit/objects.ts";

/** How long one build of the mesh takes, in milliseconds. */
export interface MeshFigure {
	readonly services: number;
	/** Without a previous build; the median. */
	readonly cold: number;
	/** After one changed object of a kind; the median. */
	readonly rule: number;
	readonly slice: number;
	readonly pod: number;
	readonly service: number;
	readonly newService: number;
}

/** Measures builds of meshes of 2 endpoints per service and 1 rule per 5 services. */
export function measureMesh(
	sizes: readonly number[] = [1_000, 5_000],
): readonly MeshFigure[] {
	return sizes.map(figure);
}

function figure(services: number): MeshFigure {
	const input = inputOf(services);
	// Copies, so that nothing is remembered of the objects.
	const copies = Array.from({ length: 5 }, () => structuredClone(input));
	const cold = middle(copies.map((copy) => time(() => buildMesh(copy))));
	const start = buildMesh(input);
	return {
		services,
		cold,
		rule: medianOfChanges(input, start, (before, round) => ({
			...before,
			RouteRule: replaced(
				before.RouteRule,
				ruleOf(round * 5, { weight: round + 2 }),
			),
		})),
		slice: medianOfChanges(input, start, (before, round) => ({
			...before,
			EndpointSlice: replaced(
				before.EndpointSlice,
				sliceOf(round * 7, round + 1),
			),
		})),
		pod: medianOfChanges(input, start, (before, round) => ({
			...before,
			Pod: replaced(before.Pod, podOf(round * 3, 1, `changed${round}`)),
		})),
		service: medianOfChanges(input, start, (before, round) => ({
			...before,
			Service: replaced(before.Service, serviceOf(round * 11, 8_000 + round)),
		})),
		newService: medianOfChanges(input, start, (before, round) => ({
			...before,
			Service: replaced(before.Service, serviceOf(services + round, 80)),
		})),
	};
}

function inputOf(services: number): Objects {
	const indexes = Array.from({ length: services }, (_, index) => index);
	return objects(
		...indexes.flatMap((index) => [
			serviceOf(index, 9080),
			sliceOf(index, 0),
			podOf(index, 1, "v1"),
			podOf(index, 2, "v2"),
		]),
		...indexes
			.filter((index) => index % 5 === 0)
			.map((index) => ruleOf(index, { weight: 1 })),
	);
}

function keyOf(index: number): string {
	return `ns${index % 50}/service-${index}`;
}

function serviceOf(index: number, port: number) {
	return service(keyOf(index), {
		clusterIPs: [`10.${(index >> 8) & 255}.${index & 255}.1`],
		ports: [{ port, name: "http" }],
	});
}

function sliceOf(index: number, variant: number) {
	const [a, b] = [(index >> 8) & 255, index & 255];
	return endpointSlice(keyOf(index), {
		endpoints: [1, 2].map((version) => ({
			addresses: [`172.${16 + variant}.${a}.${b === 255 ? version : b}`].map(
				(address) =>
					address.replace(
						/\d+$/,
						(last) => `${(Number(last) * 2 + version) % 256}`,
					),
			),
			pod: `service-${index}-v${version}`,
		})),
	});
}

function podOf(index: number, version: number, label: string) {
	return pod(
		`ns${index % 50}/service-${index}-v${version}`,
		{ ips: [`172.16.${(index >> 8) & 255}.${index & 255}`] },
		{ labels: { app: `service-${index}`, version: label } },
	);
}

function ruleOf(index: number, { weight }: { readonly weight: number }) {
	return routeRule(keyOf(index), {
		match: [{ headers: { cookie: { regex: ".*user=jason.*" } } }],
		route: [
			{ labels: { version: "v1" }, weight },
			{ labels: { version: "v2" } },
		],
		timeout: "3s",
		retries: { attempts: 2 },
	});
}

function replaced<
	V extends {
		readonly metadata: { readonly namespace: string; readonly name: string };
	},
>(map: ReadonlyMap<string, V>, value: V): ReadonlyMap<string, V> {
	const { namespace, name } = value.metadata;
	return new Map(map).set(`${namespace}/${name}`, value);
}

function medianOfChanges(
	input: Objects,
	start: MeshBuild,
	change: (before: Objects, round: number) => Objects,
): number {
	let before = input;
	let build = start;
	const times: number[] = [];
	for (let round = 0; round < 30; round++) {
		before = change(before, round);
		times.push(
			time(() => {
				build = buildMesh(before, build);
			}),
		);
	}
	return middle(times);
}

function time(run: () => unknown): number {
	const startMs = performance.now();
	run();
	return performance.now() - startMs;
}

function middle(times: readonly number[]): number {
	return [...times].sort((a, b) => a - b)[times.length >> 1] ?? Number.NaN;
}
