import { expect } from "chai";
import type { CrdSchema } from "../../../hack/crd-schema.ts";
import { parseObject } from "../../../src/api/parse-object.ts";
import {
	ApiClient,
	newNamespace,
	sharedCluster,
} from "../../testkit/kube-cluster.ts";
import { collectionOf, readCrds, schemaOf } from "./crd-files.ts";

const apiVersion = "lateen.dev/v1alpha1";
const metadata = { name: "default" };
const destination = { name: "reviews" };

/** Between them these objects leave out every field that has a default, in a place that is there. */
const SPARSE = [
	{ apiVersion, kind: "Mesh", metadata },
	{
		...{ apiVersion, kind: "RouteRule", metadata },
		spec: {
			destination,
			match: [
				{
					fault: { delay: { duration: "1s" }, abort: { httpStatus: 503 } },
				},
			],
			route: [{}],
			retries: { budget: {} },
			fault: { delay: { duration: "1s" }, abort: { httpStatus: 503 } },
			mirror: [{}],
			cors: { allowOrigins: ["https://shop.example.com"] },
		},
	},
	{
		...{ apiVersion, kind: "RouteRule", metadata },
		spec: { destination, redirect: { path: "/" } },
	},
	{
		...{ apiVersion, kind: "ExternalService", metadata },
		spec: {
			hosts: ["api.example.com"],
			ports: [{ number: 80, name: "http", tls: {} }],
		},
	},
	{
		...{ apiVersion, kind: "ExternalService", metadata },
		spec: {
			hosts: ["api.example.com"],
			ports: [{ number: 80, name: "http" }],
			resolution: "Static",
			endpoints: [{ address: "192.0.2.1" }],
		},
	},
];

describe("the defaults of a real API server", () => {
	/** Places that a default was written to, as `Kind.spec.x`. */
	const seen = new Set<string>();
	let client: ApiClient;
	let namespace: string;
	before(async () => {
		const cluster = await sharedCluster();
		namespace = await newNamespace(cluster);
		client = await ApiClient.of(cluster);
	});
	after(() => client[Symbol.dispose]());

	for (const [index, object] of SPARSE.entries()) {
		it(`are those that lateen reads into a sparse ${object.kind} (${index + 1})`, async () => {
			const crd = readCrds().get(object.kind);
			if (crd === undefined) throw new Error("no such kind");
			const { status, body } = await client.ask(
				"POST",
				`${collectionOf(crd, namespace)}?dryRun=All&fieldValidation=Strict`,
				object,
			);
			expect(status, JSON.stringify(body)).to.equal(201);
			const { spec } = body as { readonly spec: unknown };
			const parsed = parseObject(object);
			expect(parsed).to.have.nested.property("object.spec");
			expect(spec).to.deep.equal(
				parsed.kind === "object" && "spec" in parsed.object
					? parsed.object.spec
					: undefined,
			);
			const given = "spec" in object ? object.spec : undefined;
			noteAdded(given, spec, `${object.kind}.spec`, seen);
		});
	}

	it("are seen one and all", () => {
		const kinds = ["ExternalService", "Mesh", "RouteRule"];
		const all = [...readCrds()]
			.filter(([kind]) => kinds.includes(kind))
			.flatMap(([kind, crd]) => defaultsOf(schemaOf(crd), kind))
			.filter((place) => !place.endsWith(".status"));
		expect(all).to.have.length.above(20);
		expect([...seen]).to.include.members(all);
	});
});

/** The places of all defaults in a schema; `*` stands for every item. */
function defaultsOf(schema: CrdSchema, at: string): readonly string[] {
	const { properties = {}, items, additionalProperties } = schema;
	return [
		...(schema.default === undefined ? [] : [at]),
		...Object.entries(properties).flatMap(([name, child]) =>
			defaultsOf(child, `${at}.${name}`),
		),
		...(items ? defaultsOf(items, `${at}.*`) : []),
		...(additionalProperties
			? defaultsOf(additionalProperties, `${at}.*`)
			: []),
	];
}

/** Notes the places of what is in `after` and not in `before`, with what is inside of it. */
function noteAdded(
	before: unknown,
	after: unknown,
	at: string,
	into: Set<string>,
): void {
	if (before === undefined) into.add(at);
	if (after === null || typeof after !== "object") return;
	for (const [key, value] of Object.entries(after)) {
		const step = Array.isArray(after) ? "*" : key;
		const old = (before as Record<string, unknown> | undefined)?.[key];
		noteAdded(old, value, `${at}.${step}`, into);
	}
}
